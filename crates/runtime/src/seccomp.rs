//! Seccomp: from the OCI specification's rules to one classic BPF program.
//!
//! The program first branches on the architecture, then finds the call's number by binary search over
//! ranges of numbers that are treated alike, then compares arguments where rules do. Rules mean what they
//! mean to runc:
//!
//! - A rule without arguments decides alone; else the first rule whose arguments match; else the default.
//! - The arguments of one rule must all match, except that a rule which names one argument twice stands
//!   for as many rules as it has comparisons.
//! - A call newer than every call that the profile names returns ENOSYS, so that libc falls back to an
//!   older one; a profile whose default lets calls through is left alone.
//! - A call by an architecture that was not listed kills the thread.

mod agent;
mod arch;
mod assembler;
mod compile;
pub mod docker;
mod install;

pub(crate) use agent::Asking;
pub use agent::Filter;
pub use arch::Arch;
pub use compile::compile;
pub use install::InstallError;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("seccomp: unknown action {0:?}")]
    Action(String),
    #[error("seccomp: unknown architecture {0:?}")]
    Architecture(String),
    #[error("seccomp: unknown comparison {0:?}")]
    Comparison(String),
    #[error("seccomp: unknown flag {0:?}")]
    Flag(String),
    #[error("seccomp: argument {0} does not exist, a call has six")]
    ArgumentIndex(u32),
    #[error("seccomp: errno {0} is too big")]
    Errno(u32),
    #[error("seccomp: SCMP_ACT_NOTIFY cannot be {0}")]
    Notify(&'static str),
    #[error("seccomp: {0} instructions are more than the kernel takes")]
    TooLong(usize),
    #[error("seccomp: the profile is no valid document: {0}")]
    Profile(String),
}

/// A filter ready to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<sys::seccomp::Insn>,
    flags: u32,
}

impl Program {
    /// Whether installing it returns a descriptor for the notifications it makes.
    pub fn notifies(&self) -> bool {
        self.flags & sys::seccomp::FLAG_NEW_LISTENER != 0
    }

    /// The flags, then the instructions, in this machine's byte order: to be kept by digest of the
    /// rules, and read back on the same machine.
    pub fn to_bytes(&self) -> Vec<u8> {
        let instructions = self.instructions.iter().flat_map(|insn| insn.to_bytes());
        self.flags.to_ne_bytes().into_iter().chain(instructions).collect()
    }

    /// None where the bytes are no program.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (flags, rest) = bytes.split_first_chunk()?;
        let (instructions, []) = rest.as_chunks() else { return None };
        let instructions: Vec<_> =
            instructions.iter().copied().map(sys::seccomp::Insn::from_bytes).collect();
        let fits = (1..=sys::seccomp::MAX_INSTRUCTIONS).contains(&instructions.len());
        fits.then_some(Self { instructions, flags: u32::from_ne_bytes(*flags) })
    }
}

#[cfg(test)]
mod tests;
