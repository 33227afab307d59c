//! Putting a program in force.

use std::io;
use std::os::fd::OwnedFd;

use super::Program;

#[derive(Debug, thiserror::Error)]
#[error("seccomp: the kernel refused the filter: {0}")]
pub struct InstallError(#[from] pub io::Error);

impl Program {
    /// For the calling thread and what it executes, for good. Needs no_new_privs or CAP_SYS_ADMIN. The
    /// descriptor is there where [`Program::notifies`] says so.
    pub fn install(&self) -> Result<Option<OwnedFd>, InstallError> {
        Ok(sys::seccomp::install(&self.instructions, self.flags)?)
    }
}
