//! The kernel's switches for forwarding packets between links.

use std::fs;

use crate::error::{Context, Result};

const IP_FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

pub(crate) fn is_enabled() -> Result<bool> {
    let value = fs::read_to_string(IP_FORWARD).context(|| format!("read {IP_FORWARD}"))?;
    Ok(value.trim() != "0")
}

pub(crate) fn enable() -> Result<()> {
    fs::write(IP_FORWARD, "1").context(|| format!("turn on forwarding in {IP_FORWARD}"))
}

/// Lets this host's loopback addresses reach containers on the bridge, and their answers come back. Only once the table
/// is there, which drops such addresses where they come from any other link (CVE-2020-8558).
pub(crate) fn allow_loopback(bridge: &str) -> Result<()> {
    let key = format!("/proc/sys/net/ipv4/conf/{bridge}/route_localnet");
    fs::write(&key, "1").context(|| format!("route loopback addresses by {key}"))
}

/// Whether the kernel shows bridged packets to IP's hooks, as Docker and Kubernetes have it. A packet whose destination
/// is changed to another container's address is bridged then, and so must leave by the port it came by when that
/// container is its own.
pub(crate) fn sees_bridged_packets() -> bool {
    fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables")
        .is_ok_and(|value| value.trim() != "0")
}

pub(crate) fn is_enabled_ipv6() -> Result<bool> {
    let path = "/proc/sys/net/ipv6/conf/all/forwarding";
    let value = fs::read_to_string(path).context(|| format!("read {path}"))?;
    Ok(value.trim() != "0")
}

/// As Docker does it, with the first network that has IPv6. A kernel without IPv6 has refused the network before. Links
/// that take their addresses and routes from router advertisements would stop doing so on a host that forwards.
pub(crate) fn enable_ipv6(links: &[String]) -> Result<()> {
    for link in links {
        let path = format!("/proc/sys/net/ipv6/conf/{link}/accept_ra");
        // One that is gone, or has no IPv6, takes nothing.
        if fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
            fs::write(&path, "2").context(|| format!("keep listening to routers in {path}"))?;
        }
    }
    for scope in ["default", "all"] {
        let path = format!("/proc/sys/net/ipv6/conf/{scope}/forwarding");
        fs::write(&path, "1").context(|| format!("turn on forwarding in {path}"))?;
    }
    Ok(())
}
