//! The container's end of its name server: sockets in its namespace, and rules that lead port 53 of 127.0.0.11 to them.
//!
//! The sockets have random ports, since a container may bind port 53 of all addresses itself. Only numbers of ports are
//! rewritten, in one table of the namespace, without connection tracking:
//!
//! ```text
//! queries   output, -90     ip daddr 127.0.0.11 udp dport 53 udp dport set U (and so tcp)
//! answers   output, -300    ip saddr 127.0.0.11 udp sport U udp sport set 53 (and so tcp)
//! ```
//!
//! A container that tracks connections itself, or has rules for port 53, sees port 53 both ways.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use sys::netlink::{Protocol as Netlink, Socket};

use crate::error::{Context, Result};
use crate::nft::{Chain, ChainKind, Rule, Side, Table, TableFamily, Transaction};
use crate::publish::Protocol;

/// Where containers ask.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

const PORT: u16 = 53;
const TABLE: &str = "gantry_dns";
const QUERIES: &str = "queries";
const ANSWERS: &str = "answers";
/// Connections that wait to be accepted, while an engine is replaced too.
const BACKLOG: i32 = 64;

/// What queries arrive at; not blocking. As long as one of them is open somewhere, the namespace is.
#[derive(Debug)]
pub struct Sockets {
    pub udp: OwnedFd,
    /// It listens.
    pub tcp: OwnedFd,
}

/// Made in a namespace before it is known whether it is needed: it costs nobody anything until rules lead to it.
#[derive(Debug)]
pub(crate) struct Prepared {
    sockets: Sockets,
    netfilter: Socket,
}

impl Prepared {
    /// Runs inside the namespace, whose loopback is up.
    pub(crate) fn new() -> io::Result<Self> {
        let udp = bind(SocketType::DGRAM)?;
        let tcp = bind(SocketType::STREAM)?;
        net::listen(&tcp, BACKLOG)?;
        Ok(Self { sockets: Sockets { udp, tcp }, netfilter: Socket::open(Netlink::Netfilter)? })
    }

    /// Leads queries to the sockets; rules of an earlier time are replaced.
    pub(crate) fn lead(mut self) -> Result<Sockets> {
        let action = || "lead the container to its name server".to_owned();
        let mut transaction = Transaction::new(TableFamily::Inet);
        let table = Table { name: TABLE, flags: 0 };
        transaction.ensure_table(table);
        transaction.delete_table(TABLE);
        transaction.create_table(table);
        for (name, priority) in [(QUERIES, -90), (ANSWERS, -300)] {
            let kind = ChainKind::OutputFilter { priority };
            transaction.create_chain(TABLE, &Chain { name, kind });
        }
        for (protocol, socket) in
            [(Protocol::Udp, &self.sockets.udp), (Protocol::Tcp, &self.sockets.tcp)]
        {
            let port = port(socket).context(action)?;
            let queries = Rule::new()
                .ipv4_address(Side::Destination, ADDRESS)
                .port(protocol, Side::Destination, PORT)
                .set_port(protocol, Side::Destination, port);
            let answers = Rule::new()
                .ipv4_address(Side::Source, ADDRESS)
                .port(protocol, Side::Source, port)
                .set_port(protocol, Side::Source, PORT);
            transaction.append_rule(TABLE, QUERIES, &queries);
            transaction.append_rule(TABLE, ANSWERS, &answers);
        }
        transaction.commit(&mut self.netfilter).context(action)?;
        Ok(self.sockets)
    }
}

fn bind(kind: SocketType) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::INET, kind, flags, None)?;
    net::bind(&socket, &SocketAddr::new(IpAddr::V4(ADDRESS), 0))?;
    Ok(socket)
}

fn port(socket: &OwnedFd) -> io::Result<u16> {
    let address = SocketAddr::try_from(net::getsockname(socket.as_fd())?)?;
    Ok(address.port())
}
