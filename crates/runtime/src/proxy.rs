//! `gantry-runtime proxy SOCKET TABLE [NETWORK]`: connections that the kernel cannot lead to a container, and datagrams.
//!
//! | which | how they get here |
//! |---|---|
//! | over IPv6 to a container that has IPv4 only, and to ::1, which never leaves the host | the engine's nftables table redirects them (`published6`) |
//! | from the host's network to that of an ordinary user's engine, or where no table of the engine's is to lead to ports | sockets on the host's ports ([`outside`]) |
//!
//! One process per engine, which outlives it. It does not know where redirected connections lead: the kernel's record of the
//! redirection says where a client wanted to go, and the maps of the engine's table say which container that is
//! ([`table`]). So there is nothing to keep up to date, and they cost nothing. Ports of the host's network cost a socket each, and
//! the engine says where they lead.
//!
//! Standard input is the listener for redirected connections, standard error the socket for redirected datagrams, with the
//! same port; standard output is the listener of the control socket, which is at SOCKET (SEQPACKET, JSON). Whoever connects there is told [`Hello`], and may send one [`Request`] after the other; each
//! but `end` has an [`Answer`]. NETWORK is the namespace that holds the table and the containers, where it is not the one
//! that this is started in; ports are opened in that one then.

mod datagrams;
mod outside;
mod relay;
mod table;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::ipv6_original_dst;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use rustix::process::Resource;
use serde::{Deserialize, Serialize};

use self::datagrams::{Client, Datagrams};
use self::outside::Outside;
use self::relay::{End, Relay, State};
use self::table::Table;

/// Spoken on the control socket.
pub const VERSION: u32 = 4;

/// What the proxy says to whoever connects to its control socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub version: u32,
    /// Where redirected connections and datagrams are to go.
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Opens ports of the host's network, all or none; the first leads to `target`, the others to the ports after that.
    /// Those that are open already lead there from now on.
    Open {
        ports: Ports,
        target: SocketAddr,
    },
    Close(Ports),
    /// Closes all that nobody has asked for since the last of these: what the engine before had.
    Sweep,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Done,
    /// The error number of the first port that cannot be opened.
    Refused {
        port: u16,
        errno: i32,
    },
}

/// Ports of the host's network, on one of its addresses or on all of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    pub protocol: Protocol,
    pub ip: IpAddr,
    pub first: u16,
    pub last: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
}

/// Held open to have a descriptor left for refusing connections when there is no other.
type Spare = Option<OwnedFd>;

const CLIENTS: u64 = 0;
const CONTROL: u64 = 1;
const DATAGRAMS: u64 = 2;
/// The numbers of all else begin here; the ends of a relay are even and odd.
const FIRST: u64 = 4;
/// As long as any request.
const PACKET: usize = 256;

struct Proxy {
    poller: OwnedFd,
    clients: OwnedFd,
    /// Redirected ones come here.
    arrivals: OwnedFd,
    control: OwnedFd,
    /// Of `clients` and `arrivals`.
    port: u16,
    table: Table,
    relays: HashMap<u64, Relay>,
    datagrams: Datagrams,
    engines: HashMap<u64, OwnedFd>,
    outside: Option<Outside>,
    next: u64,
    spare: Spare,
    scratch: Vec<u8>,
}

/// Serves until an engine says `end`.
pub fn run(table: &str, network: Option<&str>) -> io::Result<()> {
    rustix::thread::set_name(c"gantry-proxy")?;
    sys::allocator::keep_little();
    allow_many_descriptors();
    // It fails where we lead a session already.
    let _ = rustix::process::setsid();
    rustix::process::chdir("/")?;
    sys::process::close_from(3)?;
    let outside = network.map(enter).transpose()?;
    let mut proxy = Proxy::new(table, outside)?;
    while proxy.turn()? {}
    Ok(())
}

/// From here on everything but the host's ports is in that network.
fn enter(network: &str) -> io::Result<Outside> {
    let outside = Outside::stay_here()?;
    sys::namespace::join(File::open(network)?.as_fd(), sys::namespace::NETWORK)?;
    Ok(outside)
}

/// A port of the host's network is one. With fewer it serves fewer.
fn allow_many_descriptors() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = rustix::process::setrlimit(Resource::Nofile, limit);
}

