//! The one process that carries connections over IPv6 to containers without it: started with the first port that needs
//! it, found again by the next engine through its control socket, ended with the engine's network.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use network::publish::{Mapping, Protocol};
use runtime::proxy::{END, Hello};
use rustix::net::sockopt::{Timeout, set_ipv6_v6only, set_socket_timeout};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::runtime_binary::RuntimeBinary;

/// What does not answer in this time is none.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Proxy {
    /// Its control socket.
    socket: PathBuf,
    table: String,
    /// One engine starts one, whoever asks first.
    turn: Mutex<()>,
}

/// Whether it has a part in that.
pub fn is_needed(mappings: &[Mapping]) -> bool {
    let needs = |mapping: &Mapping| mapping.ip.is_ipv6() && mapping.protocol == Protocol::Tcp;
    mappings.iter().any(needs)
}

impl Proxy {
    pub fn new(exec_root: &std::path::Path, table: String) -> Self {
        Self { socket: exec_root.join("proxy/control.sock"), table, turn: Mutex::default() }
    }

    /// Where it listens; starts it if it does not run. To be called within the asynchronous runtime, on a thread that may
    /// block.
    pub fn port(&self, runtime: &RuntimeBinary) -> io::Result<u16> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.greet() {
            Ok((_, hello)) => Ok(hello.port),
            Err(_) => self.start(runtime),
        }
    }

    /// Ends it, if it runs.
    pub fn end(&self) {
        if let Ok((connection, _)) = self.greet() {
            // It fails where it has just ended.
            let _ = net::send(&connection, END, SendFlags::NOSIGNAL);
        }
        // It is not there where there was no proxy.
        let _ = std::fs::remove_file(&self.socket);
    }

    fn greet(&self) -> io::Result<(OwnedFd, Hello)> {
        let connection = sys::socket::connect(&self.socket)?;
        set_socket_timeout(&connection, Timeout::Recv, Some(PATIENCE))?;
        let mut packet = [0; 256];
        let (len, _) = net::recv(&connection, &mut packet[..], RecvFlags::empty())?;
        Ok((connection, serde_json::from_slice(&packet[..len])?))
    }

    /// It has its sockets from us: whoever connects before it runs is served when it does.
    fn start(&self, runtime: &RuntimeBinary) -> io::Result<u16> {
        let (clients, port) = listen()?;
        match std::fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Some(directory) = self.socket.parent() {
            // Nobody else connects: others may pass through the exec root, but not through this.
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let control = sys::socket::listen(&self.socket)?;
        let mut command = tokio::process::Command::from(runtime.command());
        command.arg("proxy").arg(&self.socket).arg(&self.table).env_clear();
        command.stdin(clients).stdout(control).stderr(Stdio::null());
        let mut child = command.spawn()?;
        // Only so that it leaves no zombie.
        tokio::spawn(async move { child.wait().await });
        Ok(port)
    }
}

fn listen() -> io::Result<(OwnedFd, u16)> {
    let flags = SocketFlags::CLOEXEC;
    let socket = net::socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None)?;
    set_ipv6_v6only(&socket, true)?;
    net::bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))?;
    net::listen(socket.as_fd(), 1024)?;
    match SocketAddr::try_from(net::getsockname(&socket)?) {
        Ok(address) => Ok((socket, address.port())),
        Err(errno) => Err(errno.into()),
    }
}
