//! IPv4 subnets as ranges of numbers.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network, `172.17.0.0/24`. The address has no bits beyond the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    first: u32,
    prefix_len: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid CIDR address: {0}")]
pub struct InvalidSubnet(pub(crate) String);

impl Subnet {
    /// The subnet of that size which `ip` lies in. A prefix longer than 32 is 32.
    pub fn around(ip: Ipv4Addr, prefix_len: u8) -> Self {
        let prefix_len = prefix_len.min(32);
        Self { first: ip.to_bits() & mask(prefix_len), prefix_len }
    }

    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first)
    }

    pub fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.last())
    }

    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        ip.to_bits() & mask(self.prefix_len) == self.first
    }

    pub fn overlaps(&self, other: &Subnet) -> bool {
        self.first <= other.last() && other.first <= self.last()
    }

    /// Every subnet of the size `prefix_len` within this one, in order; none if that is a larger size.
    pub fn split(&self, prefix_len: u8) -> impl Iterator<Item = Subnet> + use<> {
        let (first, last) = (u64::from(self.first), u64::from(self.last()));
        let step = 1_u64 << (32 - prefix_len.clamp(self.prefix_len, 32));
        let count = if prefix_len < self.prefix_len { 0 } else { (last - first + 1) / step };
        (0..count).map(move |index| Subnet { first: (first + index * step) as u32, prefix_len })
    }

    /// The addresses that hosts may have: all but the network's own and the broadcast address.
    /// Empty for /31 and /32, which have no room for a gateway and a container.
    pub(crate) fn hosts(&self) -> std::ops::Range<u32> {
        match self.prefix_len {
            0..=30 => self.first + 1..self.last(),
            _ => 0..0,
        }
    }

    /// The last address; the whole space's has all bits set.
    pub(crate) fn last(&self) -> u32 {
        self.first | !mask(self.prefix_len)
    }
}

fn mask(prefix_len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.prefix_len)
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

/// An address with the size of its subnet, `172.17.0.1/16`, as --bip takes it.
pub(crate) fn parse_cidr(text: &str) -> Result<(Ipv4Addr, u8), InvalidSubnet> {
    let invalid = || InvalidSubnet(text.to_owned());
    let (ip, prefix_len) = text.split_once('/').ok_or_else(invalid)?;
    let ip = ip.parse().map_err(|_| invalid())?;
    let prefix_len = prefix_len.parse().ok().filter(|len| *len <= 32).ok_or_else(invalid)?;
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
    }

    #[test]
    fn malformed_subnets_are_refused() {
        for text in
            ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8/8", "::/0"]
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
    }

    #[test]
    fn splits_into_subnets_in_order() {
        let parts: Vec<String> = subnet("10.0.0.0/22").split(24).map(|s| s.to_string()).collect();
        assert_eq!(parts, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]);
        assert_eq!(subnet("10.0.0.0/24").split(24).count(), 1);
        assert_eq!(subnet("10.0.0.0/24").split(16).count(), 0);
        assert_eq!(subnet("0.0.0.0/0").split(1).count(), 2);
    }

    #[test]
    fn hosts_leave_out_network_and_broadcast() {
        let hosts = subnet("10.0.0.0/30").hosts();
        assert_eq!(
            hosts.map(|bits| Ipv4Addr::from_bits(bits).to_string()).collect::<Vec<_>>(),
            ["10.0.0.1", "10.0.0.2"]
        );
        assert!(subnet("10.0.0.0/31").hosts().is_empty());
    }
}
