//! eBPF as far as cgroup device filters need it: the instructions, and loading and attaching them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// One instruction of `linux/bpf.h`, on 64-bit registers where it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    code: u8,
    /// Destination in the low nibble, source in the high one.
    registers: u8,
    offset: i16,
    immediate: i32,
}

// Classes, sources and operations are added up to a code.
const LDX: u8 = 0x01;
const ALU64: u8 = 0x07;
const JMP: u8 = 0x05;
const MEM: u8 = 0x60;
const FROM_REGISTER: u8 = 0x08;
const AND: u8 = 0x50;
const RSH: u8 = 0x70;
const MOV: u8 = 0xb0;
const JEQ: u8 = 0x10;
const JNE: u8 = 0x50;

impl Insn {
    pub const EXIT: Self = Self::new(JMP | 0x90, 0, 0, 0);

    /// `destination = *(u32 *)(source + offset)`
    pub const fn load32(destination: u8, source: u8, offset: i16) -> Self {
        Self { offset, ..Self::new(LDX | MEM, destination, source, 0) }
    }

    pub const fn mov(destination: u8, source: u8) -> Self {
        Self::new(ALU64 | MOV | FROM_REGISTER, destination, source, 0)
    }

    pub const fn set(destination: u8, value: i32) -> Self {
        Self::new(ALU64 | MOV, destination, 0, value)
    }

    pub const fn and(destination: u8, mask: i32) -> Self {
        Self::new(ALU64 | AND, destination, 0, mask)
    }

    pub const fn shift_right(destination: u8, bits: i32) -> Self {
        Self::new(ALU64 | RSH, destination, 0, bits)
    }

    /// How far it jumps is set by [`Insn::jump_over`].
    pub const fn jump_if_equal(register: u8, value: i32) -> Self {
        Self::new(JMP | JEQ, register, 0, value)
    }

    pub const fn jump_unless_equal(register: u8, value: i32) -> Self {
        Self::new(JMP | JNE, register, 0, value)
    }

    pub const fn is_jump(&self) -> bool {
        self.code & 0x07 == JMP && self.code != Self::EXIT.code
    }

    pub const fn jump_over(&mut self, instructions: i16) {
        self.offset = instructions;
    }

    pub fn to_bytes(self) -> [u8; 8] {
        let [o0, o1] = self.offset.to_ne_bytes();
        let [i0, i1, i2, i3] = self.immediate.to_ne_bytes();
        [self.code, self.registers, o0, o1, i0, i1, i2, i3]
    }

    const fn new(code: u8, destination: u8, source: u8, immediate: i32) -> Self {
        Self { code, registers: source << 4 | destination, offset: 0, immediate }
    }
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;

const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
/// Further programs may be attached; an access needs the consent of all.
const ALLOW_MULTI: u32 = 2;
/// The kernel attaches at most this many to one cgroup.
const MAX_ATTACHED: usize = 64;

#[repr(C)]
struct LoadAttr {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    licence: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
struct AttachAttr {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

#[repr(C)]
struct IdAttr {
    id: u32,
    next_id: u32,
    flags: u32,
}

#[repr(C)]
struct QueryAttr {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// `BPF_PROG_LOAD` of a device filter; the kernel verifies it.
pub fn load_device_program(program: &[Insn]) -> io::Result<OwnedFd> {
    let mut attr = LoadAttr {
        kind: PROG_TYPE_CGROUP_DEVICE,
        instruction_count: u32::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        instructions: program.as_ptr() as u64,
        licence: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: `instructions` points to `instruction_count` instructions and `licence` to a C string;
    // both outlive the call.
    let fd = unsafe { bpf(PROG_LOAD, &mut attr)? };
    // SAFETY: a successful BPF_PROG_LOAD returns a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `BPF_PROG_ATTACH` beside whatever is attached.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: &OwnedFd) -> io::Result<()> {
    attach_call(PROG_ATTACH, cgroup, program, ALLOW_MULTI)
}

/// `BPF_PROG_DETACH`.
pub fn detach_device_program(cgroup: BorrowedFd<'_>, program: &OwnedFd) -> io::Result<()> {
    attach_call(PROG_DETACH, cgroup, program, 0)
}

fn attach_call(
    command: libc::c_int,
    cgroup: BorrowedFd<'_>,
    program: &OwnedFd,
    flags: u32,
) -> io::Result<()> {
    let mut attr = AttachAttr {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_fd().as_raw_fd() as u32,
        kind: ATTACH_CGROUP_DEVICE,
        flags,
    };
    // SAFETY: the attribute holds no pointers.
    unsafe { bpf(command, &mut attr) }.map(drop)
}

/// `BPF_PROG_QUERY`: the device filters attached to this very cgroup.
pub fn attached_device_programs(cgroup: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut ids = [0_u32; MAX_ATTACHED];
    let mut attr = QueryAttr {
        target: cgroup.as_raw_fd() as u32,
        kind: ATTACH_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: MAX_ATTACHED as u32,
        padding: 0,
    };
    // SAFETY: `ids` has room for `count` ids and outlives the call.
    unsafe { bpf(PROG_QUERY, &mut attr)? };
    ids.iter().take(attr.count as usize).map(|id| program_by_id(*id)).collect()
}

fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attr = IdAttr { id, next_id: 0, flags: 0 };
    // SAFETY: the attribute holds no pointers.
    let fd = unsafe { bpf(PROG_GET_FD_BY_ID, &mut attr)? };
    // SAFETY: a successful BPF_PROG_GET_FD_BY_ID returns a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// # Safety
/// `attr` is the attribute structure of `command`, and its pointers are valid for the call.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: the caller's promise; the size is that of the structure, and the kernel takes shorter
    // structures than its own for zero in the rest.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}
