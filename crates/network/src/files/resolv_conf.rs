//! /etc/resolv.conf, by the rules of Docker.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};

use crate::dns;

/// Whose resolver the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// `--network host`: the host's name servers as they are.
    Host,
    /// A namespace of its own: name servers on the host's loopback, and those on IPv6, are out of reach.
    Private,
    /// On user-defined networks: the engine's name server, which asks the others.
    Engine,
}

/// `--dns`, `--dns-search` and `--dns-option`. What is given replaces the host's values of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsOptions {
    pub servers: Vec<IpAddr>,
    /// A single `.` means: no search list at all.
    pub search: Vec<String>,
    pub options: Vec<String>,
}

/// The host's own file.
pub const HOST_RESOLV_CONF: &str = "/etc/resolv.conf";

/// Docker's choice where the host has no name server that a container could reach.
pub const FALLBACK_NAMESERVERS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)), IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4))];

/// The file for a container, from the host's text and the options.
pub fn resolv_conf(host: &str, resolver: Resolver, overrides: &DnsOptions) -> String {
    let host = Host::parse(host);
    if resolver == Resolver::Engine {
        return engine_resolv_conf(&host, overrides);
    }
    let servers = match (overrides.servers.as_slice(), resolver) {
        ([], Resolver::Host) => host.servers.clone(),
        ([], _) => reachable(&host.servers),
        (given, _) => given.iter().map(IpAddr::to_string).collect(),
    };
    let search = search(&host, overrides);
    let options = options(&host, overrides);
    let mut lines = vec![COMMENT.to_owned()];
    lines.extend(servers.iter().map(|server| format!("nameserver {server}")));
    lines.extend((!search.is_empty()).then(|| format!("search {}", search.join(" "))));
    lines.extend((!options.is_empty()).then(|| format!("options {}", options.join(" "))));
    lines.extend(host.others);
    lines.join("\n") + "\n"
}

const COMMENT: &str = "# Written by Gantry from the host's file and the container's options.";

/// As Docker writes it, with the remarks that people look for.
fn engine_resolv_conf(host: &Host, overrides: &DnsOptions) -> String {
    let search = search(host, overrides);
    let mut options = options(host, overrides).to_vec();
    let ndots = match (ndots(&options), overrides.options.is_empty()) {
        (Some(_), false) => "override",
        (Some(_), true) => "host",
        (None, _) => {
            options.push("ndots:0".to_owned());
            "internal"
        }
    };
    let given = overrides.servers.iter().map(IpAddr::to_string).collect::<Vec<_>>();
    let of_host = host.servers.iter().map(|server| match server.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() => format!("host({server})"),
        _ => server.clone(),
    });
    let servers = if given.is_empty() { of_host.collect() } else { given };
    let overridden = [
        ("nameservers", !overrides.servers.is_empty()),
        ("search", !overrides.search.is_empty()),
        ("options", !overrides.options.is_empty()),
    ];
    let overridden: Vec<&str> =
        overridden.into_iter().filter_map(|(name, is)| is.then_some(name)).collect();

    let mut lines = vec![COMMENT.to_owned(), String::new()];
    lines.push(format!("nameserver {}", dns::ADDRESS));
    lines.extend((!search.is_empty()).then(|| format!("search {}", search.join(" "))));
    lines.push(format!("options {}", options.join(" ")));
    lines.extend(host.others.iter().cloned());
    lines.push(String::new());
    lines.push(format!("# Based on host file: '{HOST_RESOLV_CONF}' (internal resolver)"));
    lines.push(format!("# ExtServers: [{}]", servers.join(" ")));
    lines.push(format!("# Overrides: [{}]", overridden.join(" ")));
    lines.push(format!("# Option ndots from: {ndots}"));
    lines.join("\n") + "\n"
}

fn search<'a>(host: &'a Host, overrides: &'a DnsOptions) -> &'a [String] {
    match overrides.search.as_slice() {
        [] => &host.search,
        [only] if only == "." => &[],
        given => given,
    }
}

