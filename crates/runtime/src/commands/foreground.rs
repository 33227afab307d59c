//! Attending a process in the foreground: its signals, its terminal, its end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::termios::{OptionalActions, Termios};

use crate::error::{Context, Result};

/// Those that are handed on to the process; a new size of the terminal is set instead of handed on.
const SIGNALS: [i32; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGCONT,
    libc::SIGWINCH,
];

/// Waits for a child's end, and returns its status. With a terminal, this process's own is joined to it.
pub(super) fn attend(pidfd: BorrowedFd<'_>, terminal: Option<OwnedFd>) -> Result<u8> {
    let signals = sys::signalfd::open(&SIGNALS).context(|| "signalfd")?;
    let _raw = terminal.as_ref().and_then(|_| RawMode::enter());
    if let Some(master) = &terminal {
        take_on_size(master);
    }
    relay(pidfd, &signals, terminal.as_ref())?;
    let exit = sys::process::wait(pidfd).context(|| "wait for the container's process")?;
    Ok(exit.status() as u8)
}

/// A terminal that cannot be resized works all the same.
fn take_on_size(master: &OwnedFd) {
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdin()) {
        let _ = sys::pty::resize(master, size.ws_row, size.ws_col);
    }
}

/// The caller's terminal hands on every key until this is dropped.
struct RawMode(Termios);

impl RawMode {
    fn enter() -> Option<RawMode> {
        let stdin = std::io::stdin();
        let before = rustix::termios::tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(RawMode(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing is left to do about a terminal that is gone.
        let _ = rustix::termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Hands signals on and copies both ways, until the process has ended and its side of the terminal is drained.
fn relay(pidfd: BorrowedFd<'_>, signals: &OwnedFd, mut terminal: Option<&OwnedFd>) -> Result<()> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let mut input_open = true;
    loop {
        let input = terminal.filter(|_| input_open).map(|_| stdin.as_fd());
        let sources = [Some(pidfd), Some(signals.as_fd()), terminal.map(OwnedFd::as_fd), input];
        let [ended, signalled, from_container, from_caller] = wait_for_any(sources)?;
        if signalled {
            hand_on(signals, pidfd, terminal)?;
        }
        match terminal {
            Some(master) if from_container => {
                terminal = copy(master.as_fd(), stdout.as_fd()).then_some(master);
            }
            _ if ended => return Ok(()),
            Some(master) if from_caller => input_open = copy(stdin.as_fd(), master.as_fd()),
            _ => {}
        }
    }
}

/// Which of the sources have something to say, or are at their end.
fn wait_for_any<const N: usize>(sources: [Option<BorrowedFd<'_>>; N]) -> Result<[bool; N]> {
    let present = sources.iter().flatten();
    let mut fds: Vec<PollFd<'_>> =
        present.map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None)).context(|| "poll")?;
    let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
    Ok(sources.map(|source| source.is_some() && ready.next() == Some(true)))
}

fn hand_on(signals: &OwnedFd, pidfd: BorrowedFd<'_>, terminal: Option<&OwnedFd>) -> Result<()> {
    while let Some(signal) = sys::signalfd::next(signals.as_fd()).context(|| "signalfd")? {
        match terminal {
            Some(master) if signal == libc::SIGWINCH => take_on_size(master),
            // It may just have ended.
            _ => drop(sys::signal::send(pidfd, signal)),
        }
    }
    Ok(())
}

/// Copies what is there; false at the end of either side.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut buffer = [0; 4096];
    let Ok(length @ 1..) = rustix::io::read(from, &mut buffer) else { return false };
    let mut rest = &buffer[..length];
    while !rest.is_empty() {
        match rustix::io::write(to, rest) {
            Ok(written) => rest = &rest[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}
