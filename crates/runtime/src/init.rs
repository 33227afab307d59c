//! `docker-init -- PROGRAM ARGS...`: process 1 of a container run with `--init`. It starts the program as its
//! only child, passes signals on to it, reaps whatever is orphaned, and ends as the program ended.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use sys::process::{self, Child, Clone3, Fork};
use sys::signal;

/// Runs to the program's end and returns the exit status to end with.
pub fn run(program: &[OsString]) -> i32 {
    match start(program).and_then(|child| attend(&child)) {
        Ok(status) => status,
        Err(error) => {
            eprintln!(
                "init: {}: {error}",
                program.first().map_or(OsStr::new(""), |name| name).display()
            );
            status_of(&error)
        }
    }
}

/// All signals are blocked before the child exists, so that none is lost between its start and the first wait.
fn start(program: &[OsString]) -> io::Result<Child> {
    signal::block_all()?;
    match process::fork(Clone3::default())? {
        Fork::Parent(child) => Ok(child),
        Fork::Child => {
            let error = become_program(program);
            eprintln!(
                "init: {}: {error}",
                program.first().map_or(OsStr::new(""), |name| name).display()
            );
            process::exit_now(status_of(&error))
        }
    }
}

/// In a process group of its own, in the foreground of the terminal where there is one: keys that send signals reach the
/// program, not process 1.
fn become_program(program: &[OsString]) -> io::Error {
    let own_group = || -> io::Result<()> {
        rustix::process::setpgid(None, None)?;
        match rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpid()) {
            Ok(())
            | Err(rustix::io::Errno::NOTTY | rustix::io::Errno::NXIO | rustix::io::Errno::BADF) => {
                Ok(())
            }
            Err(errno) => Err(errno.into()),
        }
    };
    if let Err(error) = own_group() {
        return error;
    }
    signal::reset_all();
    exec(program)
}

fn exec(program: &[OsString]) -> io::Error {
    let Some(name) = program.first() else { return io::ErrorKind::InvalidInput.into() };
    let strings = |words: Vec<OsString>| -> Result<Vec<CString>, _> {
        words.into_iter().map(|word| CString::new(word.into_vec())).collect()
    };
    let environment =
        std::env::vars_os().map(|(key, value)| [key, value].join(OsStr::new("="))).collect();
    let (Ok(args), Ok(environment)) = (strings(program.to_vec()), strings(environment)) else {
        return io::ErrorKind::InvalidInput.into();
    };
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    for path in candidates(name) {
        let Ok(path) = CString::new(path.into_vec()) else { continue };
        let failed = process::exec(&path, &args, &environment);
        // A file that is there but refuses says more than the absence of the next one.
        if failed.kind() != io::ErrorKind::NotFound {
            error = failed;
        }
    }
    error
}

fn candidates(name: &OsStr) -> Vec<OsString> {
    if name.as_bytes().contains(&b'/') {
        return vec![name.to_owned()];
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|dir| dir.join(name).into_os_string()).collect()
}

fn attend(child: &Child) -> io::Result<i32> {
    loop {
        let signal = signal::wait_any()?;
        if signal == signal::CHILD {
            if let Some(status) = reap(child.pid)? {
                return Ok(status);
            }
        } else if !signal::is_terminal_stop(signal) {
            // The child may just have ended: then its end is the next signal.
            let _ = signal::send(std::os::fd::AsFd::as_fd(&child.pidfd), signal);
        }
    }
}

/// Reaps all that ended; the program's own end is the answer.
fn reap(program: i32) -> io::Result<Option<i32>> {
    let mut status = None;
    while let Some((pid, exit)) = process::reap_any()? {
        if pid == program {
            status = Some(exit.status());
        }
    }
    Ok(status)
}

/// As shells have it.
fn status_of(error: &io::Error) -> i32 {
    match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    }
}
