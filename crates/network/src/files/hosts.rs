//! /etc/hosts.

use std::fmt::Write as _;
use std::net::IpAddr;

/// One `--add-host`, or the container itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    pub ip: IpAddr,
    pub names: String,
}

impl HostEntry {
    /// The container's own line: a full name brings its first label along.
    pub fn of_container(ip: IpAddr, hostname: &str, domain: &str) -> Self {
        let full =
            if domain.is_empty() { hostname.to_owned() } else { format!("{hostname}.{domain}") };
        let names = match full.split_once('.') {
            Some((label, _)) => format!("{full} {label}"),
            None => full,
        };
        Self { ip, names }
    }
}

const LOOPBACK: &str = "\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// Docker's file: loopback, then `--add-host` in the order given, then the container itself with each of its addresses.
pub fn hosts(extra: &[HostEntry], own: &[HostEntry]) -> String {
    let mut text = LOOPBACK.to_owned();
    for entry in extra.iter().chain(own) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}\t{}", entry.ip, entry.names);
    }
    text
}

/// The file of a container that got an interface while it runs: what stands there stays.
pub fn with_hosts(text: &str, added: &[HostEntry]) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for entry in added {
        let _ = writeln!(text, "{}\t{}", entry.ip, entry.names);
    }
    text
}

/// And of one that lost it: its very lines go.
pub fn without_hosts(text: &str, removed: &[HostEntry]) -> String {
    let is_removed =
        |line: &str| removed.iter().any(|entry| line == format!("{}\t{}", entry.ip, entry.names));
    text.lines().filter(|line| !is_removed(line)).map(|line| format!("{line}\n")).collect()
}

/// And of one that knows others by lines of their names: they get their addresses of now.
pub fn replaced_hosts(text: &str, entries: &[HostEntry]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let names = line.split_once('\t').map_or("", |(_, names)| names);
        let now = entries.iter().filter(|entry| entry.names == names);
        let mut now = now.map(|entry| format!("{}\t{}\n", entry.ip, entry.names)).peekable();
        match now.peek() {
            None => lines.push(format!("{line}\n")),
            // In the place of the first of them.
            Some(first) if lines.contains(first) => {}
            Some(_) => lines.extend(now),
        }
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn own_address_comes_last() {
        let extra = [HostEntry { ip: ip("1.2.3.4"), names: "a".into() }];
        let own = HostEntry::of_container(ip("172.17.0.3"), "61bd9ad16982", "");
        let text = hosts(&extra, &[own]);
        assert!(
            text.starts_with("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
        );
        assert!(text.ends_with("1.2.3.4\ta\n172.17.0.3\t61bd9ad16982\n"), "{text}");
    }

    #[test]
    fn lines_come_and_go_and_the_containers_own_stay() {
        let entry = HostEntry::of_container(ip("10.0.0.2"), "web", "");
        let before = "127.0.0.1\tlocalhost\n1.2.3.4 mine";
        let with = with_hosts(before, std::slice::from_ref(&entry));
        assert_eq!(with, "127.0.0.1\tlocalhost\n1.2.3.4 mine\n10.0.0.2\tweb\n");
        assert_eq!(without_hosts(&with, &[entry]), "127.0.0.1\tlocalhost\n1.2.3.4 mine\n");
    }

    #[test]
    fn others_get_their_addresses_of_now() {
        let entry = |address: &str| HostEntry { ip: ip(address), names: "db abc".into() };
        let before = "127.0.0.1\tlocalhost\n10.0.0.2\tdb abc\n10.0.0.9\tdb abc\n10.0.0.3\tme\n";
        assert_eq!(
            replaced_hosts(before, &[entry("10.0.0.7")]),
            "127.0.0.1\tlocalhost\n10.0.0.7\tdb abc\n10.0.0.3\tme\n"
        );
        assert_eq!(replaced_hosts(before, &[]), before);
    }

    #[test]
    fn without_a_network_there_is_only_loopback() {
        assert_eq!(hosts(&[], &[]), LOOPBACK);
    }

    #[test]
    fn a_full_name_brings_its_first_label() {
        let names =
            |hostname, domain| HostEntry::of_container(ip("10.0.0.2"), hostname, domain).names;
        assert_eq!(names("web.example.com", ""), "web.example.com web");
        assert_eq!(names("web", "example.com"), "web.example.com web");
        assert_eq!(names("web", ""), "web");
    }
}
