//! `--network`, in its short form or as `name=..,alias=..,ip=..`, and the flags that are about the first one.

use std::collections::BTreeMap;

use api::networks::{EndpointIpamConfig, EndpointSettings, NetworkingConfig};

use super::mounts;
use crate::flags::Parsed;

/// One `--network`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Attachment {
    target: String,
    aliases: Vec<String>,
    driver_options: BTreeMap<String, String>,
    links: Vec<String>,
    ipv4: String,
    ipv6: String,
    link_local: Vec<String>,
    mac: String,
    priority: i64,
}

/// The network mode, and what is asked of each network where something is.
pub(super) struct Networks {
    pub(super) mode: String,
    pub(super) config: Option<NetworkingConfig>,
    /// Links of the default network are the container's own.
    pub(super) links: Option<Vec<String>>,
}

pub(super) fn check(text: &str) -> Result<(), String> {
    parse(text).map(drop)
}

pub(super) fn networks(parsed: &Parsed) -> Result<Networks, String> {
    let words = [parsed.list("net"), parsed.list("network")].concat();
    let mut attachments = words.iter().map(|word| parse(word)).collect::<Result<Vec<_>, _>>()?;
    if attachments.is_empty() {
        attachments.push(Attachment { target: "default".into(), ..Attachment::default() });
    }
    let user_defined = attachments.iter().filter(|one| is_user_defined(&one.target)).count();
    let links = apply_flags(&mut attachments[0], parsed)?;
    let mut endpoints = BTreeMap::new();
    for attachment in &attachments {
        let settings = settings(attachment)?;
        if endpoints.insert(attachment.target.clone(), settings).is_some() {
            return Err(format!("network {:?} is specified multiple times", attachment.target));
        }
    }
    if user_defined > 0 && user_defined < attachments.len() {
        return Err("conflicting options: cannot attach both user-defined and non-user-defined network-modes".into());
    }
    // As Docker's command: a single network of which nothing is asked goes without saying.
    if attachments.len() == 1 {
        endpoints.retain(|_, settings| *settings != EndpointSettings::default());
    }
    let endpoints_config = Some(endpoints).filter(|endpoints| !endpoints.is_empty());
    Ok(Networks {
        mode: attachments.swap_remove(0).target,
        config: endpoints_config
            .map(|endpoints| NetworkingConfig { endpoints_config: Some(endpoints) }),
        links,
    })
}

fn is_user_defined(target: &str) -> bool {
    !matches!(target, "" | "default" | "bridge" | "host" | "none")
        && !target.starts_with("container:")
}

/// `CONTAINER` or `CONTAINER:ALIAS`, in Docker's words.
pub(crate) fn check_link(text: &str) -> Result<(), String> {
    match text.split(':').count() {
        1 if text.is_empty() => Err("empty string specified for links".into()),
        1 | 2 => Ok(()),
        _ => Err(format!("bad format for links: {text}")),
    }
}

/// What stands before an `=` and what after it makes the long form.
fn parse(text: &str) -> Result<Attachment, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_long = text
        .match_indices('=')
        .any(|(at, _)| text[..at].ends_with(is_word) && text[at + 1..].starts_with(is_word));
    if !is_long {
        return Ok(Attachment { target: text.to_owned(), ..Attachment::default() });
    }
    let mut attachment = Attachment::default();
    for field in mounts::fields(text)? {
        let Some((key, value)) = field.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(format!("invalid field {field}"));
        };
        let (key, value) = (key.trim().to_lowercase(), value.trim().to_owned());
        match key.as_str() {
            "name" => attachment.target = value,
            "alias" => attachment.aliases.push(value),
            "driver-opt" => {
                let (key, value) = driver_option(&value)?;
                attachment.driver_options.insert(key, value);
            }
            "ip" => attachment.ipv4 = value,
            "ip6" => attachment.ipv6 = value,
            "mac-address" => attachment.mac = value,
            "link-local-ip" => attachment.link_local.push(value),
            "gw-priority" => {
                let invalid = |_| format!("invalid gw-priority ({value}): invalid syntax");
                attachment.priority = value.parse().map_err(invalid)?;
            }
            _ => return Err(format!("invalid field key {key}")),
        }
    }
    if attachment.target.is_empty() {
        return Err("network name/id is not specified".into());
    }
    Ok(attachment)
}

