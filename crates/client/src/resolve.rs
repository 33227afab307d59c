//! Names to addresses without getaddrinfo, which loads host libraries into a static binary.

use std::net::{IpAddr, SocketAddr};

use crate::error::{Error, Result};

/// An address literal, or a name that /etc/hosts knows.
pub(crate) fn resolve(name: &str, port: u16) -> Result<SocketAddr> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let address = look_up(&hosts, name).ok_or_else(|| Error::Resolve { name: name.to_owned() })?;
    Ok(SocketAddr::new(address, port))
}

fn look_up(hosts: &str, wanted: &str) -> Option<IpAddr> {
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(wanted)).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_on_any_place_of_a_line() {
        let hosts = "# comment\n127.0.0.1 localhost\n10.0.0.7\tbuild.example Build # mine\n";
        assert_eq!(look_up(hosts, "build"), "10.0.0.7".parse().ok());
        assert_eq!(look_up(hosts, "mine"), None);
        assert_eq!(look_up(hosts, "comment"), None);
    }
}
