//! Signals that this process gets and the container should.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// What is passed on, by the name that the API takes. Not CHLD and PIPE, which are about this process
/// only, and not WINCH, which is a resize.
const PROXIED: [(i32, &str); 12] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (10, "USR1"),
    (12, "USR2"),
    (14, "ALRM"),
    (15, "TERM"),
    (18, "CONT"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
    (30, "PWR"),
];

/// Signals caught from now on.
pub(crate) struct Signals(mpsc::UnboundedReceiver<&'static str>);

impl Signals {
    /// Takes over every signal that is passed on.
    pub(crate) fn catch() -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for (number, name) in PROXIED {
            let mut caught = signal(SignalKind::from_raw(number))?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while caught.recv().await.is_some() && sender.send(name).is_ok() {}
            });
        }
        Ok(Self(receiver))
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }
}

/// Changes of the terminal's size.
pub(crate) fn window_changes() -> io::Result<Signal> {
    signal(SignalKind::window_change())
}