fn driver_option(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.trim().is_empty())
        .ok_or("invalid key value pair format in driver options")?;
    Ok((key.trim().to_lowercase(), value.trim().to_owned()))
}

/// `--ip`, `--network-alias` and the like are about the first network. Returns links that are the container's.
fn apply_flags(first: &mut Attachment, parsed: &Parsed) -> Result<Option<Vec<String>>, String> {
    let conflict = |flag: &str, what: &str| {
        Err(format!("conflicting options: cannot specify both --{flag} and {what}"))
    };
    let aliases = [parsed.list("net-alias"), parsed.list("network-alias")].concat();
    if !aliases.is_empty() {
        if !first.aliases.is_empty() {
            return conflict("network-alias", "per-network alias");
        }
        first.aliases = aliases;
    }
    if parsed.is_set("ip") && !first.ipv4.is_empty() {
        return conflict("ip", "per-network IPv4 address");
    }
    if parsed.is_set("ip6") && !first.ipv6.is_empty() {
        return conflict("ip6", "per-network IPv6 address");
    }
    if parsed.is_set("mac-address") && !first.mac.is_empty() {
        return conflict("mac-address", "per-network MAC address");
    }
    let link_local = parsed.list("link-local-ip");
    if !link_local.is_empty() {
        if !first.link_local.is_empty() {
            return conflict("link-local-ip", "per-network link-local IP addresses");
        }
        first.link_local = link_local;
    }
    for (flag, field) in
        [("ip", &mut first.ipv4), ("ip6", &mut first.ipv6), ("mac-address", &mut first.mac)]
    {
        if parsed.is_set(flag) {
            *field = parsed.string(flag);
        }
    }
    let links = Some(parsed.list("link")).filter(|links| !links.is_empty());
    match links {
        Some(links) if is_user_defined(&first.target) => first.links = links,
        Some(_) if !matches!(first.target.as_str(), "" | "default") => {
            return Err("links are only supported for user-defined networks".into());
        }
        links => return Ok(links),
    }
    Ok(None)
}

fn settings(attachment: &Attachment) -> Result<EndpointSettings, String> {
    let Attachment {
        target,
        aliases,
        driver_options,
        links,
        ipv4,
        ipv6,
        link_local,
        mac,
        priority,
    } = attachment.clone();
    if target.trim().is_empty() {
        return Err("no name set for network".into());
    }
    if !is_user_defined(&target) && !aliases.is_empty() {
        return Err("network-scoped aliases are only supported for user-defined networks".into());
    }
    if !mac.is_empty() && !is_mac(&mac) {
        return Err(format!("{mac} is not a valid mac address"));
    }
    let asks_addresses = !ipv4.is_empty() || !ipv6.is_empty() || !link_local.is_empty();
    let ipam =
        EndpointIpamConfig { ipv4_address: ipv4, ipv6_address: ipv6, link_local_ips: link_local };
    Ok(EndpointSettings {
        ipam_config: asks_addresses.then_some(ipam),
        links: Some(links).filter(|links| !links.is_empty()),
        aliases: Some(aliases).filter(|aliases| !aliases.is_empty()),
        mac_address: mac,
        driver_opts: Some(driver_options).filter(|options| !options.is_empty()),
        gw_priority: (priority != 0).then_some(priority),
        ..EndpointSettings::default()
    })
}

