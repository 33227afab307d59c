//! Where a protected program begins, ahead of the C library.
//!
//! The start of a static program takes half a millisecond on a virtual machine: the C library asks the processor
//! about its caches some eighty times, and every CPUID traps. A program that goes on from a protected copy
//! of itself ([`ensure_protected`](super::ensure_protected)) would pay for that twice, unless it does so before
//! the library starts. This is a short cut only: where a step fails, the program starts as it is, and
//! `ensure_protected` decides.
//!
//! Nothing of Rust works yet (no thread-local storage, no relocated addresses), hence assembly: four system
//! calls and a jump. The program that wants it names [`gantry_protected_entry`] as its entry to the linker.

use std::arch::naked_asm;
use std::mem::{offset_of, size_of};

const RDONLY: u64 = super::mount::RDONLY;
/// Left open for [`inherited_mount`](super::inherited_mount): its end would be waited for here.
const CLONE: u32 = rustix::mount::OpenTreeFlags::OPEN_TREE_CLONE.bits();

/// `/proc/self/exe` and, at its end, an empty string.
static PROGRAM: [u8; 15] = *b"/proc/self/exe\0";
/// `struct mount_attr`: sets read-only, clears nothing.
static READ_ONLY: [u64; 4] = [RDONLY, 0, 0, 0];

/// Goes on from a detached read-only mount of the program, unless it is on a read-only one already, and then
/// to where programs begin.
///
/// # Safety
/// Only the kernel may enter here, with the arguments and the environment on the stack.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gantry_protected_entry() -> ! {
    // The stack holds argc, the arguments, null, the environment. What `_start` is owed, rsp and
    // rdx, is kept in r12 and r13, which system calls leave alone.
    naked_asm!(
        "mov r12, rsp",
        "mov r13, rdx",
        // statfs(program, a buffer on the stack)
        "sub rsp, {statfs_size}",
        "lea rdi, [rip + {program}]",
        "mov rsi, rsp",
        "mov eax, {statfs}",
        "syscall",
        "test rax, rax",
        "jnz 2f",
        "test qword ptr [rsp + {flags}], {rdonly}",
        "jnz 2f",
        // open_tree(AT_FDCWD, program, CLONE)
        "mov edi, {cwd}",
        "lea rsi, [rip + {program}]",
        "mov edx, {clone}",
        "mov eax, {open_tree}",
        "syscall",
        "test rax, rax",
        "js 2f",
        "mov ebx, eax",
        // mount_setattr(mount, "", AT_EMPTY_PATH, read-only)
        "mov edi, ebx",
        "lea rsi, [rip + {program} + {program_end}]",
        "mov edx, {empty_path}",
        "lea r10, [rip + {read_only}]",
        "mov r8d, {read_only_size}",
        "mov eax, {mount_setattr}",
        "syscall",
        "test rax, rax",
        "jnz 2f",
        // execveat(mount, "", arguments, environment, AT_EMPTY_PATH)
        "mov edi, ebx",
        "lea rsi, [rip + {program} + {program_end}]",
        "lea rdx, [r12 + 8]",
        "mov rax, [r12]",
        "lea r10, [r12 + 8 * rax + 16]",
        "mov r8d, {empty_path}",
        "mov eax, {execveat}",
        "syscall",
        "2:",
        "mov rsp, r12",
        "mov rdx, r13",
        "jmp _start",
        program = sym PROGRAM,
        program_end = const size_of::<[u8; 15]>() - 1,
        read_only = sym READ_ONLY,
        read_only_size = const size_of::<[u64; 4]>(),
        statfs_size = const (size_of::<libc::statfs>() + 15) & !15,
        // The first of what the C library calls spare.
        flags = const offset_of!(libc::statfs, f_frsize) + size_of::<u64>(),
        rdonly = const RDONLY,
        cwd = const libc::AT_FDCWD,
        clone = const CLONE,
        empty_path = const libc::AT_EMPTY_PATH,
        statfs = const libc::SYS_statfs,
        open_tree = const libc::SYS_open_tree,
        mount_setattr = const libc::SYS_mount_setattr,
        execveat = const libc::SYS_execveat,
    )
}
