//! Hardware addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An Ethernet address, written `02:42:ac:11:00:02`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress(pub [u8; 6]);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid MAC address: {0}")]
pub struct InvalidMac(String);

impl MacAddress {
    /// Docker's rule: a locally administered prefix and the IPv4 address, so that an address which moves to
    /// another container does not leave stale neighbour entries behind.
    pub fn from_ip(ip: Ipv4Addr) -> Self {
        let [a, b, c, d] = ip.octets();
        Self([0x02, 0x42, a, b, c, d])
    }

    /// The address that a link with this one gives itself (RFC 4291, appendix A).
    pub(crate) fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0.map(u16::from);
        let words = [(a ^ 2) << 8 | b, c << 8 | 0xff, 0xfe00 | d, e << 8 | f];
        Ipv6Addr::new(0xfe80, 0, 0, 0, words[0], words[1], words[2], words[3])
    }

    /// For a container without an IPv4 address: locally administered, the rest out of random hexadecimal digits.
    pub(crate) fn local(random: &str) -> Self {
        let octet =
            |at: usize| random.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let [c, d, e, f] = [0, 2, 4, 6].map(|at| octet(at).unwrap_or_default());
        Self([0x02, 0x42, c, d, e, f])
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMac;

    /// Six groups of two hexadecimal digits, separated by colons or dashes.
    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let invalid = || InvalidMac(text.to_owned());
        let mut octets = [0; 6];
        let mut groups = text.split([':', '-']);
        for octet in &mut octets {
            let group = groups.next().filter(|group| group.len() == 2).ok_or_else(invalid)?;
            if !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(invalid());
            }
            *octet = u8::from_str_radix(group, 16).map_err(|_| invalid())?;
        }
        if groups.next().is_some() {
            return Err(invalid());
        }
        Ok(Self(octets))
    }
}

impl TryFrom<String> for MacAddress {
    type Error = InvalidMac;
    fn try_from(text: String) -> Result<Self, InvalidMac> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> String {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_from_the_address_as_docker_does() {
        assert_eq!(
            MacAddress::from_ip(Ipv4Addr::new(172, 17, 0, 2)).to_string(),
            "02:42:ac:11:00:02"
        );
    }

    #[test]
    fn both_notations_are_read() {
        let mac = MacAddress([2, 0x42, 0xac, 0x11, 0, 0xff]);
        assert_eq!("02:42:ac:11:00:ff".parse(), Ok(mac));
        assert_eq!("02-42-AC-11-00-FF".parse(), Ok(mac));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "02:42:ac:11:00", "02:42:ac:11:00:ff:00", "2:42:ac:11:0:ff", "02:42:ac:11:00:+f"]
        {
            assert!(text.parse::<MacAddress>().is_err(), "{text:?} was accepted");
        }
    }
}
