//! Which range, gateway and reserved address belongs to which subnet: by where they lie. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::networks::IpamConfig;

/// One entry for each subnet, in the order given; errors in Docker's words.
pub(super) fn configs(
    subnets: &[String],
    ranges: &[String],
    gateways: &[String],
    auxiliary: &BTreeMap<String, String>,
) -> Result<Vec<IpamConfig>, String> {
    if subnets.len() < ranges.len() || subnets.len() < gateways.len() {
        return Err("every ip-range or gateway must have a corresponding subnet".into());
    }
    if !(ranges.is_empty() && gateways.is_empty() && auxiliary.is_empty())
        && let Some(wrong) = subnets.iter().find(|subnet| parse(subnet).is_none())
    {
        return Err(format!("invalid subnet: invalid CIDR address: {wrong}"));
    }
    let mut configs: Vec<IpamConfig> = Vec::new();
    for subnet in subnets {
        if configs.iter().any(|other| overlap(&other.subnet, subnet)) {
            return Err("multiple overlapping subnet configuration is not supported".into());
        }
        configs.push(IpamConfig { subnet: subnet.clone(), ..IpamConfig::default() });
    }
    for range in ranges {
        let config = around(&mut configs, range)
            .ok_or_else(|| format!("no matching subnet for range {range}"))?;
        if !config.ip_range.is_empty() {
            let (first, subnet) = (&config.ip_range, &config.subnet);
            return Err(format!(
                "cannot configure multiple ranges ({range}, {first}) on the same subnet ({subnet})"
            ));
        }
        config.ip_range.clone_from(range);
    }
    for gateway in gateways {
        let config = around(&mut configs, gateway)
            .ok_or_else(|| format!("no matching subnet for gateway {gateway}"))?;
        if !config.gateway.is_empty() {
            let (first, subnet) = (&config.gateway, &config.subnet);
            return Err(format!(
                "cannot configure multiple gateways ({gateway}, {first}) for the same subnet ({subnet})"
            ));
        }
        config.gateway.clone_from(gateway);
    }
    for (name, ip) in auxiliary {
        let config = around(&mut configs, ip)
            .ok_or_else(|| format!("no matching subnet for aux-address {ip}"))?;
        config.aux_addresses.insert(name.clone(), ip.clone());
    }
    Ok(configs)
}

/// The subnet that an address, or the beginning of a range, lies in.
fn around<'a>(configs: &'a mut [IpamConfig], text: &str) -> Option<&'a mut IpamConfig> {
    let ip: IpAddr = text.split('/').next()?.parse().ok()?;
    configs.iter_mut().find(|config| contains(&config.subnet, ip))
}

fn contains(subnet: &str, ip: IpAddr) -> bool {
    let Some((first, prefix_len)) = parse(subnet) else { return false };
    first.is_ipv4() == ip.is_ipv4() && network(first, prefix_len) == network(ip, prefix_len)
}

fn overlap(one: &str, other: &str) -> bool {
    let within = |one: &str, other: &str| parse(other).is_some_and(|(ip, _)| contains(one, ip));
    within(one, other) || within(other, one)
}

fn parse(subnet: &str) -> Option<(IpAddr, u32)> {
    let (ip, prefix_len) = subnet.split_once('/')?;
    Some((ip.parse().ok()?, prefix_len.parse().ok()?))
}

/// The bits of the prefix.
fn network(ip: IpAddr, prefix_len: u32) -> u128 {
    let (bits, width) = match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32_u32),
        IpAddr::V6(ip) => (ip.to_bits(), 128),
    };
    bits.checked_shr(width.saturating_sub(prefix_len)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn said(subnets: &[&str], ranges: &[&str], gateways: &[&str], aux: &[(&str, &str)]) -> String {
        let aux = aux.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        configs(&owned(subnets), &owned(ranges), &owned(gateways), &aux).err().unwrap_or_default()
    }

    #[test]
    fn everything_finds_its_subnet() {
        let aux = [("a".to_owned(), "10.2.0.9".to_owned())].into();
        let (subnets, ranges) =
            (owned(&["10.1.0.0/16", "10.2.0.0/16", "fd00::/64"]), owned(&["10.2.5.0/24"]));
        let gateways = owned(&["fd00::1", "10.1.0.254"]);
        let configs = configs(&subnets, &ranges, &gateways, &aux).unwrap();
        assert_eq!(
            (configs[0].gateway.as_str(), configs[2].gateway.as_str()),
            ("10.1.0.254", "fd00::1")
        );
        assert_eq!(configs[1].ip_range, "10.2.5.0/24");
        assert_eq!(configs[1].aux_addresses["a"], "10.2.0.9");
    }

    #[test]
    fn what_finds_none_is_refused_in_dockers_words() {
        let overlapping = said(&["10.77.0.0/16", "10.77.0.0/24"], &[], &[], &[]);
        assert_eq!(overlapping, "multiple overlapping subnet configuration is not supported");
        let alone = "every ip-range or gateway must have a corresponding subnet";
        assert_eq!(said(&[], &["10.0.0.0/24"], &[], &[]), alone);
        assert_eq!(said(&[], &[], &["10.0.0.1"], &[]), alone);
        let net = &["10.77.0.0/16"];
        assert_eq!(
            said(net, &["10.78.0.0/24"], &[], &[]),
            "no matching subnet for range 10.78.0.0/24"
        );
        assert_eq!(said(net, &[], &["1.2.3.4"], &[]), "no matching subnet for gateway 1.2.3.4");
        assert_eq!(
            said(&["foo"], &[], &["1.2.3.4"], &[]),
            "invalid subnet: invalid CIDR address: foo"
        );
        assert_eq!(said(net, &[], &[], &[("foo", "")]), "no matching subnet for aux-address ");
        assert_eq!(
            said(&["10.77.0.0/16", "10.78.0.0/16"], &[], &["10.77.0.1", "10.77.0.2"], &[]),
            "cannot configure multiple gateways (10.77.0.2, 10.77.0.1) for the same subnet (10.77.0.0/16)"
        );
    }
}
