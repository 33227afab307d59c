//! The one process that carries what the kernel does not lead to containers: over IPv6 to those without it, and, for the
//! engine of an ordinary user or where the table is not to lead to ports, from the host's ports. Started with the first port that needs it, found again by the next
//! engine through its control socket, ended with the engine's network.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use network::publish::{HostThread, Mapping, NotOpened, Outside, Protocol, Target};
use runtime::proxy::{self, Answer, Hello, Ports, Request, VERSION};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_ipv6_v6only, set_socket_timeout};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::rootless::Host;
use crate::runtime_binary::RuntimeBinary;

/// What does not answer in this time is none; opening all ports that there are takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Proxy {
    /// Its control socket.
    socket: PathBuf,
    table: String,
    runtime: Arc<RuntimeBinary>,
    /// None where it serves no ports of the host's.
    host: Option<Host>,
    /// One engine starts one, whoever asks first.
    turn: Mutex<()>,
}

/// Whether it has a part in that.
pub fn is_needed(mappings: &[Mapping]) -> bool {
    let needs = |mapping: &Mapping| mapping.ip.is_ipv6() && mapping.protocol != Protocol::Sctp;
    mappings.iter().any(needs)
}

impl Proxy {
    pub fn new(
        exec_root: &std::path::Path,
        table: String,
        runtime: Arc<RuntimeBinary>,
        host: Option<Host>,
    ) -> Self {
        let socket = exec_root.join("proxy/control.sock");
        Self { socket, table, runtime, host, turn: Mutex::default() }
    }

    /// Whether it serves the host's ports.
    pub fn serves_host(&self) -> bool {
        self.host.is_some()
    }

    /// Where redirected connections go; starts it if it does not run. To be called within the asynchronous runtime, on a
    /// thread that may block.
    pub fn port(&self) -> io::Result<u16> {
        let _turn = self.turn();
        match self.greet() {
            Ok((_, hello)) if hello.version == VERSION => Ok(hello.port),
            // That of another version of the engine.
            Ok((connection, _)) => {
                let _ = send(&connection, Request::End);
                self.start()
            }
            Err(_) => self.start(),
        }
    }

