//! Attending a process in the foreground: its signals, its terminal, its end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::termios::{OptionalActions, Termios};

use crate::error::{Context, Result};

/// Waits for a child's end, and returns its status. With a terminal, this process's own is joined to it.
pub(super) fn attend(pidfd: BorrowedFd<'_>, terminal: Option<OwnedFd>) -> Result<u8> {
    if let Some(master) = terminal {
        let _raw = RawMode::enter();
        if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdin()) {
            // A terminal that cannot be resized works all the same.
            let _ = sys::pty::resize(&master, size.ws_row, size.ws_col);
        }
        relay(pidfd, &master)?;
    }
    let exit = sys::process::wait(pidfd).context(|| "wait for the container's process")?;
    Ok(exit.status() as u8)
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

/// Copies both ways until the container's side of the terminal is closed.
fn relay(pidfd: BorrowedFd<'_>, master: &OwnedFd) -> Result<()> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let mut input_open = true;
    loop {
        let input = if input_open { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [
            PollFd::new(master, PollFlags::IN),
            PollFd::from_borrowed_fd(pidfd, PollFlags::IN),
            PollFd::new(&stdin, input),
        ];
        match rustix::event::poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            result => result.context(|| "poll")?,
        };
        let [from_container, ended, from_caller] = fds.map(|fd| !fd.revents().is_empty());
        if from_container && !copy(master.as_fd(), stdout.as_fd()) {
            return Ok(());
        }
        if ended && !from_container {
            return Ok(());
        }
        if input_open && from_caller {
            input_open = copy(stdin.as_fd(), master.as_fd());
        }
    }
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