impl Proxy {
    fn new(table: &str, outside: Option<Outside>) -> io::Result<Self> {
        let clients = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let arrivals = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3)?;
        let null = null()?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        sys::datagram::tell_destinations(&arrivals)?;
        let poller = epoll::create(CreateFlags::CLOEXEC)?;
        for (socket, number) in [(&clients, CLIENTS), (&control, CONTROL), (&arrivals, DATAGRAMS)] {
            rustix::io::ioctl_fionbio(socket, true)?;
            epoll::add(&poller, socket, EventData::new_u64(number), EventFlags::IN)?;
        }
        let port = match rustix::net::getsockname(&clients)?.try_into() {
            Ok(SocketAddr::V6(address)) => address.port(),
            _ => return Err(io::Error::other("standard input does not listen on IPv6")),
        };
        Ok(Self {
            poller,
            clients,
            arrivals,
            control,
            port,
            table: Table::open(table)?,
            relays: HashMap::new(),
            datagrams: Datagrams::default(),
            engines: HashMap::new(),
            outside,
            next: FIRST,
            spare: Some(null),
            scratch: vec![0; relay::PIECE],
        })
    }

    /// False when it is over.
    fn turn(&mut self) -> io::Result<bool> {
        const NONE: Event = Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        let mut events = [NONE; 32];
        let patience = self.datagrams.patience();
        let patience = patience.and_then(|time| Timespec::try_from(time).ok());
        let count = match epoll::wait(&self.poller, &mut events[..], patience.as_ref()) {
            Err(Errno::INTR) => return Ok(true),
            count => count?,
        };
        for event in &events[..count] {
            match event.data.u64() {
                CLIENTS => self.accept_redirected()?,
                CONTROL => self.accept_engine()?,
                DATAGRAMS => self.on_redirected_datagram(),
                number if self.engines.contains_key(&number) => {
                    if self.on_engine(number) == Life::Over {
                        return Ok(false);
                    }
                }
                number if self.datagrams.has(number) => self.on_answer(number),
                number => {
                    match self.outside.as_ref().and_then(|outside| outside.protocol(number)) {
                        Some(Protocol::Tcp) => self.accept_outside(number)?,
                        Some(Protocol::Udp) => self.on_datagram(number),
                        None => self.on_relay(number, event.flags),
                    }
                }
            }
        }
        self.datagrams.expire(Instant::now());
        Ok(true)
    }

    fn accept_redirected(&mut self) -> io::Result<()> {
        let Some(client) = accept(&self.clients, &mut self.spare)? else { return Ok(()) };
        if let Ok(address) = ipv6_original_dst(&client)
            // Nobody's: one who connects to us directly, or whose port was taken back just now.
            && let Some(target) = self.table.target(Protocol::Tcp, address)
        {
            self.relay(client, target);
        }
        Ok(())
    }

    fn accept_outside(&mut self, number: u64) -> io::Result<()> {
        let port = self.outside.as_ref().and_then(|outside| outside.port(number));
        let Some((listener, target)) = port else { return Ok(()) };
        if let Some(client) = accept(listener, &mut self.spare)? {
            self.relay(client, target);
        }
        Ok(())
    }

    fn relay(&mut self, client: OwnedFd, target: SocketAddr) {
        let Ok(relay) = Relay::begin(client, target) else { return };
        // A relay has two numbers, for its two ends.
        let number = self.number();
        if relay.watch(&self.poller, number).is_ok() {
            self.relays.insert(number, relay);
        }
    }

    fn on_datagram(&mut self, number: u64) {
        let Some(outside) = &self.outside else { return };
        let Some((socket, target)) = outside.port(number) else { return };
        let received = rustix::net::recvfrom(socket, &mut self.scratch[..], RecvFlags::empty());
        let Ok((len, _, Some(client))) = received else { return };
        let Ok(address) = SocketAddr::try_from(client) else { return };
        self.forward(len, Client { socket: number, address, reached: None }, target);
    }

    fn on_redirected_datagram(&mut self) {
        let Ok(received) = sys::datagram::receive(&self.arrivals, &mut self.scratch) else {
            return;
        };
        let ours = SocketAddrV6::new(received.to.ip, self.port, 0, 0);
        // As with connections: nobody's, or no longer anybody's. It is asked each time, since datagrams have no end.
        let wanted = self.table.before_redirection(received.from, ours);
        let target = wanted.and_then(|address| self.table.target(Protocol::Udp, address));
        let Some(target) = target else { return };
        let (address, reached) = (received.from.into(), Some(received.to));
        self.forward(received.len, Client { socket: DATAGRAMS, address, reached }, target);
    }

    /// That much of what was read.
    fn forward(&mut self, len: usize, client: Client, target: SocketAddr) {
        let session = self.number();
        let poller = &self.poller;
        self.datagrams.forward(&self.scratch[..len], client, target, |socket| {
            let data = EventData::new_u64(session);
            epoll::add(poller, socket, data, EventFlags::IN).map(|()| session)
        });
    }

    /// To the client, from the port that it knows. Datagrams may be lost.
    fn on_answer(&mut self, session: u64) {
        let Some((len, client)) = self.datagrams.receive(session, &mut self.scratch) else {
            return;
        };
        let answer = &self.scratch[..len];
        if let (Some(reached), SocketAddr::V6(address)) = (client.reached, client.address) {
            let _ = sys::datagram::send(&self.arrivals, answer, reached, address);
            return;
        }
        match self.outside.as_ref().and_then(|outside| outside.port(client.socket)) {
            Some((socket, _)) => {
                let _ = rustix::net::sendto(socket, answer, SendFlags::NOSIGNAL, &client.address);
            }
            None => self.datagrams.forget(session),
        }
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

    fn number(&mut self) -> u64 {
        let number = self.next.next_multiple_of(2);
        self.next = number + 2;
        number
    }

    fn accept_engine(&mut self) -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(engine) = rustix::net::accept_with(&self.control, flags) else { return Ok(()) };
        let number = self.number();
        let hello = serde_json::to_vec(&Hello { version: VERSION, port: self.port })?;
        let told = rustix::net::send(&engine, &hello, SendFlags::NOSIGNAL);
        let data = EventData::new_u64(number);
        if told.is_ok() && epoll::add(&self.poller, &engine, data, EventFlags::IN).is_ok() {
            self.engines.insert(number, engine);
        }
        Ok(())
    }

    /// One request. Whoever says what we do not understand, or nothing more, is done.
    fn on_engine(&mut self, number: u64) -> Life {
        let Some(engine) = self.engines.get(&number) else { return Life::GoesOn };
        let mut packet = [0; PACKET];
        let request = match rustix::net::recv(engine.as_fd(), &mut packet[..], RecvFlags::empty()) {
            Ok((len, _)) => serde_json::from_slice(&packet[..len.min(PACKET)]),
            Err(Errno::AGAIN | Errno::INTR) => return Life::GoesOn,
            Err(_) => serde_json::from_slice(&[]),
        };
        let Ok(request) = request else {
            self.engines.remove(&number);
            return Life::GoesOn;
        };
        let answer = match request {
            Request::End => return Life::Over,
            Request::Open { ports, target } => self.open(ports, target),
            Request::Close(ports) => {
                self.outside.iter_mut().for_each(|outside| outside.close(ports));
                Answer::Done
            }
            Request::Sweep => {
                self.outside.iter_mut().for_each(Outside::sweep);
                Answer::Done
            }
        };
        let told = serde_json::to_vec(&answer).map_err(io::Error::from).and_then(|answer| {
            let engine = self.engines.get(&number).ok_or(io::ErrorKind::NotConnected)?;
            Ok(rustix::net::send(engine, &answer, SendFlags::NOSIGNAL)?)
        });
        if told.is_err() {
            self.engines.remove(&number);
        }
        Life::GoesOn
    }

    fn open(&mut self, ports: Ports, target: SocketAddr) -> Answer {
        let refused =
            |(port, errno): (u16, Errno)| Answer::Refused { port, errno: errno.raw_os_error() };
        let Some(outside) = &mut self.outside else {
            return refused((ports.first, Errno::OPNOTSUPP));
        };
        match outside.open(ports, target, &self.poller, &mut self.next) {
            Ok(()) => Answer::Done,
            Err(failure) => refused(failure),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Life {
    GoesOn,
    Over,
}

/// None where the client is gone already, or there is no room for it.
fn accept(listener: &OwnedFd, spare: &mut Spare) -> io::Result<Option<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    match rustix::net::accept_with(listener, flags) {
        Ok(client) => Ok(Some(client)),
        Err(Errno::MFILE | Errno::NFILE) => {
            // One that is left in the queue would wake us for ever.
            *spare = None;
            drop(rustix::net::accept_with(listener, flags));
            *spare = Some(null()?);
            Ok(None)
        }
        Err(_) => Ok(None),
    }
}

fn null() -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}