    /// Where redirected connections go to one that runs; an error where there is none of this version.
    pub fn running(&self) -> io::Result<u16> {
        let _turn = self.turn();
        let (_, hello) = self.greet()?;
        if hello.version == VERSION { Ok(hello.port) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Ends it, if it runs.
    pub fn end(&self) {
        if let Ok((connection, _)) = self.greet() {
            // It fails where it has just ended.
            let _ = send(&connection, Request::End);
        }
        // It is not there where there was no proxy.
        let _ = std::fs::remove_file(&self.socket);
    }

    /// Has it serve these ports of the host's and no others: what has ended without an engine goes, and what a proxy that
    /// was killed has lost is there again.
    pub fn recover<'a>(&self, ports: impl Iterator<Item = (Target, &'a Mapping)>) {
        if !self.serves_host() {
            return;
        }
        for (target, mapping) in ports {
            if let Err(NotOpened { port, errno }) = self.open(mapping, target) {
                tracing::warn!("port {port} is not published any more: {errno}");
            }
        }
        // There is none where nothing is published.
        if let Ok((connection, _)) = self.greet() {
            let _ = ask(&connection, Request::Sweep);
        }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn greet(&self) -> io::Result<(OwnedFd, Hello)> {
        let connection = sys::socket::connect(&self.socket)?;
        set_socket_timeout(&connection, Timeout::Recv, Some(PATIENCE))?;
        let hello = receive(&connection)?;
        Ok((connection, hello))
    }

    /// It has its sockets from us: whoever connects before it runs is served when it does.
    fn start(&self) -> io::Result<u16> {
        let Arrivals { clients, datagrams, port } = Arrivals::open()?;
        match std::fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Some(directory) = self.socket.parent() {
            // Nobody else connects: others may pass through the exec root, but not through this.
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let control = sys::socket::listen(&self.socket)?;
        let mut command = tokio::process::Command::from(self.runtime.command());
        command.arg("proxy").arg(&self.socket).arg(&self.table).env_clear();
        command.args(self.host.as_ref().map(|host| &host.containers));
        command.stdin(clients).stdout(control).stderr(datagrams);
        let runtime = tokio::runtime::Handle::current();
        let mut spawn = move || {
            let _in_it = runtime.enter();
            command.spawn()
        };
        let mut child = match &self.host {
            // Where its ports are to be.
            Some(host) => host.thread.run(spawn)??,
            None => spawn()?,
        };
        // Only so that it leaves no zombie.
        tokio::spawn(async move { child.wait().await });
        Ok(port)
    }

    fn request(&self, request: Request) -> io::Result<Answer> {
        let (connection, _) = self.greet()?;
        ask(&connection, request)
    }
}

impl Outside for Proxy {
    fn open(&self, mapping: &Mapping, target: Target) -> Result<(), NotOpened> {
        let failed = NotOpened { port: mapping.host.first, errno: Errno::OPNOTSUPP };
        let (ports, target) = ports(mapping).zip(target.behind(mapping)).ok_or(failed)?;
        match self.request(Request::Open { ports, target }) {
            Ok(Answer::Done) => Ok(()),
            Ok(Answer::Refused { port, errno }) => {
                Err(NotOpened { port, errno: Errno::from_raw_os_error(errno) })
            }
            Err(error) => {
                tracing::warn!("the proxy of published ports does not answer: {error}");
                Err(NotOpened { errno: Errno::CONNREFUSED, ..failed })
            }
        }
    }

    fn close(&self, mapping: &Mapping) {
        if let Some(ports) = ports(mapping)
            && let Err(error) = self.request(Request::Close(ports))
        {
            tracing::warn!("the proxy of published ports does not answer: {error}");
        }
    }

    fn thread(&self) -> &HostThread {
        &self.host.as_ref().expect("only where it serves the host's ports").thread
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("socket", &self.socket).finish_non_exhaustive()
    }
}

fn ports(mapping: &Mapping) -> Option<Ports> {
    let protocol = match mapping.protocol {
        Protocol::Tcp => proxy::Protocol::Tcp,
        Protocol::Udp => proxy::Protocol::Udp,
        Protocol::Sctp => return None,
    };
    Some(Ports { protocol, ip: mapping.ip, first: mapping.host.first, last: mapping.host.last })
}

fn ask(connection: &OwnedFd, request: Request) -> io::Result<Answer> {
    send(connection, request)?;
    receive(connection)
}

fn send(connection: &OwnedFd, request: Request) -> io::Result<usize> {
    Ok(net::send(connection, &serde_json::to_vec(&request)?, SendFlags::NOSIGNAL)?)
}

fn receive<T: serde::de::DeserializeOwned>(connection: &OwnedFd) -> io::Result<T> {
    let mut packet = [0; 256];
    let (len, _) = net::recv(connection, &mut packet[..], RecvFlags::empty())?;
    Ok(serde_json::from_slice(&packet[..len.min(packet.len())])?)
}

/// Sockets of both protocols on the same port of all IPv6 addresses, for what the table redirects.
struct Arrivals {
    clients: OwnedFd,
    datagrams: OwnedFd,
    port: u16,
}

impl Arrivals {
    fn open() -> io::Result<Self> {
        const TRIES: u32 = 100;
        let mut tries = 0;
        loop {
            let (clients, port) = bind(SocketType::STREAM, 0)?;
            tries += 1;
            match bind(SocketType::DGRAM, port) {
                // What is free for one protocol need not be for the other.
                Err(Errno::ADDRINUSE) if tries < TRIES => {}
                bound => {
                    let (datagrams, _) = bound?;
                    net::listen(clients.as_fd(), 1024)?;
                    return Ok(Self { clients, datagrams, port });
                }
            }
        }
    }
}

fn bind(kind: SocketType, port: u16) -> Result<(OwnedFd, u16), Errno> {
    let socket = net::socket_with(AddressFamily::INET6, kind, SocketFlags::CLOEXEC, None)?;
    set_ipv6_v6only(&socket, true)?;
    net::bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))?;
    let port = SocketAddr::try_from(net::getsockname(&socket)?)?.port();
    Ok((socket, port))
}
