//! How much was copied, on a terminal, as Docker shows it.

use std::io::IsTerminal;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::local::Counter;
use crate::output::units::human_size;
use crate::output::{warn, warn_part};

/// The pace at which a number on a terminal can be read. Nothing waits for it.
const TICK: Duration = Duration::from_millis(75);
const SAVE: &str = "\x1b[s";
const RESTORE_AND_ERASE: &str = "\x1b[u\x1b[2K";
const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";

pub(super) struct Progress {
    quiet: bool,
    /// Only on a terminal.
    ticker: Option<JoinHandle<()>>,
}

impl Progress {
    pub(super) fn start(quiet: bool, header: &'static str, counter: &Counter) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self { quiet, ticker: None };
        }
        let counter = counter.clone();
        let size = |bytes: u64| human_size(bytes as f64, 3);
        warn_part(format!(
            "{SAVE}Preparing to copy...{HIDE_CURSOR}{RESTORE_AND_ERASE}{header}{}",
            size(0)
        ));
        let ticker = tokio::spawn(async move {
            let mut last = 0;
            loop {
                tokio::time::sleep(TICK).await;
                let now = counter.get();
                if now != last {
                    warn_part(format!("{RESTORE_AND_ERASE}{header}{}", size(now)));
                    last = now;
                }
            }
        });
        Self { quiet, ticker: Some(ticker) }
    }

    /// Says how much went where, whether or not all of it did.
    pub(super) async fn end(self, counter: &Counter, to: &str) {
        if let Some(ticker) = self.ticker {
            ticker.abort();
            // Cancelled, which is what was asked for.
            let _ = ticker.await;
            warn_part(format!("{SHOW_CURSOR}{RESTORE_AND_ERASE}"));
        }
        if !self.quiet {
            warn(format!("Successfully copied {} to {to}", human_size(counter.get() as f64, 3)));
        }
    }
}
