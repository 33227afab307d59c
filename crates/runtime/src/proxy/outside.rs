//! Sockets on ports of the host's network, where the engine's table does not lead to its containers: clients of a published
//! port are accepted there, and led on from here.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use super::{Ports, Protocol};

const BACKLOG: i32 = 1024;

type Key = (Protocol, SocketAddr);
type Opened = Result<OwnedFd, Errno>;

pub(super) struct Outside {
    wanted: Sender<Key>,
    opened: Receiver<Opened>,
    /// By what they are known to the poller.
    ports: HashMap<u64, Port>,
    numbers: HashMap<Key, u64>,
}

struct Port {
    socket: OwnedFd,
    key: Key,
    /// In a container.
    target: SocketAddr,
    /// Asked for since the last sweep.
    is_wanted: bool,
}

impl Outside {
    /// Sockets belong to the network of the thread that makes them: this one leaves a thread behind where it is, and may
    /// go elsewhere.
    pub(super) fn stay_here() -> io::Result<Self> {
        let (wanted, orders) = channel();
        let (deliver, opened) = channel();
        let work = move || {
            while let Ok((protocol, address)) = orders.recv() {
                if deliver.send(open(protocol, address)).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("outside".into()).stack_size(64 * 1024).spawn(work)?;
        Ok(Self { wanted, opened, ports: HashMap::new(), numbers: HashMap::new() })
    }

    /// All of them or none; tells which one it is that cannot be had.
    pub(super) fn open(
        &mut self,
        ports: Ports,
        target: SocketAddr,
        poller: &OwnedFd,
        next: &mut u64,
    ) -> Result<(), (u16, Errno)> {
        let mut new = Vec::new();
        for port in ports.first..=ports.last {
            let key = (ports.protocol, SocketAddr::new(ports.ip, port));
            let behind =
                target.port().checked_add(port - ports.first).ok_or((port, Errno::INVAL))?;
            let target = SocketAddr::new(target.ip(), behind);
            if let Some(port) = self.numbers.get(&key).and_then(|number| self.ports.get_mut(number))
            {
                (port.is_wanted, port.target) = (true, target);
                continue;
            }
            // As relays have theirs.
            let number = next.next_multiple_of(2);
            *next = number + 2;
            let opened = self.socket_for(key).and_then(|socket| {
                epoll::add(poller, &socket, EventData::new_u64(number), EventFlags::IN)?;
                Ok(socket)
            });
            match opened {
                Ok(socket) => {
                    self.ports.insert(number, Port { socket, key, target, is_wanted: true });
                    self.numbers.insert(key, number);
                    new.push(number);
                }
                Err(errno) => {
                    new.into_iter().for_each(|number| self.forget(number));
                    return Err((port, errno));
                }
            }
        }
        Ok(())
    }

    fn socket_for(&self, key: Key) -> Opened {
        // The thread ends with us.
        self.wanted.send(key).map_err(|_| Errno::IO)?;
        self.opened.recv().map_err(|_| Errno::IO)?
    }

    pub(super) fn close(&mut self, ports: Ports) {
        for port in ports.first..=ports.last {
            let key = (ports.protocol, SocketAddr::new(ports.ip, port));
            if let Some(number) = self.numbers.get(&key).copied() {
                self.forget(number);
            }
        }
    }

    pub(super) fn sweep(&mut self) {
        self.ports.retain(|_, port| std::mem::take(&mut port.is_wanted));
        self.numbers.retain(|_, number| self.ports.contains_key(number));
    }

    /// The poller forgets what is closed.
    fn forget(&mut self, number: u64) {
        if let Some(port) = self.ports.remove(&number) {
            self.numbers.remove(&port.key);
        }
    }

    pub(super) fn protocol(&self, number: u64) -> Option<Protocol> {
        self.ports.get(&number).map(|port| port.key.0)
    }

    /// Its socket, and where it leads.
    pub(super) fn port(&self, number: u64) -> Option<(&OwnedFd, SocketAddr)> {
        self.ports.get(&number).map(|port| (&port.socket, port.target))
    }
}

fn open(protocol: Protocol, address: SocketAddr) -> Opened {
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, net::ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, net::ipproto::UDP),
    };
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, kind, flags, Some(number))?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    // Connections of a server that ended a moment ago are not in the way.
    set_socket_reuseaddr(&socket, protocol == Protocol::Tcp)?;
    net::bind(&socket, &address)?;
    if protocol == Protocol::Tcp {
        net::listen(&socket, BACKLOG)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use rustix::event::epoll::CreateFlags;

    use super::*;

    const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

    /// Two free ports that follow one another.
    fn free() -> Ports {
        let is_free = |port: u16| TcpListener::bind((LOCAL, port)).is_ok();
        let first = (23_000..).step_by(2).find(|port| is_free(*port) && is_free(port + 1));
        let first = first.expect("some are free");
        Ports { protocol: Protocol::Tcp, ip: LOCAL.into(), first, last: first + 1 }
    }

    #[test]
    fn ports_are_opened_all_or_none_and_swept_unless_asked_for_again() {
        let poller = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let mut outside = Outside::stay_here().unwrap();
        let mut next = 2;
        let ports = free();
        let taken = TcpListener::bind((LOCAL, ports.last)).unwrap();
        let target = SocketAddr::from((LOCAL, 80));
        let mut open =
            |outside: &mut Outside, ports| outside.open(ports, target, &poller, &mut next);
        assert_eq!(open(&mut outside, ports), Err((ports.last, Errno::ADDRINUSE)));
        drop(TcpListener::bind((LOCAL, ports.first)).expect("given back"));
        drop(taken);
        assert_eq!(open(&mut outside, ports), Ok(()));
        assert!(TcpStream::connect((LOCAL, ports.last)).is_ok());
        outside.sweep();
        let one = Ports { last: ports.first, ..ports };
        assert_eq!(open(&mut outside, one), Ok(()), "it is open already");
        outside.sweep();
        assert!(TcpStream::connect((LOCAL, ports.first)).is_ok());
        assert!(TcpStream::connect((LOCAL, ports.last)).is_err(), "nobody asked for it");
        outside.close(ports);
        assert!(TcpStream::connect((LOCAL, ports.first)).is_err());
    }
}
