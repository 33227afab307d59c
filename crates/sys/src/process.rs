//! Processes: clone3 with a pidfd, exec, waiting by pidfd, and the attributes an exec keeps.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::check;

/// What a child is to be made with.
#[derive(Default)]
pub struct Clone3<'a> {
    /// `CLONE_NEW*` and `CLONE_PARENT`.
    pub flags: u64,
    /// Directory of the cgroup (v2) the child is born in.
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// What the kernel calls its present run.
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Both sides of a [`fork`].
pub enum Fork {
    Parent(Child),
    Child,
}

/// A process made here.
#[derive(Debug)]
pub struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Copies the calling process like `fork(2)`, with a pidfd, new namespaces and a cgroup.
///
/// Refused with `EBUSY` where the process has ever had a second thread: the child could then
/// inherit a lock that nobody will release.
pub fn fork(options: Clone3<'_>) -> io::Result<Fork> {
    if !is_single_threaded() {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    let mut pidfd: RawFd = -1;
    let parent_reaps = options.flags & libc::CLONE_PARENT as u64 == 0;
    // SAFETY: clone_args is a plain C structure, for which all zeros is the documented default.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = options.flags | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    // With CLONE_PARENT the kernel takes the caller's own exit signal.
    args.exit_signal = if parent_reaps { libc::SIGCHLD as u64 } else { 0 };
    if let Some(cgroup) = options.cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child gets a copy of the memory, and with one thread no lock is
    // held by anybody else, so both sides may go on running arbitrary code. `args` and `pidfd`
    // outlive the call.
    let cloned = check(unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut args, std::mem::size_of::<libc::clone_args>())
    });
    let pid = match cloned {
        // Docker's seccomp profile answers so, since it cannot look into the structure.
        Err(e) if e.raw_os_error() == Some(libc::ENOSYS) && options.cgroup.is_none() => {
            clone(args.flags | args.exit_signal, &mut pidfd)?
        }
        cloned => cloned?,
    };
    if pid == 0 {
        return Ok(Fork::Child);
    }
    // SAFETY: CLONE_PIDFD made the kernel store a new descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Fork::Parent(Child { pid: pid as i32, pidfd }))
}

/// The older call, for namespaces of the first 32 flags.
fn clone(flags: u64, pidfd: &mut RawFd) -> io::Result<libc::c_long> {
    let no_stack = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: as for clone3; a null stack goes on with a copy of the caller's, and with CLONE_PIDFD
    // the kernel stores the descriptor where the third argument points.
    check(unsafe { libc::syscall(libc::SYS_clone, flags, no_stack, &raw mut *pidfd, 0, 0) })
}

/// Whether no second thread has ever been started here.
pub(crate) fn is_single_threaded() -> bool {
    unsafe extern "C" {
        static __libc_single_threaded: libc::c_char;
    }
    // SAFETY: glibc's variable of this name is a byte that is only written by thread creation; a
    // racing write would itself mean that the answer is "no", which is read next time at the latest.
    unsafe { std::ptr::read_volatile(&raw const __libc_single_threaded) != 0 }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    /// The shell's convention: 128 and the signal's number.
    pub fn status(self) -> i32 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        }
    }
}

/// Waits for a child by its pidfd and reaps it.
pub fn wait(pidfd: impl AsFd) -> io::Result<Exit> {
    match wait_with(pidfd.as_fd(), 0)? {
        Some(exit) => Ok(exit),
        None => Err(io::Error::other("waitid returned without a state change")),
    }
}

/// Reaps a child by its pidfd if it has ended.
pub fn try_wait(pidfd: impl AsFd) -> io::Result<Option<Exit>> {
    wait_with(pidfd.as_fd(), libc::WNOHANG)
}

/// Reaps any one child that has ended.
pub fn reap_any() -> io::Result<Option<(i32, Exit)>> {
    match waitid(libc::P_ALL, 0, libc::WNOHANG) {
        Err(e) if e.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        result => result,
    }
}

fn wait_with(pidfd: BorrowedFd<'_>, options: i32) -> io::Result<Option<Exit>> {
    let ended = waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, options)?;
    Ok(ended.map(|(_, exit)| exit))
}

