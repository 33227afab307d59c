//! Makes the process one that belongs to nobody: own session, no directory, no descriptors but its
//! own, and every orphan of the container its child.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::process::{Pid, chdir, setsid};

use super::adopt::{Identity, Init};
use super::files::{Errors, write_atomically};
use super::poll::{Poller, Source, Token};
use super::protocol::short_address;

/// Signals that would end us; a container is ended by its engine or by itself. SIGCHLD wakes us.
const TAKEN: [i32; 5] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// Leaves where we came from. Returns the connection to the engine that was fd 0.
pub(super) fn detach(errors: &Errors) -> io::Result<OwnedFd> {
    sys::allocator::keep_little();
    // It fails where we lead a session already.
    let _ = setsid();
    chdir("/")?;
    sys::process::close_from(3)?;
    let engine = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(errors.open()?)?;
    drop(null);
    rustix::process::set_child_subreaper(Some(Pid::INIT))?;
    Ok(engine)
}

/// Where signals arrive.
pub(super) fn signals(poller: &Poller) -> io::Result<Source> {
    watch(poller, sys::signalfd::open(&TAKEN)?, Token::Signals)
}

/// `monitor.sock`, for the engines to come.
pub(super) fn listen(poller: &Poller, directory: &Path) -> io::Result<Source> {
    let path = directory.join("monitor.sock");
    let (_directory, address) = short_address(&path)?;
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK,
        None,
    )?;
    // The socket file is born with these permissions: there is no moment at which others may connect.
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = rustix::net::bind(&socket, &address);
    rustix::process::umask(mask);
    bound?;
    rustix::net::listen(&socket, 16)?;
    watch(poller, socket, Token::Listener)
}

fn watch(poller: &Poller, fd: OwnedFd, token: Token) -> io::Result<Source> {
    let mut source = Source::new(poller, fd, token);
    source.watch(Some(rustix::event::epoll::EventFlags::IN))?;
    Ok(source)
}

/// Writes `monitor.pid`.
pub(super) fn identify(directory: &Path, init: Option<Init>) -> io::Result<()> {
    write_atomically(&directory.join("monitor.pid"), &Identity::of_self(init)?)
}

/// Takes the signals that arrived.
pub(super) fn take_signals(signals: &Source) -> io::Result<()> {
    while sys::signalfd::next(signals.as_fd())?.is_some() {}
    Ok(())
}
