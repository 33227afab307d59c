//! Signals: names, sending without a race on the pid, and a clean slate before an exec.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::check;

/// By number, from 1, as on x86-64 and arm64.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// The first real-time signal that the C libraries leave to programs.
const REALTIME_MIN: i32 = 34;
const REALTIME_MAX: i32 = 64;

/// Reads `9`, `KILL`, `SIGKILL`, `RTMIN+3` or `SIGRTMAX-1`, in either case.
pub fn parse(text: &str) -> Option<i32> {
    match text.parse() {
        Ok(number) => exists(number).then_some(number),
        Err(_) => by_name(text),
    }
}

/// True for a number that the kernel knows.
pub fn exists(signal: i32) -> bool {
    (1..=REALTIME_MAX).contains(&signal)
}

/// As [`parse`], but for names only.
pub fn by_name(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        return Some(index as i32 + 1);
    }
    match name {
        "IOT" => Some(libc::SIGABRT),
        "CLD" => Some(libc::SIGCHLD),
        "POLL" => Some(libc::SIGIO),
        _ => parse_realtime(name),
    }
}

fn parse_realtime(name: &str) -> Option<i32> {
    let (base, offset) = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => {
            (REALTIME_MIN, rest.strip_prefix('+').or(rest.is_empty().then_some("0"))?)
        }
        (_, Some(rest)) => {
            let offset = rest.strip_prefix('-').or(rest.is_empty().then_some("0"))?;
            let signal = REALTIME_MAX.checked_sub(offset.parse().ok()?)?;
            return (REALTIME_MIN..=REALTIME_MAX).contains(&signal).then_some(signal);
        }
        _ => return None,
    };
    let signal = offset.parse::<i32>().ok()?.checked_add(base)?;
    (REALTIME_MIN..=REALTIME_MAX).contains(&signal).then_some(signal)
}

/// Sends a signal to the process behind a pidfd; zero only asks whether it exists.
pub fn send(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed and stands for that of kill(2).
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, 0) })
        .map(drop)
}

/// Sends a signal to every process of a group. The caller vouches for the number: its leader is a child that was not
/// waited for yet.
pub fn send_to_group(leader: i32, signal: i32) -> io::Result<()> {
    if leader <= 1 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: kill takes no pointers; the number is above 1, so that its negative names one group.
    check(i64::from(unsafe { libc::kill(-leader, signal) })).map(drop)
}

pub const CHILD: i32 = libc::SIGCHLD;

/// The terminal's answer to a process in the background that reads or writes: meant for that process alone.
pub fn is_terminal_stop(signal: i32) -> bool {
    matches!(signal, libc::SIGTTIN | libc::SIGTTOU)
}

/// Blocks every signal that can be blocked, less those that report a fault in this very program.
pub fn block_all() -> io::Result<()> {
    const FAULTS: [i32; 5] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];
    let mut set = full_set();
    for signal in FAULTS {
        // SAFETY: `set` is initialised, and the signal numbers are valid.
        unsafe { libc::sigdelset(&raw mut set, signal) };
    }
    // SAFETY: `set` is initialised and outlives the call.
    check(
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) }
            .into(),
    )
    .map(drop)
}

/// Waits for a blocked signal and takes it.
pub fn wait_any() -> io::Result<i32> {
    let set = full_set();
    loop {
        // SAFETY: `set` is initialised and outlives the call; the details of the signal are not asked for.
        match check(unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) }.into()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|signal| signal as i32),
        }
    }
}

fn full_set() -> libc::sigset_t {
    // SAFETY: sigset_t is a plain C structure, initialised by sigfillset before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

/// Sets every signal to its default and unblocks all, as a new program expects.
pub fn reset_all() {
    for signal in 1..=REALTIME_MAX {
        // By the raw call: the C library keeps two signals for itself and refuses to touch them.
        // SAFETY: the kernel's structure, all zeros, is SIG_DFL with no flags and an empty mask of 8
        // bytes; refusals (KILL, STOP) change nothing.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                [0_u64; 4].as_ptr(),
                std::ptr::null_mut::<u64>(),
                std::mem::size_of::<u64>(),
            )
        };
    }
    // SAFETY: sigset_t is a plain C structure, initialised by sigemptyset before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_by_number_and_name() {
        let cases =
            [("9", 9), ("KILL", 9), ("SIGTERM", 15), ("sigusr1", 10), ("SYS", 31), ("CLD", 17)];
        for (text, signal) in cases {
            assert_eq!(parse(text), Some(signal), "{text}");
        }
        assert_eq!(parse("RTMIN+3"), Some(37));
        assert_eq!(parse("SIGRTMAX-1"), Some(63));
        assert_eq!(parse("SIGRTMIN"), Some(34));
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for text in ["", "0", "65", "-1", "SIG", "NOPE", "RTMIN+31", "RTMAX-31", "RTMIN3"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