fn waitid(kind: libc::idtype_t, id: libc::id_t, options: i32) -> io::Result<Option<(i32, Exit)>> {
    loop {
        // SAFETY: siginfo_t is a plain C structure that waitid only writes to.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` outlives the call.
        let result = unsafe { libc::waitid(kind, id, &raw mut info, libc::WEXITED | options) };
        if result == -1 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        // SAFETY: waitid succeeded, so these members of the union are set (zero with WNOHANG).
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        if pid == 0 {
            return Ok(None);
        }
        let exited = info.si_code == libc::CLD_EXITED;
        return Ok(Some((pid, if exited { Exit::Code(status) } else { Exit::Signal(status) })));
    }
}

/// Replaces the program; returns only on failure.
pub fn exec(path: &CStr, args: &[CString], env: &[CString]) -> io::Error {
    let args = pointers(args);
    let env = pointers(env);
    // SAFETY: both arrays end with a null pointer and, like the strings, outlive the call.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Replaces the program by the one behind a descriptor; returns only on failure.
pub fn exec_fd(program: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> io::Error {
    let args = pointers(args);
    let env = pointers(env);
    // SAFETY: as for `exec`; the path is the empty string.
    unsafe {
        libc::execveat(
            program.as_raw_fd(),
            c"".as_ptr(),
            args.as_ptr().cast(),
            env.as_ptr().cast(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Ends this process at once: no destructors, no exit handlers. For children of [`fork`].
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(status) }
}

/// Marks every descriptor from `first` on close-on-exec.
pub fn cloexec_from(first: u32) -> io::Result<()> {
    // SAFETY: only sets a flag; every descriptor stays valid until exec.
    check(unsafe {
        libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
    })
    .map(drop)
}

/// Closes every descriptor from `first` on: for a program that was started with more than it should
/// have, before it has opened anything itself.
pub fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: at the start of a program nobody owns a descriptor yet; that it is called then is this
    // function's contract.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) }).map(drop)
}

/// Makes `target` a copy of `source`, inherited by exec.
///
/// For a process about to exec: what was at `target` is closed, whoever owned it.
pub fn dup_to(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    if source.as_raw_fd() == target {
        // SAFETY: clears a flag of a descriptor that is open as long as `source` is borrowed.
        return check(unsafe { libc::fcntl(target, libc::F_SETFD, 0) } as i64).map(drop);
    }
    // SAFETY: dup3 works on numbers; that `target` is replaced is this function's contract.
    check(unsafe { libc::dup3(source.as_raw_fd(), target, 0) } as i64).map(drop)
}

/// Takes over a descriptor that was inherited under a well-known number; `None` where it is not open.
pub fn inherited_fd(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_GETFD only asks whether the number is open.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } == -1 {
        return None;
    }
    // SAFETY: the number is open, and the caller names it as inherited, so nobody else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sets the execution domain (`personality(2)`).
pub fn set_personality(persona: u64) -> io::Result<()> {
    // SAFETY: changes an attribute of the calling process only.
    check(unsafe { libc::personality(persona) } as i64).map(drop)
}

/// Sets the I/O class and priority of the calling process (`ioprio_set(2)`).
pub fn set_io_priority(class: u8, priority: u16) -> io::Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    let value = i32::from(class) << 13 | i32::from(priority);
    // SAFETY: passes numbers only.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) }).map(drop)
}

/// The arguments of `sched_setattr(2)`, in its units (nanoseconds).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedAttr {
    pub size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

/// Sets the scheduling policy of the calling process.
pub fn set_scheduler(mut attr: SchedAttr) -> io::Result<()> {
    attr.size = std::mem::size_of::<SchedAttr>() as u32;
    // SAFETY: `attr` is the kernel's structure of the size it states, and outlives the call.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_not_forked() {
        // The test harness has threads.
        std::thread::spawn(|| ()).join().unwrap();
        let error = fork(Clone3::default()).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
    }

    #[test]
    fn signals_are_reported_as_the_shell_does() {
        assert_eq!(Exit::Signal(9).status(), 137);
        assert_eq!(Exit::Code(3).status(), 3);
    }
}
