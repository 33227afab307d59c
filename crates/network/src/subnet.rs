//! Subnets of either family, as ranges of numbers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IP network, `172.17.0.0/24`, `fd00::/64`. The address has no bits beyond the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    address: IpAddr,
    prefix_len: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid CIDR address: {0}")]
pub struct InvalidSubnet(pub(crate) String);

impl Subnet {
    /// The subnet of that size which `ip` lies in. A prefix longer than the address is as long.
    pub fn around(ip: impl Into<IpAddr>, prefix_len: u8) -> Self {
        let ip = ip.into();
        let prefix_len = prefix_len.min(width(ip));
        let first = to_bits(ip) & !host_mask(ip, prefix_len);
        Self { address: from_bits(ip, first), prefix_len }
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    pub fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// The last address. In IPv4 it is the one that reaches all.
    pub fn last(&self) -> IpAddr {
        self.ip(self.last_bits())
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        self.covers(&Subnet::around(ip, u8::MAX))
    }

    /// Whether all of the other lies in this one.
    pub fn covers(&self, other: &Subnet) -> bool {
        self.overlaps(other) && self.prefix_len <= other.prefix_len
    }

    pub fn overlaps(&self, other: &Subnet) -> bool {
        self.is_ipv4() == other.is_ipv4()
            && self.first_bits() <= other.last_bits()
            && other.first_bits() <= self.last_bits()
    }

    /// Every subnet of the size `prefix_len` within this one, in order; none if that is a larger size.
    pub fn split(&self, prefix_len: u8) -> impl Iterator<Item = Subnet> + use<> {
        let whole = *self;
        let prefix_len = prefix_len.min(width(self.address));
        // The whole space of IPv6 has no next of its size.
        let step = host_mask(self.address, prefix_len).checked_add(1);
        let first = (prefix_len >= self.prefix_len).then(|| self.first_bits());
        let firsts = std::iter::successors(first, move |at| {
            at.checked_add(step?).filter(|next| *next <= whole.last_bits())
        });
        firsts.map(move |first| Subnet { address: whole.ip(first), prefix_len })
    }

    /// The addresses that hosts may have: in IPv4 all but the network's own and the last, in IPv6 all but the first,
    /// which means every router. In the two smallest sizes every address is a host's (RFC 3021, RFC 6164).
    pub(crate) fn hosts(&self) -> Range<u128> {
        let end = self.last_bits().saturating_add(1);
        if self.prefix_len + 2 > width(self.address) {
            return self.first_bits()..end;
        }
        let end = if self.is_ipv4() { self.last_bits() } else { end };
        self.first_bits() + 1..end
    }

    /// The address of that number, of this subnet's family.
    pub(crate) fn ip(&self, bits: u128) -> IpAddr {
        from_bits(self.address, bits)
    }

    pub(crate) fn first_bits(&self) -> u128 {
        to_bits(self.address)
    }

    pub(crate) fn last_bits(&self) -> u128 {
        self.first_bits() | host_mask(self.address, self.prefix_len)
    }
}

pub(crate) fn to_bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn from_bits(family: IpAddr, bits: u128) -> IpAddr {
    match family {
        // Numbers of IPv4 addresses come from such: nothing is cut off.
        IpAddr::V4(_) => Ipv4Addr::from_bits(bits as u32).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(bits).into(),
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// The bits beyond the prefix.
fn host_mask(ip: IpAddr, prefix_len: u8) -> u128 {
    let all = u128::MAX >> (128 - u32::from(width(ip)));
    all.checked_shr(prefix_len.into()).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    /// `10.0.0.0/8`; bits beyond the prefix are cut off.
    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let (ip, prefix_len) = parse_cidr(text)?;
        Ok(Self::around(ip, prefix_len))
    }
}

impl TryFrom<String> for Subnet {
    type Error = InvalidSubnet;
    fn try_from(text: String) -> Result<Self, InvalidSubnet> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        subnet.to_string()
    }
}

/// An address with the size of its subnet, `172.17.0.1/16`, as --bip takes it.
pub fn parse_cidr(text: &str) -> Result<(IpAddr, u8), InvalidSubnet> {
    let invalid = || InvalidSubnet(text.to_owned());
    let (ip, prefix_len) = text.split_once('/').ok_or_else(invalid)?;
    let ip: IpAddr = ip.parse().map_err(|_| invalid())?;
    let prefix_len = prefix_len.parse().ok().filter(|len| *len <= width(ip)).ok_or_else(invalid)?;
    Ok((ip, prefix_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect("a subnet")
    }

    #[test]
    fn bits_beyond_the_prefix_are_cut_off() {
        assert_eq!(subnet("172.17.3.9/24").to_string(), "172.17.3.0/24");
        assert_eq!(subnet("1.2.3.4/0").to_string(), "0.0.0.0/0");
        assert_eq!(subnet("1.2.3.4/32").to_string(), "1.2.3.4/32");
        assert_eq!(subnet("fd00:1:2:3::4/48").to_string(), "fd00:1:2::/48");
        assert_eq!(subnet("::1/128").to_string(), "::1/128");
    }

    #[test]
    fn malformed_subnets_are_refused() {
        for text in
            ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129"]
        {
            assert!(text.parse::<Subnet>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn overlap_is_containment_either_way() {
        assert!(subnet("172.16.0.0/12").overlaps(&subnet("172.17.5.0/24")));
        assert!(subnet("172.17.5.0/24").overlaps(&subnet("172.16.0.0/12")));
        assert!(!subnet("172.17.5.0/24").overlaps(&subnet("172.17.6.0/24")));
        assert!(subnet("0.0.0.0/0").overlaps(&subnet("255.255.255.255/32")));
        assert!(!subnet("0.0.0.0/0").overlaps(&subnet("::/0")), "families do not meet");
        assert!(subnet("fd00::/8").covers(&subnet("fd12::/64")));
        assert!(!subnet("fd12::/64").covers(&subnet("fd00::/8")));
        assert!(subnet("fd12::/64").contains("fd12::7".parse().expect("an address")));
    }

    #[test]
    fn splits_into_subnets_in_order() {
        let parts: Vec<String> = subnet("10.0.0.0/22").split(24).map(|s| s.to_string()).collect();
        assert_eq!(parts, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]);
        assert_eq!(subnet("10.0.0.0/24").split(24).count(), 1);
        assert_eq!(subnet("10.0.0.0/24").split(16).count(), 0);
        assert_eq!(subnet("0.0.0.0/0").split(1).count(), 2);
        assert_eq!(subnet("255.255.255.254/31").split(32).count(), 2);
        let parts: Vec<String> = subnet("fd00::/62").split(64).map(|s| s.to_string()).collect();
        assert_eq!(parts, ["fd00::/64", "fd00:0:0:1::/64", "fd00:0:0:2::/64", "fd00:0:0:3::/64"]);
        assert_eq!(subnet("::/0").split(0).count(), 1);
    }

    #[test]
    fn hosts_leave_out_the_addresses_of_the_network() {
        let hosts = |text: &str| {
            let subnet = subnet(text);
            subnet.hosts().map(|bits| subnet.ip(bits).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(hosts("10.0.0.0/30"), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(hosts("fd00::/126"), ["fd00::1", "fd00::2", "fd00::3"]);
        assert_eq!(hosts("10.0.0.0/31"), ["10.0.0.0", "10.0.0.1"]);
        assert_eq!(hosts("fd00::7/128"), ["fd00::7"]);
    }
}
