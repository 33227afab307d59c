//! The engine's network options, under dockerd's names.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::publish::Outside;
use crate::subnet::{InvalidSubnet, Subnet, parse_cidr, to_bits};

/// What the engine's flags and its configuration file say about networks.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--bip`: the default bridge's address and subnet, e.g. `10.200.0.1/24`.
    pub bip: Option<BridgeAddress>,
    /// `--bridge`: one of the host's own is the default bridge.
    pub bridge: Option<String>,
    /// `--bridge none`: nobody can join the default network, which has no bridge.
    pub without_default: bool,
    /// `--fixed-cidr`: what the default bridge's containers have addresses of, within the bridge's subnet.
    pub fixed_cidr: Option<Subnet>,
    /// `--ipv6`: the default bridge has it, too.
    pub ipv6: bool,
    /// `--fixed-cidr-v6`: its subnet there; one of the engine's choice if None.
    pub fixed_cidr_v6: Option<Subnet>,
    /// `--default-gateway`, `--default-gateway-v6`: where the default bridge's containers send to, instead of the bridge.
    pub gateways: Vec<IpAddr>,
    /// `--default-address-pool`, in order of preference; [`AddressPool::defaults`] unless given.
    pub pools: Vec<AddressPool>,
    /// `--mtu`: of the default bridge and its containers.
    pub mtu: u32,
    /// `--icc`: whether containers on the default bridge reach one another.
    pub icc: bool,
    /// `--ip-masq`: whether containers' traffic leaves with the host's address.
    pub ip_masq: bool,
    /// `--ip-forward`: whether to turn on forwarding in the kernel. Without it containers reach the host only.
    pub ip_forward: bool,
    /// `--ip`: where ports are published unless a container says where; everywhere if None.
    pub ip: Option<IpAddr>,
    /// Whether the kernel is to keep others from changing the table, where it can. Else it is put back, as on kernels
    /// that cannot.
    pub protected: bool,
    /// `--iptables`, and `publish.mode`: how much of its rules the engine writes.
    pub rules: Rules,
    /// Who serves the host's ports where the table does not, or where the host's network is another one.
    pub outside: Option<Arc<dyn Outside>>,
    /// The socket of the system bus, on which firewalld may be; None where firewalld is not about our bridges.
    pub system_bus: Option<PathBuf>,
}

/// What the engine's tables have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    #[default]
    All,
    /// Published ports lead nowhere: somebody else serves them.
    AllButPorts,
    /// There are no tables. Networks are not apart, and nothing is masqueraded but by rules of the administrator's.
    None,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bip: None,
            bridge: None,
            without_default: false,
            fixed_cidr: None,
            ipv6: false,
            fixed_cidr_v6: None,
            gateways: Vec::new(),
            pools: AddressPool::defaults(),
            mtu: 1500,
            icc: true,
            ip_masq: true,
            ip_forward: true,
            ip: None,
            protected: true,
            rules: Rules::All,
            outside: None,
            system_bus: None,
        }
    }
}

/// The value of `--bip`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeAddress {
    pub gateway: Ipv4Addr,
    pub subnet: Subnet,
}

impl FromStr for BridgeAddress {
    type Err = InvalidSubnet;

    /// The address must be one that a host may have, in a subnet with room for a container.
    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let (ip, prefix_len) = parse_cidr(text)?;
        let subnet = Subnet::around(ip, prefix_len);
        match ip {
            IpAddr::V4(gateway) if prefix_len <= 30 && subnet.hosts().contains(&to_bits(ip)) => {
                Ok(Self { gateway, subnet })
            }
            _ => Err(InvalidSubnet(text.to_owned())),
        }
    }
}

/// A range that networks take their subnets from: `base=172.80.0.0/16,size=24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPool {
    pub base: Subnet,
    /// The prefix length of each network's subnet.
    pub size: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid default address pool {pool:?}: {reason}")]
pub struct InvalidPool {
    pool: String,
    reason: &'static str,
}

impl AddressPool {
    /// 172.17.0.0/16 comes first because 172.17.0.1 is where people's scripts look for Docker's host.
    pub fn defaults() -> Vec<AddressPool> {
        [([172, 17, 0, 0], 16), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)]
            .map(|(base, prefix_len)| AddressPool {
                base: Subnet::around(base, prefix_len),
                size: 24,
            })
            .to_vec()
    }
}

impl FromStr for AddressPool {
    type Err = InvalidPool;

    fn from_str(text: &str) -> Result<Self, InvalidPool> {
        let invalid = |reason| InvalidPool { pool: text.to_owned(), reason };
        let (mut base, mut size) = (None, None);
        for field in text.split(',') {
            match field.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("base", value)) => base = value.parse::<Subnet>().ok(),
                Some(("size", value)) => size = value.parse::<u8>().ok(),
                _ => return Err(invalid("expected base=SUBNET,size=PREFIX")),
            }
        }
        let base = base.ok_or_else(|| invalid("base must be a subnet"))?;
        let size = size.ok_or_else(|| invalid("size must be a prefix length"))?;
        let smallest = if base.is_ipv4() { 30 } else { 126 };
        if size < base.prefix_len() || size > smallest {
            return Err(invalid(
                "size must lie between the prefix length of base and 30 (126 for IPv6)",
            ));
        }
        Ok(Self { base, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bip_is_an_address_within_its_subnet() {
        let bip: BridgeAddress = "10.200.0.1/24".parse().expect("a bridge address");
        assert_eq!(
            (bip.gateway.to_string(), bip.subnet.to_string()),
            ("10.200.0.1".into(), "10.200.0.0/24".into())
        );
        for text in ["10.200.0.0/24", "10.200.0.255/24", "10.200.0.1/31", "10.200.0.1", "::1/64"] {
            assert!(text.parse::<BridgeAddress>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn pools_are_read_in_dockers_notation() {
        let pool: AddressPool = "base=172.80.0.0/16,size=24".parse().expect("a pool");
        assert_eq!((pool.base.to_string(), pool.size), ("172.80.0.0/16".into(), 24));
        for text in [
            "",
            "base=172.80.0.0/16",
            "size=24",
            "base=172.80.0.0/16,size=8",
            "base=x,size=24",
            "base=10.0.0.0/8,size=31",
            "base=fd00::/48,size=127",
        ] {
            assert!(text.parse::<AddressPool>().is_err(), "{text:?} was accepted");
        }
    }
}
