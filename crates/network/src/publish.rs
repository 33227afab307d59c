//! Published ports: which port of the host leads to which container.
//!
//! ```text
//! Wish --books, reserve--> Mapping --elements--> elements of the firewall's maps
//! ```
//!
//! A port is free if none of our containers has it ([`books`]) and no other program does: a single port is reserved by
//! a socket that the container's monitor holds ([`reserve`]), a range is looked up in the kernel's list of sockets
//! ([`sockets`]). What was given out is in the container's record; after a restart of the engine it is entered again
//! ([`Network::recover_ports`](crate::Network::recover_ports)). Where the containers' network is not the host's, sockets
//! that serve take the place of the reservations ([`Outside`]).

mod books;
pub(crate) mod elements;
mod mapping;
mod outside;
mod reserve;
mod sockets;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use self::books::{Books, Taken};
use crate::conntrack;
use crate::error::{Context, Error};
use crate::firewall::{Firewall, Publication};

pub use self::mapping::{HostPorts, Mapping, Ports, Protocol, Target, Wish};
pub use self::outside::{HostThread, NotOpened, Outside};
pub use self::reserve::{Reservation, is_ours as is_of_host};

/// What came of a container's wishes.
#[derive(Debug)]
pub struct Published {
    pub mappings: Vec<Mapping>,
    /// To be held by whoever lives as long as the container.
    pub reservations: Vec<Reservation>,
}

/// Why a port is not published; in Docker's words, and with who has it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("Bind for {}:{port} failed: port is already allocated", bracketed(.ip))]
    Allocated {
        ip: IpAddr,
        port: u16,
        /// The container that has it.
        container: String,
    },
    /// A container has it on another address that includes this one, or is included.
    #[error("{}", not_bound(*protocol, *ip, *port, "address already in use"))]
    Overlaps { protocol: Protocol, ip: IpAddr, port: u16, container: String },
    #[error("{}{}", not_bound(*protocol, *ip, *port, "address already in use"), by(.owner))]
    InUse {
        protocol: Protocol,
        ip: IpAddr,
        port: u16,
        /// The program that has it, where it can be told.
        owner: Option<String>,
    },
    #[error("{}", not_bound(*protocol, *ip, *port, "cannot assign requested address"))]
    NotHere { protocol: Protocol, ip: IpAddr, port: u16 },
    /// An ordinary user's engine may not have it.
    #[error(
        "cannot expose privileged port {port}, you can add 'net.ipv4.ip_unprivileged_port_start={port}' to \
         /etc/sysctl.conf, or choose a larger port number: {}",
        not_bound(*protocol, *ip, *port, "permission denied")
    )]
    Privileged { protocol: Protocol, ip: IpAddr, port: u16 },
    #[error("failed to publish ports: a proxy (rootless, publish.mode) publishes no ports of {0}")]
    NotCarried(Protocol),
    #[error("all ports are allocated")]
    AllAllocated,
    #[error("failed to publish ports: the container has no address of the family of {0}")]
    NoWay(IpAddr),
    #[error(transparent)]
    Failed(#[from] Error),
}

