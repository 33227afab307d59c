//! A stub resolver: literals and /etc/hosts first, then the host's name servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

const PATIENCE: Duration = Duration::from_secs(2);
const A: u8 = 1;
const AAAA: u8 = 28;
/// More addresses of one name are of no use.
const MAX_RECORDS: u16 = 64;

/// The addresses of a host, those of IPv4 first; at least one.
///
/// # Errors
/// `NotFound`, with the words of Docker's: `lookup NAME: no such host`.
pub async fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = match name.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => {
            let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
            look_up(&hosts, name)
        }
    };
    if addresses.is_empty() {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        addresses = ask(&Configuration::parse(&text), name).await;
    }
    if addresses.is_empty() {
        let text = format!("lookup {name}: no such host");
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

fn look_up(hosts: &str, wanted: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(wanted)).then_some(address)
    };
    let mut found: Vec<_> = hosts.lines().filter_map(address).collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found
}

/// What of resolv.conf(5) matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Configuration {
    servers: Vec<IpAddr>,
    search: Vec<String>,
}

impl Configuration {
    fn parse(text: &str) -> Self {
        let mut configuration = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    configuration.servers.extend(server);
                }
                // The last line of either kind counts.
                Some("search" | "domain") => {
                    configuration.search = words.map(str::to_owned).collect();
                }
                _ => {}
            }
        }
        configuration
    }

    /// The names to ask for, in their order: one of a single label is first looked for in the domains.
    fn candidates(&self, name: &str) -> Vec<String> {
        let relative = !name.contains('.');
        let domains = self.search.iter().filter(|_| relative);
        let mut names: Vec<_> = domains.map(|domain| format!("{name}.{domain}")).collect();
        names.push(name.trim_end_matches('.').to_owned());
        names
    }
}

/// Asks each name server in turn, until one knows the name.
async fn ask(configuration: &Configuration, name: &str) -> Vec<IpAddr> {
    for name in configuration.candidates(name) {
        for server in &configuration.servers {
            let (four, six) = tokio::join!(query(*server, &name, A), query(*server, &name, AAAA));
            let found = [four, six].concat();
            if !found.is_empty() {
                return found;
            }
        }
    }
    Vec::new()
}

/// Whatever goes wrong, that server knows nothing.
async fn query(server: IpAddr, name: &str, kind: u8) -> Vec<IpAddr> {
    let Some(question) = question(name, kind) else { return Vec::new() };
    match tokio::time::timeout(PATIENCE, exchange(server, &question)).await {
        Ok(Ok(answer)) => addresses(&answer, &question),
        _ => Vec::new(),
    }
}

async fn exchange(server: IpAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected: answers of others are not received.
    socket.connect((server, 53)).await?;
    socket.send(question).await?;
    let mut answer = vec![0; 1500];
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

/// One question, recursion desired.
fn question(name: &str, kind: u8) -> Option<Vec<u8>> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).ok()?;
    let mut packet = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        packet.push(length);
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, kind, 0, 1]);
    Some(packet)
}

/// Those of an answer to the question; none of one that is cut or refused.
fn addresses(answer: &[u8], question: &[u8]) -> Vec<IpAddr> {
    read_addresses(answer, question).unwrap_or_default()
}

fn read_addresses(answer: &[u8], question: &[u8]) -> Option<Vec<IpAddr>> {
    let asked = answer.get(..2)? == &question[..2]
        && answer.get(12..question.len())?.eq_ignore_ascii_case(&question[12..]);
    let accepted = answer.get(3)? & 15 == 0;
    if !asked || !accepted {
        return None;
    }
    let count = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let mut found = Vec::new();
    let mut at = question.len();
    for _ in 0..count.min(MAX_RECORDS) {
        at = skip_name(answer, at)?;
        let [high, low, _, _, _, _, _, _, l1, l2] = *answer.get(at..)?.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        let data = answer.get(at + 10..at + 10 + length)?;
        match (high, low) {
            (0, A) => found.push(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()),
            (0, AAAA) => found.push(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into()),
            _ => {}
        }
        at += 10 + length;
    }
    Some(found)
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
        let hosts = "::1 localhost\n127.0.0.1 localhost\n10.0.0.7\tlogs.example Logs # mine\n";
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        assert_eq!(look_up(hosts, "localhost"), loopback);
        assert_eq!(look_up(hosts, "logs"), ["10.0.0.7".parse::<IpAddr>().unwrap()]);
        assert!(look_up(hosts, "mine").is_empty());
    }

    #[test]
    fn a_single_label_is_looked_for_in_the_domains_first() {
        let configuration =
            Configuration::parse("nameserver 10.0.0.1\nsearch x\nsearch a.example b\n#search c\n");
        assert_eq!(configuration.servers, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(configuration.candidates("host"), ["host.a.example", "host.b", "host"]);
        assert_eq!(configuration.candidates("host.example"), ["host.example"]);
        assert_eq!(configuration.candidates("host."), ["host"]);
    }

    #[test]
    fn an_answer_is_read_behind_its_aliases_and_cut_ones_are_none() {
        let question = question("a.example", A).unwrap();
        let mut answer = question.clone();
        (answer[2], answer[3], answer[7]) = (0x81, 0x80, 3);
        answer.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x01\0\x02\xc0\x0c");
        answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04\x0a\0\0\x07");
        answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04\x0a\0\0\x08");
        let expected: [IpAddr; 2] = [[10, 0, 0, 7].into(), [10, 0, 0, 8].into()];
        assert_eq!(addresses(&answer, &question), expected);
        for cut in 0..answer.len() {
            assert!(addresses(&answer[..cut], &question).is_empty());
        }
        answer[0] ^= 1;
        assert!(addresses(&answer, &question).is_empty());
    }
}
