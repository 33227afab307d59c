//! The monitor's protocol, version 1.
//!
//! One JSON message is one packet of a SEQPACKET socket, at most [`MAX_PACKET`] bytes; file
//! descriptors travel with the packet they belong to. The monitor speaks first on every connection,
//! with [`Message::Hello`]; on that of the engine which starts it once that has written its files
//! ([`Connection::begin`]). Each [`Request`] gets one [`Message::Reply`] with its `seq`; every other
//! message is an event, sent to all connections. Unknown fields are ignored by both sides, so that
//! fields may be added without a new version.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

/// Spoken by this crate. An engine speaks every released version.
pub const VERSION: u32 = 1;
/// No packet is longer.
pub const MAX_PACKET: usize = 64 * 1024;
/// The first packet of the engine that starts a monitor.
const BEGIN: [u8; 1] = *b"b";
/// No packet carries more file descriptors.
pub const MAX_FDS: usize = sys::socket::FDS_MAX;

/// What an engine sends: a command and the number its reply will bear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub seq: u64,
    #[serde(flatten)]
    pub command: Command,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Creates and starts init. fds: optionally the network namespace it joins.
    /// Replied to with init's pid; after a failure the monitor exits.
    Start {
        /// `[height, width]` of the terminal, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        console_size: Option<[u16; 2]>,
    },
    /// Connects a client to init's stdio, also before `start`. fds: the client's stream socket,
    /// whose response head was sent; the monitor owns it from here.
    Attach(Streams),
    /// Runs `exec/<exec_id>.json`, an OCI `Process`. fds: optionally the client's stream socket.
    /// Replied to with the pid of the new process.
    Exec {
        exec_id: String,
        #[serde(flatten)]
        streams: Streams,
        /// Give the process a terminal.
        #[serde(default)]
        tty: bool,
        /// `[height, width]` of that terminal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        console_size: Option<[u16; 2]>,
        /// No client: stdio is `/dev/null`, or a terminal nobody reads.
        #[serde(default)]
        detach: bool,
    },
    /// Keeps sockets open for the container until it ends: those that hold its ports, those of its name server. fds: one for
    /// each name; a socket that has the name already is closed.
    Hold { names: Vec<String> },
    /// Closes those.
    Release { names: Vec<String> },
    /// Gives duplicates of those, with the reply, in the order of the names.
    Lend { names: Vec<String> },
    /// Changes the size of a terminal: init's, or that of an exec.
    Resize {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exec_id: Option<String>,
        height: u16,
        width: u16,
    },
    /// Sends a signal to init, or to the process of an exec.
    Signal {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exec_id: Option<String>,
        signal: i32,
        /// Also to the processes it started, as far as they stayed in its process group.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        group: bool,
    },
}

/// Which streams a client takes, and how they are carried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    #[serde(default)]
    pub stdin: bool,
    #[serde(default)]
    pub stdout: bool,
    #[serde(default)]
    pub stderr: bool,
    /// Put Docker's eight-byte header before each piece; never with a terminal.
    #[serde(default)]
    pub multiplexed: bool,
    /// The bytes that detach the client; absent: ctrl-p ctrl-q; empty: nothing detaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detach_keys: Option<Vec<u8>>,
    /// The socket leads to a relay inside the engine (TLS), not to the client itself: its sudden
    /// end is the loss of an engine, and closes nobody's stdin. A relay passes a client's end of
    /// input on by `shutdown(SHUT_WR)`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relayed: bool,
}

/// What a monitor sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    Hello(Hello),
    Reply {
        seq: u64,
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// Init is gone, the log is complete, the record is on disk.
    Exited {
        record: ExitRecord,
    },
    ExecExited {
        exec_id: String,
        record: ExitRecord,
    },
    /// The kernel killed a process of the container for want of memory.
    Oom,
    /// A client typed its detach keys.
    Detached {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exec_id: Option<String>,
    },
    /// Output was lost because the log could not be written; once for each burst.
    LogError {
        message: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Of the protocol.
    pub version: u32,
    /// Of the `gantry-runtime` that runs, for display.
    pub monitor_version: String,
    /// The container's.
    pub id: String,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Created,
    Running { pid: i32 },
    Exited { record: ExitRecord },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok(Done),
    Error(Failure),
}

/// The body of a successful reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Of the process that `start` or `exec` made, as the monitor sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: ErrorKind,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The executable does not exist (exit status 127), or there is no such exec.
    NotFound,
    /// The executable may not be run (exit status 126).
    Permission,
    /// The request makes no sense, or not in this state.
    Invalid,
    /// What it was for has exited.
    Gone,
    Other,
}