fn bracketed(ip: &IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn not_bound(protocol: Protocol, ip: IpAddr, port: u16, why: &str) -> String {
    let family = if ip.is_ipv4() { 4 } else { 6 };
    let ip = bracketed(&ip);
    format!("Error starting userland proxy: listen {protocol}{family} {ip}:{port}: bind: {why}")
}

fn by(owner: &Option<String>) -> String {
    owner.as_ref().map_or_else(String::new, |owner| format!(" by {owner}"))
}

/// The ports of one engine's containers.
#[derive(Debug)]
pub(crate) struct Publisher {
    inner: Arc<Inner>,
    /// None where the host's network is this one.
    outside: Option<Arc<dyn Outside>>,
}

#[derive(Debug)]
struct Inner {
    books: Mutex<Books>,
    /// Where ports are published for which no address is given; all addresses of the host if None.
    default_ip: Option<IpAddr>,
}

impl Publisher {
    pub(crate) fn new(default_ip: Option<IpAddr>, outside: Option<Arc<dyn Outside>>) -> Self {
        Self { inner: Arc::new(Inner { books: Mutex::default(), default_ip }), outside }
    }

    /// All of the wishes or none.
    pub(crate) fn publish(
        &self,
        firewall: &Firewall,
        container: &str,
        target: Target,
        wishes: &[Wish],
    ) -> Result<Published, Refused> {
        let published = self.take(container, target, wishes)?;
        match firewall.publish(container, target, &published.mappings) {
            Ok(()) => {
                conntrack::forget_udp(&published.mappings);
                Ok(published)
            }
            Err(error) => {
                self.inner.give_back(container, &published.mappings, self.outside.as_deref());
                Err(error.into())
            }
        }
    }

    fn take(&self, container: &str, target: Target, wishes: &[Wish]) -> Result<Published, Refused> {
        let Some(outside) = &self.outside else {
            return self.inner.take(container, target, wishes, None);
        };
        let (inner, beyond) = (Arc::clone(&self.inner), Arc::clone(outside));
        let (container, wishes) = (container.to_owned(), wishes.to_vec());
        let taken = outside
            .thread()
            .run(move || inner.take(&container, target, &wishes, Some(beyond.as_ref())));
        taken.context(|| "look for ports of the host".to_owned())?
    }

    pub(crate) fn unpublish(
        &self,
        firewall: &Firewall,
        container: &str,
        mappings: &[Mapping],
    ) -> Result<(), Error> {
        // Nobody is given a port that still leads elsewhere.
        let result = firewall.unpublish(container, mappings);
        conntrack::forget_udp(mappings);
        self.inner.give_back(container, mappings, self.outside.as_deref());
        result
    }

    /// Leads the container's ports to other addresses of it.
    pub(crate) fn retarget(
        &self,
        firewall: &Firewall,
        container: &str,
        target: Target,
    ) -> Result<(), Error> {
        // Nothing is published or taken back meanwhile.
        let _books = self.inner.books();
        let moved = firewall.retarget(container, target)?;
        conntrack::forget_udp(&moved);
        for mapping in &moved {
            // They are open: nothing but their target is another.
            let opened = self.outside.as_ref().map_or(Ok(()), |all| all.open(mapping, target));
            if let Err(NotOpened { port, errno }) = opened {
                tracing::warn!("port {port} leads where {container} was: {errno}");
            }
        }
        Ok(())
    }

    /// Enters what an earlier engine gave out, and returns it for the firewall.
    pub(crate) fn recover(
        &self,
        ports: impl IntoIterator<Item = (String, Target, Vec<Mapping>)>,
    ) -> BTreeMap<String, Publication> {
        let mut books = self.inner.books();
        let mut enter = |(container, target, mappings): (String, Target, Vec<Mapping>)| {
            mappings.iter().for_each(|mapping| books.enter(&container, mapping));
            (container, Publication { target, mappings })
        };
        ports.into_iter().map(&mut enter).collect()
    }
}

impl Inner {
    /// All of the wishes or none. On a thread whose network is the host's.
    fn take(
        &self,
        container: &str,
        target: Target,
        wishes: &[Wish],
        outside: Option<&dyn Outside>,
    ) -> Result<Published, Refused> {
        let mut turn = Turn {
            books: self.books(),
            outside,
            container,
            default_ip: self.default_ip,
            target,
            published: Published { mappings: Vec::new(), reservations: Vec::new() },
        };
        match turn.take_all(wishes) {
            Ok(()) => Ok(turn.published),
            Err(refused) => {
                let Turn { books, published, .. } = turn;
                drop(books);
                self.give_back(container, &published.mappings, outside);
                Err(refused)
            }
        }
    }

    fn give_back(&self, container: &str, mappings: &[Mapping], outside: Option<&dyn Outside>) {
        let mut books = self.books();
        for mapping in mappings {
            outside.inspect(|outside| outside.close(mapping));
            books.strike(container, mapping);
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // An entry is complete in itself: a panic elsewhere leaves nothing half-made.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One container's ports being taken.
struct Turn<'a> {
    books: MutexGuard<'a, Books>,
    outside: Option<&'a dyn Outside>,
    container: &'a str,
    default_ip: Option<IpAddr>,
    target: Target,
    published: Published,
}

impl Turn<'_> {
    /// Those that want a certain port first, as Docker does.
    fn take_all(&mut self, wishes: &[Wish]) -> Result<(), Refused> {
        let order = |wish: &&Wish| match wish.host {
            HostPorts::Exactly(_) => 0,
            HostPorts::OneOf(_) => 1,
            HostPorts::Ephemeral => 2,
        };
        let mut wishes: Vec<&Wish> = wishes.iter().collect();
        wishes.sort_by_key(order);
        wishes.into_iter().try_for_each(|wish| self.take(wish))
    }

    fn take(&mut self, wish: &Wish) -> Result<(), Refused> {
        let ips = self.addresses(wish.ip)?;
        match wish.host {
            HostPorts::Exactly(host) => {
                ips.iter().try_for_each(|ip| self.take_ports(wish, *ip, host))
            }
            HostPorts::OneOf(range) => wish
                .container
                .iter()
                .try_for_each(|port| self.take_any(wish.protocol, &ips, port, range)),
            HostPorts::Ephemeral => {
                let range = ephemeral_range();
                wish.container
                    .iter()
                    .try_for_each(|port| self.take_any(wish.protocol, &ips, port, range))
            }
        }
    }

    /// Where to publish. Of the addresses of both families the one is left out that this host does not have.
    fn addresses(&self, wished: Option<IpAddr>) -> Result<Vec<IpAddr>, Refused> {
        let reached = |ip: &IpAddr| match ip {
            IpAddr::V4(_) => self.target.ipv4.is_some(),
            IpAddr::V6(_) => self.target.ipv4.is_some() || self.target.ipv6.is_some(),
        };
        match wished.or(self.default_ip) {
            Some(ip) if reached(&ip) => Ok(vec![ip]),
            Some(ip) => Err(Refused::NoWay(ip)),
            None => {
                let all: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
                let is_there = |ip: &IpAddr| ip.is_ipv4() || host_has_ipv6();
                Ok(all.into_iter().filter(|ip| reached(ip) && is_there(ip)).collect())
            }
        }
    }

    fn take_ports(&mut self, wish: &Wish, ip: IpAddr, host: Ports) -> Result<(), Refused> {
        if let Some(taken) = self.books.conflict(wish.protocol, ip, host) {
            return match reserve::is_ours(ip) {
                Ok(false) => {
                    Err(Refused::NotHere { protocol: wish.protocol, ip, port: host.first })
                }
                _ => Err(refusal(wish.protocol, ip, taken)),
            };
        }
        let mapping =
            Mapping { protocol: wish.protocol, ip, host, container_port: wish.container.first };
        match self.outside {
            Some(outside) => open(outside, &mapping, self.target)?,
            None if host.is_one() => self.reserve(mapping)?,
            None => self.check_range(&mapping)?,
        }
        self.enter(mapping);
        Ok(())
    }

    /// One port of the range that is free on all the addresses.
    fn take_any(
        &mut self,
        protocol: Protocol,
        ips: &[IpAddr],
        container_port: u16,
        range: Ports,
    ) -> Result<(), Refused> {
        let free: Vec<u16> = self.books.free(protocol, ips, range).collect();
        for port in free {
            let mapping =
                |ip: &IpAddr| Mapping { protocol, ip: *ip, host: Ports::one(port), container_port };
            let before = self.published.reservations.len();
            match self.take_one(ips.iter().map(mapping)) {
                Err(Refused::InUse { .. }) => self.published.reservations.truncate(before),
                result => {
                    result?;
                    self.books.gave_out(protocol, port);
                    ips.iter().map(mapping).for_each(|mapping| self.enter(mapping));
                    return Ok(());
                }
            }
        }
        Err(Refused::AllAllocated)
    }

    /// The same port of several addresses.
    fn take_one(
        &mut self,
        mut mappings: impl Iterator<Item = Mapping> + Clone,
    ) -> Result<(), Refused> {
        let Some(outside) = self.outside else {
            return mappings.try_for_each(|mapping| self.reserve(mapping));
        };
        let mut opened = Vec::new();
        for mapping in mappings {
            if let Err(refused) = open(outside, &mapping, self.target) {
                opened.iter().for_each(|mapping| outside.close(mapping));
                return Err(refused);
            }
            opened.push(mapping);
        }
        Ok(())
    }

    fn reserve(&mut self, mapping: Mapping) -> Result<(), Refused> {
        let Mapping { protocol, ip, host: Ports { first: port, .. }, .. } = mapping;
        match reserve::reserve(protocol, ip, port) {
            Ok(None) => Ok(()),
            Ok(Some(socket)) => {
                let name = mapping.reservation().expect("a single port has one");
                self.published.reservations.push(Reservation { name, socket });
                Ok(())
            }
            Err(errno) => Err(cannot_have(&mapping, port, errno)),
        }
    }

    /// No socket for each port of a range: the kernel is asked who is there.
    fn check_range(&self, mapping: &Mapping) -> Result<(), Refused> {
        let Mapping { protocol, ip, host, .. } = *mapping;
        if !reserve::is_ours(ip).context(|| format!("look for the address {ip}"))? {
            return Err(Refused::NotHere { protocol, ip, port: host.first });
        }
        let found = sockets::in_the_way(protocol, ip, host)
            .context(|| "list the host's sockets".to_owned())?;
        match found.first() {
            None => Ok(()),
            Some(bound) => Err(Refused::InUse {
                protocol,
                ip,
                port: bound.port,
                owner: sockets::owner(*bound),
            }),
        }
    }

    fn enter(&mut self, mapping: Mapping) {
        self.books.enter(self.container, &mapping);
        self.published.mappings.push(mapping);
    }
}

fn open(outside: &dyn Outside, mapping: &Mapping, target: Target) -> Result<(), Refused> {
    if mapping.protocol == Protocol::Sctp {
        return Err(Refused::NotCarried(mapping.protocol));
    }
    outside
        .open(mapping, target)
        .map_err(|NotOpened { port, errno }| cannot_have(mapping, port, errno))
}

/// Why the host does not let us have that port of the mapping.
fn cannot_have(mapping: &Mapping, port: u16, errno: Errno) -> Refused {
    let Mapping { protocol, ip, .. } = *mapping;
    match errno {
        Errno::ADDRINUSE => in_use(protocol, ip, port),
        Errno::ADDRNOTAVAIL => Refused::NotHere { protocol, ip, port },
        Errno::ACCESS => Refused::Privileged { protocol, ip, port },
        errno => {
            Error::Io { action: format!("reserve {protocol} port {mapping}"), cause: errno.into() }
                .into()
        }
    }
}

fn refusal(protocol: Protocol, ip: IpAddr, taken: Taken) -> Refused {
    let Taken { port, on, container } = taken;
    match on == ip {
        true => Refused::Allocated { ip, port, container },
        false => Refused::Overlaps { protocol, ip, port, container },
    }
}

/// The program that has the port, where it can be told.
pub fn holder(protocol: Protocol, ip: IpAddr, port: u16) -> Option<String> {
    // Only for a message's sake: what cannot be told is left out.
    let found = sockets::in_the_way(protocol, ip, Ports::one(port)).unwrap_or_default();
    found.into_iter().find_map(sockets::owner)
}

fn in_use(protocol: Protocol, ip: IpAddr, port: u16) -> Refused {
    Refused::InUse { protocol, ip, port, owner: holder(protocol, ip, port) }
}

/// The kernel's range, as Docker uses it.
fn ephemeral_range() -> Ports {
    const DEFAULT: Ports = Ports { first: 32768, last: 60999 };
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first <= last => Ports { first, last },
        _ => DEFAULT,
    }
}

/// Whether ::1 is there; it goes with IPv6 where that is turned off.
fn host_has_ipv6() -> bool {
    let addresses = fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap_or_default();
    addresses.lines().any(|line| line.starts_with("00000000000000000000000000000001 "))
}
