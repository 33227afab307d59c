//! The kernel's switch for forwarding packets between links.

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
