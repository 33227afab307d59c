//! The address of a server by its name: /etc/hosts, then the servers of /etc/resolv.conf. The C library's resolver
//! would load code of the host into this process.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(3);
const A: u16 = 1;
const AAAA: u16 = 28;

pub fn address(name: &str) -> io::Result<IpAddr> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    if let Some(ip) = in_hosts(&hosts, name) {
        return Ok(ip);
    }
    let config = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = config.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let mut failure = io::Error::other("no such host");
    for server in servers.filter_map(|server| server.trim().parse::<IpAddr>().ok()) {
        for kind in [A, AAAA] {
            match ask(SocketAddr::new(server, 53), name, kind) {
                Ok(Some(ip)) => return Ok(ip),
                Ok(None) => {}
                Err(error) => failure = error,
            }
        }
    }
    Err(failure)
}

fn in_hosts(hosts: &str, name: &str) -> Option<IpAddr> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or(""));
    lines.into_iter().find_map(|line| {
        let mut words = line.split_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(ip)
    })
}

fn ask(server: SocketAddr, name: &str, kind: u16) -> io::Result<Option<IpAddr>> {
    let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    // A port of its own, which nobody else can guess, tells this question from others.
    let id = socket.local_addr()?.port().to_be_bytes();
    socket.send(&question(id, name, kind)?)?;
    let mut answer = [0; 4096];
    let length = socket.recv(&mut answer)?;
    let answer = answer[..length].strip_prefix(&id);
    Ok(answer.and_then(|answer| answered(answer, kind)))
}

fn question(id: [u8; 2], name: &str, kind: u16) -> io::Result<Vec<u8>> {
    let mut bytes = id.to_vec();
    // One question, recursion desired.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length));
        bytes.push(length.ok_or_else(|| io::Error::other("no such host"))?);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    Ok(bytes)
}

/// The first address of that kind in an answer, from behind its id. Aliases come before what they stand for, and are
/// passed over.
fn answered(answer: &[u8], kind: u16) -> Option<IpAddr> {
    let number = |at: usize| Some(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?]));
    let (questions, records) = (number(2)?, number(4)?);
    let mut at = 10;
    for _ in 0..questions {
        at = after_name(answer, at)? + 4;
    }
    for _ in 0..records {
        at = after_name(answer, at)?;
        let (found, length) = (number(at)?, usize::from(number(at + 8)?));
        let data = answer.get(at + 10..at + 10 + length)?;
        match (found == kind, data.len()) {
            (true, 4) => return Some(<[u8; 4]>::try_from(data).ok()?.into()),
            (true, 16) => return Some(<[u8; 16]>::try_from(data).ok()?.into()),
            _ => at += 10 + length,
        }
    }
    None
}

/// A name ends with an empty label, or with a pointer to the rest of it.
fn after_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_comes_first() {
        let hosts = "127.0.0.1 localhost\n# 1.2.3.4 no\n10.0.0.7 nas nas.example # mine\n";
        assert_eq!(in_hosts(hosts, "NAS"), Some([10, 0, 0, 7].into()));
        assert_eq!(in_hosts(hosts, "no"), None);
    }

    #[test]
    fn an_alias_is_passed_over_and_nonsense_is_none() {
        let mut answer = question([0, 0], "nas.example", A).unwrap()[2..].to_vec();
        answer[5] = 2;
        // An alias, by a pointer to the question's name, then the address.
        answer.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12]);
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 7]);
        assert_eq!(answered(&answer, A), Some([10, 0, 0, 7].into()));
        assert_eq!(answered(&answer, AAAA), None);
        for length in 0..answer.len() {
            assert_eq!(answered(&answer[..length], A), None, "{length}");
        }
        assert_eq!(answered(&[0xff; 600], A), None);
    }

    #[test]
    fn names_that_are_none_are_not_asked_for() {
        for name in ["", "a..b", &"a".repeat(64)] {
            assert!(question([0, 0], name, A).is_err(), "{name}");
        }
    }
}
