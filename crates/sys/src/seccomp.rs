//! Classic BPF system call filters.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use crate::check;

/// `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    value: u32,
}

/// The kernel's BPF_MAXINSNS.
pub const MAX_INSTRUCTIONS: usize = 4096;

pub const FLAG_LOG: u32 = 1 << 1;
pub const FLAG_SPEC_ALLOW: u32 = 1 << 2;
pub const FLAG_NEW_LISTENER: u32 = 1 << 3;
pub const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

const SET_MODE_FILTER: libc::c_uint = 1;

impl Insn {
    pub const fn new(code: u16, jump_true: u8, jump_false: u8, value: u32) -> Self {
        Self { code, jump_true, jump_false, value }
    }

    pub fn to_bytes(self) -> [u8; 8] {
        let [c0, c1] = self.code.to_ne_bytes();
        let [v0, v1, v2, v3] = self.value.to_ne_bytes();
        [c0, c1, self.jump_true, self.jump_false, v0, v1, v2, v3]
    }

    pub fn from_bytes([c0, c1, jump_true, jump_false, v0, v1, v2, v3]: [u8; 8]) -> Self {
        let (code, value) = (u16::from_ne_bytes([c0, c1]), u32::from_ne_bytes([v0, v1, v2, v3]));
        Self { code, jump_true, jump_false, value }
    }
}

/// `seccomp(SECCOMP_SET_MODE_FILTER)` for the calling thread; the kernel verifies the program. Returns
/// a descriptor where `flags` asks for one.
pub fn install(program: &[Insn], flags: u32) -> io::Result<Option<OwnedFd>> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: `filter` points to `len` instructions laid out as sock_filter, which the kernel only
    // reads, during the call.
    let result = check(unsafe {
        libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const program)
    })?;
    if flags & FLAG_NEW_LISTENER == 0 {
        return Ok(None);
    }
    // SAFETY: with this flag success returns a new descriptor that nobody else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(result as i32) }))
}
