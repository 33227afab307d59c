//! What belongs to which engine: every name an engine leaves in the kernel is derived from its data root.

use std::net::Ipv6Addr;

use sha2::{Digest, Sha256};

use crate::subnet::Subnet;

/// The names of one engine's kernel objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    digest: [u8; 32],
}

impl Identity {
    /// `seed` is anything that is the data root's alone and stays the same, such as the engine's stored ID.
    pub fn new(seed: &str) -> Self {
        Self { digest: Sha256::digest(seed).into() }
    }

    /// The eight hex digits that tell engines apart.
    pub fn short(&self) -> String {
        hex(&self.digest[..4])
    }

    /// The nftables table, in family inet.
    pub fn table(&self) -> String {
        format!("gantry-{}", self.short())
    }

    /// The bridge's name where another engine has `gantry0`. 15 characters, the most a link's name may have.
    pub fn bridge(&self) -> String {
        format!("gantry-{}", self.short())
    }

    /// The link group of the bridge and of every host end of a veth pair. Even and never 0, the default group.
    pub fn link_group(&self) -> u32 {
        let [a, b, c, d, ..] = self.digest;
        // Some tools print groups as signed numbers: the top bit stays clear.
        (u32::from_be_bytes([a, b, c, d]) & 0x7fff_fffe).max(2)
    }

    /// The group that links are moved to in order to be deleted together.
    pub fn doomed_group(&self) -> u32 {
        self.link_group() + 1
    }

    /// Where its IPv6 subnets come from unless pools are given: a unique local /48 (RFC 4193), 40 of its bits as good as
    /// random.
    pub(crate) fn local_ipv6(&self) -> Subnet {
        let mut octets = [0; 16];
        octets[0] = 0xfd;
        octets[1..6].copy_from_slice(&self.digest[8..13]);
        Subnet::around(Ipv6Addr::from(octets), 48)
    }

    /// The ID, 64 hex digits, of the engine's network of that name.
    pub fn network_id(&self, name: &str) -> String {
        let digest: [u8; 32] =
            Sha256::new().chain_update(self.digest).chain_update(name).finalize().into();
        hex(&digest)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_kernels_limits_and_differ_between_engines() {
        let (one, two) = (Identity::new("one"), Identity::new("two"));
        assert_eq!(one.bridge().len(), 15);
        assert_ne!(one.table(), two.table());
        assert_ne!(one.link_group(), two.link_group());
        assert_ne!(one.doomed_group(), two.link_group());
    }

    #[test]
    fn ipv6_is_local_and_each_engines_own() {
        let (one, two) = (Identity::new("one").local_ipv6(), Identity::new("two").local_ipv6());
        assert!("fd00::/8".parse::<Subnet>().expect("a subnet").covers(&one));
        assert!(one.prefix_len() == 48 && !one.overlaps(&two));
    }

    #[test]
    fn network_ids_are_stable_and_distinct() {
        let one = Identity::new("one");
        assert_eq!(one.network_id("bridge"), Identity::new("one").network_id("bridge"));
        assert_ne!(one.network_id("bridge"), one.network_id("host"));
        assert_ne!(one.network_id("bridge"), Identity::new("two").network_id("bridge"));
        assert_eq!(one.network_id("bridge").len(), 64);
    }
}
