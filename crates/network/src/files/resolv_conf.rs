//! /etc/resolv.conf, by the rules of Docker for networks without a name server of the engine's own.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};

/// Whose resolver the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// `--network host`: the host's name servers as they are.
    Host,
    /// A namespace of its own: name servers on the host's loopback, and those on IPv6, are out of reach.
    Private,
}

/// `--dns`, `--dns-search` and `--dns-option`. What is given replaces the host's values of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsOptions {
    pub servers: Vec<IpAddr>,
    /// A single `.` means: no search list at all.
    pub search: Vec<String>,
    pub options: Vec<String>,
}

/// Docker's choice where the host has no name server that a container could reach.
pub const FALLBACK_NAMESERVERS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)), IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4))];

/// The file for a container, from the host's text and the options.
pub fn resolv_conf(host: &str, resolver: Resolver, overrides: &DnsOptions) -> String {
    let host = Host::parse(host);
    let servers = match (overrides.servers.as_slice(), resolver) {
        ([], Resolver::Host) => host.servers,
        ([], Resolver::Private) => reachable(&host.servers),
        (given, _) => given.iter().map(IpAddr::to_string).collect(),
    };
    let search = match overrides.search.as_slice() {
        [] => host.search,
        [only] if only == "." => Vec::new(),
        given => given.to_vec(),
    };
    let options =
        if overrides.options.is_empty() { host.options } else { overrides.options.clone() };

    let mut lines =
        vec!["# Written by Gantry from the host's file and the container's options.".to_owned()];
    lines.extend(servers.iter().map(|server| format!("nameserver {server}")));
    lines.extend((!search.is_empty()).then(|| format!("search {}", search.join(" "))));
    lines.extend((!options.is_empty()).then(|| format!("options {}", options.join(" "))));
    lines.extend(host.others);
    lines.join("\n") + "\n"
}

/// The addresses of the host's name servers; none where it has no file that can be read.
pub(crate) fn host_nameservers() -> Vec<IpAddr> {
    let text = host_resolv_conf().unwrap_or_default();
    Host::parse(&text).servers.iter().filter_map(|server| server.parse().ok()).collect()
}

/// The host's resolver configuration: /etc/resolv.conf, or where that names nothing but systemd-resolved's local
/// stub, the list of servers which the stub itself uses. An absent file is an empty one.
pub fn host_resolv_conf() -> io::Result<String> {
    let text = read_bounded("/etc/resolv.conf")?;
    if Host::parse(&text).servers == ["127.0.0.53"] {
        let upstream = read_bounded("/run/systemd/resolve/resolv.conf")?;
        if !upstream.is_empty() {
            return Ok(upstream);
        }
    }
    Ok(text)
}

fn read_bounded(path: &str) -> io::Result<String> {
    const LIMIT: u64 = 64 * 1024;
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(LIMIT).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn reachable(servers: &[String]) -> Vec<String> {
    let reachable = |server: &&String| server.parse::<Ipv4Addr>().is_ok_and(|ip| !ip.is_loopback());
    let left: Vec<String> = servers.iter().filter(reachable).cloned().collect();
    if left.is_empty() {
        FALLBACK_NAMESERVERS.iter().map(IpAddr::to_string).collect()
    } else {
        left
    }
}

/// The host's file, taken apart. As in resolv.conf(5) the last `search` or `domain` counts.
#[derive(Default)]
struct Host {
    /// As written: an IPv6 address may carry a zone.
    servers: Vec<String>,
    search: Vec<String>,
    options: Vec<String>,
    /// Lines of other kinds, such as sortlist, passed on as they are.
    others: Vec<String>,
}

impl Host {
    fn parse(text: &str) -> Self {
        let mut host = Self::default();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("nameserver") => host.servers.extend(words.next()),
                Some("search" | "domain") => host.search = words.collect(),
                Some("options") => host.options.extend(words),
                _ => host.others.push(line.to_owned()),
            }
        }
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: DnsOptions =
        DnsOptions { servers: Vec::new(), search: Vec::new(), options: Vec::new() };

    /// The file without its comment.
    fn private(host: &str, overrides: &DnsOptions) -> String {
        let text = resolv_conf(host, Resolver::Private, overrides);
        text.split_once('\n').expect("a comment line").1.to_owned()
    }

    #[test]
    fn the_hosts_values_are_kept() {
        let host = "# comment\nnameserver 10.0.0.53\nsearch a.example b.example\noptions ndots:2 rotate\nsortlist 10.0.0.0\n";
        assert_eq!(
            private(host, &NONE),
            "nameserver 10.0.0.53\nsearch a.example b.example\noptions ndots:2 rotate\nsortlist 10.0.0.0\n"
        );
    }

    #[test]
    fn servers_out_of_reach_are_left_out() {
        let host =
            "nameserver 127.0.0.1\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\nnameserver ::1\n";
        assert_eq!(private(host, &NONE), "nameserver 10.0.0.53\n");
    }

    #[test]
    fn with_no_reachable_server_the_fallback_is_used() {
        let fallback = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";
        assert_eq!(private("nameserver 127.0.0.1\n", &NONE), fallback);
        assert_eq!(private("", &NONE), fallback);
    }

    #[test]
    fn on_the_hosts_network_nothing_is_filtered() {
        let text = resolv_conf("nameserver 127.0.0.1\nnameserver ::1\n", Resolver::Host, &NONE);
        assert!(text.ends_with("nameserver 127.0.0.1\nnameserver ::1\n"), "{text}");
    }

    #[test]
    fn given_options_replace_their_kind_only() {
        let host = "nameserver 10.0.0.53\nsearch a.example\noptions rotate\n";
        let servers = DnsOptions { servers: vec![Ipv4Addr::LOCALHOST.into()], ..NONE };
        assert_eq!(
            private(host, &servers),
            "nameserver 127.0.0.1\nsearch a.example\noptions rotate\n"
        );
        let search = DnsOptions { search: vec!["b.example".into()], ..NONE };
        assert_eq!(
            private(host, &search),
            "nameserver 10.0.0.53\nsearch b.example\noptions rotate\n"
        );
        let options = DnsOptions { options: vec!["ndots:1".into()], ..NONE };
        assert_eq!(
            private(host, &options),
            "nameserver 10.0.0.53\nsearch a.example\noptions ndots:1\n"
        );
    }

    #[test]
    fn a_dot_removes_the_search_list() {
        let dot = DnsOptions { search: vec![".".into()], ..NONE };
        assert_eq!(
            private("nameserver 10.0.0.53\nsearch a.example\n", &dot),
            "nameserver 10.0.0.53\n"
        );
    }

    #[test]
    fn the_last_search_or_domain_counts() {
        let host = "nameserver 10.0.0.53\ndomain a.example\nsearch b.example c.example\n";
        assert_eq!(private(host, &NONE), "nameserver 10.0.0.53\nsearch b.example c.example\n");
    }
}
