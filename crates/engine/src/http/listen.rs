//! The sockets that the engine serves.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, chown};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::AddressFamily;
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

use super::peer::Peer;
use super::{Server, tls};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::group;

/// For one who has too many connections.
const CROWDED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// Bound sockets. Connections wait in their queues until `serve`.
pub struct Listeners {
    unix: Vec<StdUnixListener>,
    tcp: Vec<StdTcpListener>,
    tls: Option<TlsAcceptor>,
    /// Removed at the end.
    paths: Vec<PathBuf>,
}

/// One `--host`.
#[derive(Debug, PartialEq)]
enum Host {
    Unix(PathBuf),
    Tcp(SocketAddr),
    /// Sockets that a service manager has bound.
    Inherited,
}

impl Listeners {
    /// Whether `bind` could be asked to, without doing it.
    ///
    /// # Errors
    /// An address or a certificate that cannot be used.
    pub fn check(config: &Config) -> Result<()> {
        let hosts = config.hosts.iter().map(|host| parse(host, config));
        let hosts = hosts.collect::<Result<Vec<_>>>()?;
        if config.tlsverify == Some(true) || hosts.iter().any(|host| matches!(host, Host::Tcp(_))) {
            tls::acceptor(config)?;
        }
        Ok(())
    }

    pub fn bind(config: &Config) -> Result<Self> {
        let mut listeners = Self { unix: vec![], tcp: vec![], tls: None, paths: vec![] };
        if config.hosts.is_empty() {
            listeners.bind_default(config)?;
        }
        for host in &config.hosts {
            match parse(host, config)? {
                Host::Unix(path) => listeners.bind_unix(&path, group_of(config)?)?,
                Host::Tcp(address) => listeners.tcp.push(
                    StdTcpListener::bind(address).map_err(|error| cannot_listen(host, error))?,
                ),
                Host::Inherited => listeners.inherit()?,
            }
        }
        if !listeners.tcp.is_empty() {
            listeners.tls = tls::acceptor(config)?;
        }
        Ok(listeners)
    }

    /// The engine's own socket; on the default roots also Docker's, unless another engine answers there.
    fn bind_default(&mut self, config: &Config) -> Result<()> {
        self.bind_unix(&config.exec_root.join("gantry.sock"), group_of(config)?)?;
        if config.exec_root != config.places.exec_root {
            return Ok(());
        }
        let docker = &config.places.docker_socket;
        if is_served(docker) {
            tracing::info!("{} belongs to another engine", docker.display());
            return Ok(());
        }
        let group = group::find("docker").unwrap_or(None);
        self.bind_unix(docker, group)
    }

    fn bind_unix(&mut self, path: &Path, group: Option<u32>) -> Result<()> {
        let fail = |error| cannot_listen(&format!("unix://{}", path.display()), error);
        if is_served(path) {
            return Err(Error::conflict(format!(
                "another engine already serves unix://{}",
                path.display()
            )));
        }
        remove_stale(path).map_err(fail)?;
        // Owner and group from the start, with no moment in which others could connect.
        let umask = rustix::process::umask(Mode::from_raw_mode(0o117));
        let bound = StdUnixListener::bind(path);
        rustix::process::umask(umask);
        let listener = bound.map_err(fail)?;
        chown(path, Some(0), Some(group.unwrap_or(0))).map_err(fail)?;
        self.unix.push(listener);
        self.paths.push(path.to_owned());
        Ok(())
    }

    fn inherit(&mut self) -> Result<()> {
        let fail = |error| cannot_listen("fd://", error);
        let mut fds = sd_notify::listen_fds().map_err(fail)?.peekable();
        if fds.peek().is_none() {
            return Err(Error::invalid("fd:// was given, but no socket was passed to the engine"));
        }
        for fd in fds {
            let fd: OwnedFd = sys::inherited::adopt(fd).map_err(fail)?;
            let address = rustix::net::getsockname(&fd).map_err(|error| fail(error.into()))?;
            match address.address_family() {
                AddressFamily::UNIX => self.unix.push(fd.into()),
                _ => self.tcp.push(fd.into()),
            }
        }
        Ok(())
    }

    /// Starts to accept, in tasks that end with the runtime.
    pub fn serve(&self, server: &Arc<Server>) -> io::Result<()> {
        for listener in &self.unix {
            let listener = listener.try_clone()?;
            listener.set_nonblocking(true)?;
            tokio::spawn(accept_unix(UnixListener::from_std(listener)?, Arc::clone(server)));
        }
        for listener in &self.tcp {
            let listener = listener.try_clone()?;
            listener.set_nonblocking(true)?;
            let (listener, tls) = (TcpListener::from_std(listener)?, self.tls.clone());
            tokio::spawn(accept_tcp(listener, tls, Arc::clone(server)));
        }
        Ok(())
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for path in &self.paths {
            // A socket that is left is found stale by the next engine.
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn accept_unix(listener: UnixListener, server: Arc<Server>) {
    loop {
        let slot = server.slot().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = Peer::of_unix(&stream);
                let Some(place) = server.crowd.admit(&peer) else {
                    // Whether it is read is the client's affair.
                    let _ = stream.try_write(CROWDED);
                    continue;
                };
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    server.unix_connection(stream, peer).await;
                    drop((place, slot));
                });
            }
            Err(error) => pause_after(error).await,
        }
    }
}

