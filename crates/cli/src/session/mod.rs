//! A container's streams on this terminal: what attach, run, start and exec have in common.
//!
//! Output is copied until the engine closes it. Input is read by a thread of its own, because a
//! terminal or file that blocks must not hold up output; the process ends without joining it.

mod demux;
mod grep;
mod keys;
mod resume;
mod signals;
pub(crate) mod terminal;

use std::io::{self, IsTerminal, Read};
use std::time::{Duration, Instant};

use client::Hijacked;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

pub(crate) use demux::Demux;
pub(crate) use grep::Grep;
pub(crate) use keys::{DEFAULT_KEYS, Keys};
pub(crate) use resume::{Entries, Resume};
pub(crate) use signals::{Signals, window_changes};
pub(crate) use terminal::{RawMode, Silent, window_size};

use crate::error::{Failure, Result};

/// How long the next engine is waited for where one was killed or is replaced.
const RESTART: Duration = Duration::from_secs(60);
/// Between two attempts. Nothing tells when there is one: it may be on another host, and on this one its socket's file is
/// there before anybody listens, or has been there all along where systemd holds it.
const RETRY: Duration = Duration::from_millis(50);

/// Asks until an engine answers, be it with a refusal.
pub(crate) async fn ask_next_engine<T, F>(mut ask: impl FnMut() -> F) -> client::Result<T>
where
    F: Future<Output = client::Result<T>>,
{
    let deadline = Instant::now() + RESTART;
    loop {
        match ask().await {
            Err(error) if error.status().is_none() && Instant::now() < deadline => {
                tokio::time::sleep(RETRY).await;
            }
            result => return result,
        }
    }
}

const BUFFER: usize = 128 * 1024;
/// Of a session over TLS, whose bytes the engine passes on.
const LOST: &str =
    "the connection to the engine was lost; the process goes on without this session";

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The other side closed it.
    Closed,
    /// The detach keys were typed.
    Detached,
}

/// How to run one.
pub(crate) struct Session {
    /// Whether the process has a terminal: raw mode here, no frames from there.
    pub(crate) tty: bool,
    pub(crate) stdin: bool,
    /// The detach keys, as `--detach-keys` or the config file give them.
    pub(crate) keys: Keys,
}

/// Docker's refusal of `-t` without a terminal to read from.
pub(crate) fn check_tty(stdin: bool, tty: bool) -> Result<()> {
    if stdin && tty && !io::stdin().is_terminal() {
        return Err(Failure::new("the input device is not a TTY"));
    }
    Ok(())
}

impl Session {
    /// Puts the terminal into raw mode where the session is a terminal's.
    pub(crate) fn raw_mode(&self) -> Option<RawMode> {
        (self.tty && self.stdin).then(RawMode::enter).flatten()
    }

    pub(crate) async fn run(&self, hijacked: Hijacked) -> Result<Ended> {
        let _raw = self.raw_mode();
        let mut output = Demux::new(hijacked.multiplexed);
        output.feed(&hijacked.buffered)?;
        let relayed = hijacked.is_relayed();
        let (reader, writer) = hijacked.split();
        let input = async {
            match self.stdin {
                true => self.send_input(writer).await,
                false => {
                    drop(writer);
                    None
                }
            }
        };
        tokio::pin!(input);
        let output = copy_output(reader, output, relayed);
        tokio::pin!(output);
        tokio::select! {
            done = &mut output => done.map(|()| Ended::Closed),
            ended = &mut input => match ended {
                Some(Ended::Detached) => Ok(Ended::Detached),
                _ => output.await.map(|()| Ended::Closed),
            },
        }
    }

    /// Copies stdin until its end, then closes the other side's; `Detached` where the keys came.
    async fn send_input(&self, mut writer: impl AsyncWrite + Unpin) -> Option<Ended> {
        let mut chunks = read_stdin();
        let mut keys = self.tty.then(|| self.keys.clone());
        while let Some(chunk) = chunks.recv().await {
            let (chunk, detached) = match &mut keys {
                Some(keys) => keys.filter(&chunk),
                None => (chunk, false),
            };
            // A container that closed its stdin is no failure: its output decides.
            if writer.write_all(&chunk).await.is_err() {
                return None;
            }
            if detached {
                return Some(Ended::Detached);
            }
        }
        let _ = writer.shutdown().await;
        None
    }
}

fn read_stdin() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; BUFFER];
        while let Ok(read @ 1..) = stdin.read(&mut buffer) {
            if sender.blocking_send(buffer[..read].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

async fn copy_output(
    mut reader: impl AsyncRead + Unpin,
    mut output: Demux,
    relayed: bool,
) -> Result<()> {
    use io::ErrorKind::{ConnectionReset, UnexpectedEof};
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(read) => output.feed(&buffer[..read])?,
            Err(error) => match error.kind() {
                // Through it came what the process goes on to write.
                ConnectionReset | UnexpectedEof if relayed => return Err(Failure::new(LOST)),
                // An engine that dies resets the connection; what was written is here.
                ConnectionReset => return Ok(()),
                _ => return Err(error.into()),
            },
        }
    }
}