fn is_mac(text: &str) -> bool {
    let octets: Vec<&str> = text.trim().split([':', '-']).collect();
    let is_octet = |octet: &&str| octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit());
    octets.len() == 6 && octets.iter().all(is_octet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{self, Interspersed};

    fn read(line: &str) -> Result<Networks, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        networks(&flags::parse(&[super::super::FLAGS], &words, Interspersed::No)?)
    }

    fn said(line: &str) -> String {
        read(line).err().unwrap_or_default()
    }

    fn endpoints(line: &str) -> BTreeMap<String, EndpointSettings> {
        read(line).unwrap().config.and_then(|config| config.endpoints_config).unwrap_or_default()
    }

    #[test]
    fn one_network_of_which_nothing_is_asked_is_a_mode_alone() {
        let plain = read("x").unwrap();
        assert_eq!((plain.mode.as_str(), plain.config), ("default", None));
        let host = read("--network host x").unwrap();
        assert_eq!((host.mode.as_str(), host.config), ("host", None));
        let two = endpoints("--network a --network b x");
        assert_eq!(two.into_keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn the_long_form_and_the_flags_say_the_same() {
        let long = endpoints(
            "--network name=a,alias=q,ip=10.0.0.9,ip6=fd00::9,mac-address=02:00:00:00:00:01,link-local-ip=169.254.1.1 x",
        );
        let flags = endpoints(
            "--network a --network-alias q --ip 10.0.0.9 --ip6 fd00::9 --mac-address 02:00:00:00:00:01 --link-local-ip 169.254.1.1 x",
        );
        assert_eq!(long, flags);
        let both =
            endpoints("--network name=a,driver-opt=k=v,gw-priority=-3 --network b --ip 10.0.0.9 x");
        assert_eq!(both["a"].driver_opts.as_ref().unwrap()["k"], "v");
        assert_eq!((both["a"].gw_priority, both["b"].ipam_config.clone()), (Some(-3), None));
        assert_eq!(both["a"].ipam_config.as_ref().unwrap().ipv4_address, "10.0.0.9");
    }

    #[test]
    fn contradictions_are_refused_in_dockers_words() {
        assert_eq!(said("--network a --network a x"), "network \"a\" is specified multiple times");
        let mixed = "conflicting options: cannot attach both user-defined and non-user-defined network-modes";
        assert_eq!(said("--network bridge --network a x"), mixed);
        assert_eq!(said("--network container:x --network a x"), mixed);
        assert_eq!(
            said("--network name=a,alias=q --network-alias y x"),
            "conflicting options: cannot specify both --network-alias and per-network alias"
        );
        assert_eq!(
            said("--network name=a,ip=1.1.1.1 --ip 1.1.1.2 x"),
            "conflicting options: cannot specify both --ip and per-network IPv4 address"
        );
        assert_eq!(said("--mac-address zz x"), "zz is not a valid mac address");
        assert_eq!(
            said("--network-alias y x"),
            "network-scoped aliases are only supported for user-defined networks"
        );
        assert_eq!(said("--network= x"), "no name set for network");
        for mode in ["bridge", "host", "none", "container:x"] {
            assert_eq!(
                said(&format!("--network {mode} --link y x")),
                "links are only supported for user-defined networks"
            );
        }
        assert_eq!(
            said("--link a:b:c x"),
            r#"invalid argument "a:b:c" for "--link" flag: bad format for links: a:b:c"#
        );
    }

    #[test]
    fn a_long_form_that_is_none_is_refused_in_dockers_words() {
        for (text, words) in [
            ("name=a,foo=b", "invalid field key foo"),
            ("alias=x", "network name/id is not specified"),
            ("name=a,alias", "invalid field alias"),
            ("name=a,gw-priority=x", "invalid gw-priority (x): invalid syntax"),
            ("name=a,driver-opt=x", "invalid key value pair format in driver options"),
            (
                "name=a,driver-opt=\"a=b\"",
                "parse error on line 1, column 19: bare \" in non-quoted-field",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), words);
        }
        assert_eq!(parse("my-net").unwrap().target, "my-net");
    }

    #[test]
    fn links_belong_to_the_network_where_it_is_somebodys() {
        let of_network = read("--network a --link x:y x").unwrap();
        assert_eq!(of_network.links, None);
        assert_eq!(read("--link x:y x").unwrap().links, Some(vec!["x:y".to_owned()]));
    }
}
