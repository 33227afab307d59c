//! The terminal on stdin and its size.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::{
    LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr,
};

/// Raw mode, until dropped.
pub(crate) struct RawMode {
    before: Termios,
}

impl RawMode {
    /// `None` where stdin is no terminal.
    pub(crate) fn enter() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// What is typed is not shown, until dropped.
pub(crate) struct Silent {
    before: Termios,
}

impl Silent {
    /// `None` where stdin is no terminal.
    pub(crate) fn stdin() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &silent).ok()?;
        Some(Self { before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Height and width of the terminal on stdout.
pub(crate) fn window_size() -> Option<(u16, u16)> {
    size_of(&io::stdout())
}

/// Height and width of a terminal; `None` for what is none, or does not know them.
pub(crate) fn size_of(stream: &impl AsFd) -> Option<(u16, u16)> {
    if !isatty(stream) {
        return None;
    }
    tcgetwinsize(stream).ok().map(|size| (size.ws_row, size.ws_col))
}