async fn accept_tcp(listener: TcpListener, tls: Option<TlsAcceptor>, server: Arc<Server>) {
    loop {
        let slot = server.slot().await;
        match listener.accept().await {
            Ok((stream, address)) => {
                let peer = Peer::of_tcp(address);
                let Some(place) = server.crowd.admit(&peer) else {
                    if tls.is_none() {
                        let _ = stream.try_write(CROWDED);
                    }
                    continue;
                };
                let (tls, server) = (tls.clone(), Arc::clone(&server));
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            let handshake = tls.accept(stream);
                            match tokio::time::timeout(HANDSHAKE_PATIENCE, handshake).await {
                                Ok(Ok(stream)) => {
                                    let peer = peer.named(tls::subject(stream.get_ref().1));
                                    server.connection(stream, peer).await;
                                }
                                Ok(Err(error)) => tracing::info!("TLS handshake failed: {error}"),
                                Err(_) => tracing::info!("TLS handshake took too long"),
                            }
                        }
                        None => server.connection(stream, peer).await,
                    }
                    drop((place, slot));
                });
            }
            Err(error) => pause_after(error).await,
        }
    }
}

/// A connection that its client gave up already is no reason to wait. Without descriptors or memory the next accept
/// would fail at once, for the connection stays in the queue and the listener ready: trying on would take a processor.
/// There is nothing to wait for that would tell when descriptors are free again, so it is tried ten times a second.
pub async fn pause_after(error: io::Error) {
    tracing::warn!("cannot accept a connection: {error}");
    if is_shortage(&error) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    shortages.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn parse(host: &str, config: &Config) -> Result<Host> {
    let invalid = |why: &str| Error::invalid(format!("invalid bind address ({host}): {why}"));
    let (protocol, address) = host.split_once("://").unwrap_or(("tcp", host));
    match protocol {
        "unix" if address.is_empty() => Ok(Host::Unix(config.exec_root.join("gantry.sock"))),
        "unix" if address.starts_with('/') => Ok(Host::Unix(address.into())),
        "unix" => Err(invalid("the path must be absolute")),
        "fd" => Ok(Host::Inherited),
        "tcp" => {
            let numeric = address.replace("localhost", "127.0.0.1");
            let address =
                if numeric.starts_with(':') { format!("0.0.0.0{numeric}") } else { numeric };
            address
                .parse()
                .map(Host::Tcp)
                .map_err(|_| invalid("tcp:// needs an IP address and a port"))
        }
        other => Err(invalid(&format!("unsupported proto '{other}'"))),
    }
}

/// `--group`, which must exist, or the default group if it does.
fn group_of(config: &Config) -> Result<Option<u32>> {
    match &config.group {
        None => Ok(group::find("gantry").unwrap_or(None)),
        Some(name) if name.is_empty() => Ok(None),
        Some(name) => match group::find(name) {
            Ok(Some(id)) => Ok(Some(id)),
            _ => Err(Error::invalid(format!("group {name} not found"))),
        },
    }
}

fn is_served(path: &Path) -> bool {
    StdUnixStream::connect(path).is_ok()
}

/// Only ever removes a socket.
fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists and is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn cannot_listen(host: &str, error: io::Error) -> Error {
    Error::system(format!("cannot listen on {host}")).because(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(host: &str) -> Config {
        Config { hosts: vec![host.to_owned()], ..Config::default() }
    }

    #[test]
    fn hosts() {
        let parse = |host| parse(host, &Config::default()).map_err(|error| error.to_string());
        assert_eq!(parse("unix:///a/b"), Ok(Host::Unix("/a/b".into())));
        assert_eq!(parse("unix://"), Ok(Host::Unix("/run/gantry/gantry.sock".into())));
        assert_eq!(parse("fd://"), Ok(Host::Inherited));
        assert_eq!(parse("tcp://localhost:2376"), Ok(Host::Tcp(([127, 0, 0, 1], 2376).into())));
        assert_eq!(parse("tcp://:2376"), Ok(Host::Tcp(([0, 0, 0, 0], 2376).into())));
        assert_eq!(
            parse("foo://x").unwrap_err(),
            "invalid bind address (foo://x): unsupported proto 'foo'"
        );
        assert!(parse("tcp://example.org:1").is_err());
        assert!(parse("unix://relative").is_err());
    }

    #[test]
    fn cve_2025_9074_plain_tcp_is_refused_unless_forced() {
        assert!(Listeners::bind(&config("tcp://127.0.0.1:0")).is_err());
        let forced = Config { tls: Some(false), ..config("tcp://127.0.0.1:0") };
        assert!(Listeners::bind(&forced).is_ok());
    }

    #[test]
    fn a_socket_is_private_to_its_group_and_a_stale_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let config = config(&format!("unix://{}", path.display()));
        drop(StdUnixListener::bind(&path).unwrap());
        let listeners = Listeners::bind(&config).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let error = Listeners::bind(&config).err().unwrap().to_string();
        assert!(error.starts_with("another engine already serves unix://"), "{error}");
        drop(listeners);
        assert!(!path.exists());
    }

    #[test]
    fn only_a_shortage_is_waited_out() {
        assert!(is_shortage(&Errno::MFILE.into()));
        assert!(!is_shortage(&Errno::CONNABORTED.into()));
        assert!(!is_shortage(&io::ErrorKind::ConnectionReset.into()));
    }

    #[test]
    fn what_is_no_socket_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        std::fs::write(&path, "data").unwrap();
        assert!(Listeners::bind(&config(&format!("unix://{}", path.display()))).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
    }
}
