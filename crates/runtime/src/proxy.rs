//! `gantry-runtime proxy SOCKET TABLE`: connections over IPv6 that the kernel cannot lead to a container: to a container that
//! has IPv4 only, since it does not translate between families, and to ::1, which never leaves the host.
//!
//! One process per engine, which outlives it. It knows no ports: the engine's nftables table redirects connections to it
//! (`published6`), the kernel says where they were addressed to, and the same table's maps say which container that is
//! ([`table`]). So there is nothing to keep up to date, and nothing per port.
//!
//! Standard input is the listener for these connections, standard output that of the control socket, which is at SOCKET
//! (SEQPACKET). Whoever connects there is told `{"version":1,"port":N}`, and may say `end`.

mod relay;
mod table;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::ipv6_original_dst;
use rustix::net::{SendFlags, SocketFlags};
use serde::{Deserialize, Serialize};

use self::relay::{End, Relay, State};
use self::table::Table;

/// Spoken on the control socket.
pub const VERSION: u32 = 1;
/// What ends the proxy.
pub const END: &[u8] = b"end";

/// What the proxy says to whoever connects to its control socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub version: u32,
    /// Where it listens.
    pub port: u16,
}

/// Held open to have a descriptor left for refusing connections when there is no other.
type Spare = Option<OwnedFd>;

const CLIENTS: u64 = 0;
const CONTROL: u64 = 1;
/// The numbers of relays and of control connections begin here; a relay's ends are even and odd.
const FIRST: u64 = 2;

struct Proxy {
    poller: OwnedFd,
    clients: OwnedFd,
    control: OwnedFd,
    hello: Vec<u8>,
    table: Table,
    relays: HashMap<u64, Relay>,
    engines: HashMap<u64, OwnedFd>,
    next: u64,
    spare: Spare,
    scratch: Vec<u8>,
}

/// Serves until an engine says `end`.
pub fn run(table: &str) -> io::Result<()> {
    rustix::thread::set_name(c"gantry-proxy")?;
    sys::allocator::keep_little();
    // It fails where we lead a session already.
    let _ = rustix::process::setsid();
    rustix::process::chdir("/")?;
    sys::process::close_from(3)?;
    let mut proxy = Proxy::new(table)?;
    while proxy.turn()? {}
    Ok(())
}

impl Proxy {
    fn new(table: &str) -> io::Result<Self> {
        let clients = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let null = null()?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        let poller = epoll::create(CreateFlags::CLOEXEC)?;
        for (listener, number) in [(&clients, CLIENTS), (&control, CONTROL)] {
            rustix::io::ioctl_fionbio(listener, true)?;
            epoll::add(&poller, listener, EventData::new_u64(number), EventFlags::IN)?;
        }
        let port = match rustix::net::getsockname(&clients)?.try_into() {
            Ok(std::net::SocketAddr::V6(address)) => address.port(),
            _ => return Err(io::Error::other("standard input does not listen on IPv6")),
        };
        Ok(Self {
            poller,
            clients,
            control,
            hello: serde_json::to_vec(&Hello { version: VERSION, port })?,
            table: Table::open(table)?,
            relays: HashMap::new(),
            engines: HashMap::new(),
            next: FIRST,
            spare: Some(null),
            scratch: vec![0; relay::PIECE],
        })
    }

    /// False when it is over.
    fn turn(&mut self) -> io::Result<bool> {
        const NONE: Event = Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        let mut events = [NONE; 32];
        let count = match epoll::wait(&self.poller, &mut events[..], None) {
            Err(Errno::INTR) => return Ok(true),
            count => count?,
        };
        for event in &events[..count] {
            match event.data.u64() {
                CLIENTS => self.accept_client()?,
                CONTROL => self.accept_engine(),
                number if self.engines.contains_key(&number) => {
                    if self.is_told_to_end(number) {
                        return Ok(false);
                    }
                }
                number => self.on_relay(number, event.flags),
            }
        }
        Ok(true)
    }

    fn accept_client(&mut self) -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let client = match rustix::net::accept_with(&self.clients, flags) {
            Ok(client) => client,
            Err(Errno::MFILE | Errno::NFILE) => {
                // One that is left in the queue would wake us for ever.
                self.spare = None;
                drop(rustix::net::accept_with(&self.clients, flags));
                self.spare = Some(null()?);
                return Ok(());
            }
            // It is gone already.
            Err(_) => return Ok(()),
        };
        let Ok(address) = ipv6_original_dst(&client) else { return Ok(()) };
        // Nobody's: one who connects to us directly, or whose port was taken back just now.
        let Some(target) = self.table.target(address) else { return Ok(()) };
        let Ok(relay) = Relay::begin(client, target) else { return Ok(()) };
        // A relay has two numbers, for its two ends.
        let number = self.next.next_multiple_of(2);
        self.next = number + 2;
        if relay.watch(&self.poller, number).is_ok() {
            self.relays.insert(number, relay);
        }
        Ok(())
    }

    fn on_relay(&mut self, number: u64, flags: EventFlags) {
        let key = number & !1;
        let end = if number == key { End::Client } else { End::Server };
        let Some(relay) = self.relays.get_mut(&key) else { return };
        let state = relay.on_event(end, flags, &mut self.scratch);
        if state == State::Over || relay.rewatch(&self.poller, key).is_err() {
            self.relays.remove(&key);
        }
    }

    fn accept_engine(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(engine) = rustix::net::accept_with(&self.control, flags) else { return };
        let number = self.next.next_multiple_of(2);
        self.next = number + 2;
        let told = rustix::net::send(&engine, &self.hello, SendFlags::NOSIGNAL);
        let data = EventData::new_u64(number);
        if told.is_ok() && epoll::add(&self.poller, &engine, data, EventFlags::IN).is_ok() {
            self.engines.insert(number, engine);
        }
    }

    fn is_told_to_end(&mut self, number: u64) -> bool {
        let Some(engine) = self.engines.remove(&number) else { return false };
        let mut word = [0; 8];
        let flags = rustix::net::RecvFlags::empty();
        matches!(rustix::net::recv(engine.as_fd(), &mut word[..], flags), Ok((len, _)) if &word[..len] == END)
    }
}

fn null() -> io::Result<OwnedFd> {
    Ok(std::fs::File::options().read(true).write(true).open("/dev/null")?.into())
}
