//! Names of servers, without getaddrinfo: literals and /etc/hosts first, then the host's name servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn resolve(name: &str, port: u16) -> io::Result<SocketAddr> {
    let known = name.parse::<IpAddr>().ok().or_else(|| {
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        look_up(&hosts, name)
    });
    let address = match known {
        Some(address) => address,
        None => ask(name).await.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("lookup {name}: no such host"))
        })?,
    };
    Ok(SocketAddr::new(address, port))
}

fn look_up(hosts: &str, wanted: &str) -> Option<IpAddr> {
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(wanted)).then_some(address)
    })
}

/// Asks each name server in turn for an A record.
async fn ask(name: &str) -> Option<IpAddr> {
    let configuration = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = configuration.lines().filter_map(|line| {
        let server = line.strip_prefix("nameserver")?.trim();
        server.parse::<IpAddr>().ok()
    });
    let question = question(name)?;
    for server in servers {
        if let Ok(Ok(Some(address))) =
            tokio::time::timeout(PATIENCE, ask_one(server, &question)).await
        {
            return Some(address);
        }
    }
    None
}

async fn ask_one(server: IpAddr, question: &[u8]) -> io::Result<Option<IpAddr>> {
    let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected: answers of others are not received.
    socket.connect((server, 53)).await?;
    socket.send(question).await?;
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer).await?;
    Ok(first_address(&answer[..length], question))
}

/// One question of type A, recursion desired.
fn question(name: &str) -> Option<Vec<u8>> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).ok()?;
    let mut packet = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        packet.push(length);
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, 1, 0, 1]);
    Some(packet)
}

fn first_address(answer: &[u8], question: &[u8]) -> Option<IpAddr> {
    let asked = answer.get(..2)? == &question[..2]
        && answer.get(12..question.len())?.eq_ignore_ascii_case(&question[12..]);
    let ok = answer.get(3)? & 15 == 0;
    let count = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let mut at = question.len();
    for _ in 0..count.min(if asked && ok { 64 } else { 0 }) {
        at = skip_name(answer, at)?;
        let [t1, t2, _, _, _, _, _, _, l1, l2] = *answer.get(at..)?.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        let data = answer.get(at + 10..at + 10 + length)?;
        if (t1, t2) == (0, 1) {
            let octets: [u8; 4] = data.try_into().ok()?;
            return Some(Ipv4Addr::from(octets).into());
        }
        at += 10 + length;
    }
    None
}

fn skip_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_hosts_file() {
        let hosts = "127.0.0.1 localhost\n10.0.0.7\tlogs.example Logs # mine\n";
        assert_eq!(look_up(hosts, "logs"), "10.0.0.7".parse().ok());
        assert_eq!(look_up(hosts, "mine"), None);
    }

    #[test]
    fn an_answer_is_read_behind_its_aliases_and_cut_ones_are_none() {
        let question = question("a.example").unwrap();
        let mut answer = question.clone();
        (answer[2], answer[3], answer[7]) = (0x81, 0x80, 2);
        answer.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x01\0\x02\xc0\x0c");
        answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04\x0a\0\0\x07");
        assert_eq!(first_address(&answer, &question), "10.0.0.7".parse().ok());
        for cut in 0..answer.len() {
            assert_eq!(first_address(&answer[..cut], &question), None);
        }
        answer[0] ^= 1;
        assert_eq!(first_address(&answer, &question), None);
    }
}