/// How a process ended: `exit.json`, `exec/<exec-id>.exit.json`, and in the events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// 0 to 255; 128 + n for signal n.
    pub status: u8,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    #[serde(default)]
    pub oom_killed: bool,
    /// RFC 3339 with nanoseconds, UTC.
    pub finished_at: String,
    /// Length of the current log file when everything had been written; 0 for an exec.
    #[serde(default)]
    pub log_end: u64,
    /// Why it never ran, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One end of the protocol. Blocks, unless the descriptor was made non-blocking: then `send` and
/// `recv` fail with `WouldBlock`.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
}

impl Connection {
    /// Connects to a `monitor.sock`. The path may be longer than a socket address can hold.
    pub fn connect(path: &Path) -> io::Result<Connection> {
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let (_directory, address) = short_address(path)?;
        rustix::net::connect(&socket, &address)?;
        Ok(Connection { socket })
    }

    /// Two connected ends: one for the engine, one to become the monitor's fd 0.
    pub fn pair() -> io::Result<(Connection, OwnedFd)> {
        let (ours, theirs) = sys::socket::pair()?;
        Ok((Connection { socket: ours }, theirs))
    }

    /// Sends a request with the descriptors it needs; the caller keeps its own.
    pub fn send(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        sys::socket::send(&self.socket, &encode(request)?, fds)
    }

    /// Tells a monitor that was just started that the files of its directory are all there.
    pub fn begin(&self) -> io::Result<()> {
        sys::socket::send(&self.socket, &BEGIN, &[])
    }

    /// The next message, or None when the monitor is gone.
    pub fn recv(&self) -> io::Result<Option<(Message, Vec<OwnedFd>)>> {
        let mut packet = vec![0; MAX_PACKET];
        match sys::socket::receive(&self.socket, &mut packet)? {
            (0, _) => Ok(None),
            (length, fds) => Ok(Some((decode(&packet[..length])?, fds))),
        }
    }
}

impl From<OwnedFd> for Connection {
    fn from(socket: OwnedFd) -> Connection {
        Connection { socket }
    }
}

impl From<Connection> for OwnedFd {
    fn from(connection: Connection) -> OwnedFd {
        connection.socket
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The bytes of one packet.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let packet = serde_json::to_vec(message)?;
    if packet.len() > MAX_PACKET {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a message of {} bytes is over the limit of {MAX_PACKET}", packet.len()),
        ));
    }
    Ok(packet)
}

/// Waits for [`Connection::begin`]: false where the engine is gone before it said so.
pub(super) fn wait_to_begin(engine: BorrowedFd<'_>) -> io::Result<bool> {
    let mut packet = [0; BEGIN.len()];
    let (length, _) = sys::socket::receive(engine, &mut packet)?;
    Ok(packet[..length] == BEGIN)
}

/// Reads a packet as what it should be.
pub fn decode<'a, T: Deserialize<'a>>(packet: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(packet).map_err(io::Error::from)
}

/// Socket addresses hold 107 bytes: a long path is named through its opened directory, which the
/// caller keeps until it has bound or connected.
pub(crate) fn short_address(path: &Path) -> io::Result<(Option<OwnedFd>, SocketAddrUnix)> {
    use rustix::fs::{Mode, OFlags};
    use std::os::fd::AsRawFd;

    if let Ok(address) = SocketAddrUnix::new(path) {
        return Ok((None, address));
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = rustix::fs::open(parent, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let through = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok((Some(directory), SocketAddrUnix::new(&through)?))
}

#[cfg(test)]
mod tests;
