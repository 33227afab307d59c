//! What is asked for, and what came of it. Neighbouring ports are one value, however many they are.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// As IP has it.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = ();

    /// In either case, as Docker reads it.
    fn from_str(text: &str) -> Result<Self, ()> {
        let is = |protocol: &Self| protocol.as_str().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is).ok_or(())
    }
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

impl Ports {
    pub fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }

    pub fn is_one(self) -> bool {
        self.first == self.last
    }

    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.first..=self.last
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_one() {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// A container's ports that are to be reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub protocol: Protocol,
    pub container: Ports,
    /// None for every address of the host, of either family.
    pub ip: Option<IpAddr>,
    pub host: HostPorts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPorts {
    /// Each container port has one out of the kernel's range of ephemeral ports.
    Ephemeral,
    /// Of the same number, in the same order.
    Exactly(Ports),
    /// Each container port has one of these.
    OneOf(Ports),
}

/// Ports of the host that lead to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    pub protocol: Protocol,
    /// An unspecified address stands for all of its family.
    pub ip: IpAddr,
    pub host: Ports,
    /// Of the first one; the others follow in order.
    pub container_port: u16,
}

impl Mapping {
    /// The container's port behind one of the host's.
    pub fn behind(&self, host_port: u16) -> u16 {
        self.container_port + (host_port - self.host.first)
    }

    pub fn container(&self) -> Ports {
        Ports { first: self.container_port, last: self.behind(self.host.last) }
    }

    /// Whether both sides have the same numbers.
    pub(crate) fn is_straight(&self) -> bool {
        self.host.first == self.container_port
    }
}

/// `0.0.0.0:80`, `[::1]:8000-8010`
impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.host),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.host),
        }
    }
}

/// Where a container is to be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
}

impl Target {
    /// Where the first port of the mapping leads to; none where there is no way.
    pub fn behind(&self, mapping: &Mapping) -> Option<SocketAddr> {
        let ipv4 = self.ipv4.map(IpAddr::V4);
        let ip = match mapping.ip {
            IpAddr::V4(_) => ipv4,
            IpAddr::V6(_) => self.ipv6.map(IpAddr::V6).or(ipv4),
        };
        ip.map(|ip| SocketAddr::new(ip, mapping.container_port))
    }
}
