//! Servers of others that tests start for themselves: Debian's syslog, journal and ssh daemons, its registry and firewalld.

use std::path::PathBuf;

use crate::archive::sha256;
use crate::packages::Packages;

const NAMES: &[&str] =
    &["rsyslog", "rsyslog-openssl", "systemd", "openssh-server", "openssh-client"];

/// Apart from the others, whose packages need not be fetched again for it.
const REGISTRY: &[&str] = &["docker-registry"];

const FIREWALL: &[&str] = &["firewalld", "dbus-daemon", "dbus-bin"];

const UFW: &[&str] = &["ufw", "iptables", "procps"];

/// Fetches them if they are not in the cache, which is `GANTRY_SERVERS`, else one in /var/cache. Err is the reason to skip.
pub fn fetch() -> Result<Packages, String> {
    fetch_list(REGISTRY)?;
    fetch_list(FIREWALL)?;
    fetch_list(UFW)?;
    fetch_list(NAMES)
}

/// firewalld and a bus; `None`, and a line that says so, where they cannot be had.
pub fn firewall_at_hand(test: &str) -> Option<Packages> {
    fetch_list(FIREWALL).inspect_err(|why| crate::skip(test, why)).ok()
}

/// ufw and the iptables that it drives; `None`, and a line that says so, where they cannot be had.
pub fn ufw_at_hand(test: &str) -> Option<Packages> {
    fetch_list(UFW).inspect_err(|why| crate::skip(test, why)).ok()
}

/// Debian's registry alone.
pub fn fetch_registry() -> Result<Packages, String> {
    fetch_list(REGISTRY)
}

fn fetch_list(names: &[&str]) -> Result<Packages, String> {
    let cache = std::env::var_os("GANTRY_SERVERS")
        .map_or("/var/cache/gantry/servers".into(), PathBuf::from);
    let list = &sha256(names.join(" ").as_bytes())[..8];
    Packages::fetch(&cache.join(list), names, |_| Ok(()))
}

/// Those servers for a test; `None`, and a line that says so, where they cannot be had.
pub fn at_hand(test: &str) -> Option<Packages> {
    fetch().inspect_err(|why| crate::skip(test, why)).ok()
}