fn options<'a>(host: &'a Host, overrides: &'a DnsOptions) -> &'a [String] {
    if overrides.options.is_empty() { &host.options } else { &overrides.options }
}

fn ndots(options: &[String]) -> Option<u32> {
    let last = options.iter().rev().find_map(|option| option.strip_prefix("ndots:"))?;
    Some(last.parse().unwrap_or(0))
}

/// Whether the container completes names without a dot before it asks for them as they are.
pub fn completes_names(host: &str, overrides: &DnsOptions) -> bool {
    ndots(options(&Host::parse(host), overrides)).is_some_and(|dots| dots > 0)
}

/// Whom the host itself asks, local stubs included; where it has no file, Docker's choice.
pub fn own_host_servers() -> Vec<IpAddr> {
    let host = Host::parse(&read_bounded(HOST_RESOLV_CONF).unwrap_or_default());
    let servers: Vec<_> = host.servers.iter().filter_map(|server| server.parse().ok()).collect();
    if servers.is_empty() { FALLBACK_NAMESERVERS.to_vec() } else { servers }
}

/// The addresses of the host's name servers; none where it has no file that can be read.
pub(crate) fn host_nameservers() -> Vec<IpAddr> {
    let text = host_resolv_conf().unwrap_or_default();
    Host::parse(&text).servers.iter().filter_map(|server| server.parse().ok()).collect()
}

/// The host's resolver configuration: /etc/resolv.conf, or where that names nothing but systemd-resolved's local
/// stub, the list of servers which the stub itself uses. An absent file is an empty one.
pub fn host_resolv_conf() -> io::Result<String> {
    let text = read_bounded(HOST_RESOLV_CONF)?;
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

    /// But for its first line Docker 26 wrote these.
    #[test]
    fn with_the_engines_server_the_file_is_dockers() {
        let write = |host: &str, overrides: &DnsOptions| {
            let text = resolv_conf(host, Resolver::Engine, overrides);
            text.split_once('\n').expect("a comment line").1.to_owned()
        };
        assert_eq!(
            write("nameserver 10.255.255.53\n", &NONE),
            "\nnameserver 127.0.0.11\noptions ndots:0\n\n\
             # Based on host file: '/etc/resolv.conf' (internal resolver)\n\
             # ExtServers: [10.255.255.53]\n# Overrides: []\n# Option ndots from: internal\n"
        );
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let all = DnsOptions {
            servers: vec![[10, 1, 1, 1].into(), "fd00::1".parse().expect("an address")],
            search: words("a.example b.example"),
            options: words("ndots:2 rotate"),
        };
        assert_eq!(
            write("nameserver 10.255.255.53\nsearch c.example\n", &all),
            "\nnameserver 127.0.0.11\nsearch a.example b.example\noptions ndots:2 rotate\n\n\
             # Based on host file: '/etc/resolv.conf' (internal resolver)\n\
             # ExtServers: [10.1.1.1 fd00::1]\n# Overrides: [nameservers search options]\n\
             # Option ndots from: override\n"
        );
        let dot = DnsOptions { search: words("."), ..NONE };
        let text = write("nameserver 127.0.0.53\nsearch c.example\noptions ndots:3\n", &dot);
        assert!(text.starts_with("\nnameserver 127.0.0.11\noptions ndots:3\n\n"), "{text}");
        assert!(text.ends_with(
            "# ExtServers: [host(127.0.0.53)]\n# Overrides: [search]\n# Option ndots from: host\n"
        ), "{text}");
    }

    #[test]
    fn who_has_dots_to_wait_for_completes_names() {
        let given = |option: &str| DnsOptions { options: vec![option.into()], ..NONE };
        assert!(!completes_names("", &NONE) && completes_names("options ndots:1\n", &NONE));
        assert!(completes_names("", &given("ndots:2")) && !completes_names("", &given("ndots:0")));
        assert!(!completes_names("options ndots:1\n", &given("rotate")));
        assert!(!completes_names("", &given("ndots:many")));
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
