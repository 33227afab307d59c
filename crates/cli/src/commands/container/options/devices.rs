//! Devices and how fast they may be used.

use api::containers::{DeviceMapping, ThrottleDevice, WeightDevice};

use crate::flags;

pub(super) fn check_weight(text: &str) -> Result<(), String> {
    weight(text).map(drop)
}

pub(super) fn check_bps(text: &str) -> Result<(), String> {
    throttle(text, Unit::Bytes).map(drop)
}

pub(super) fn check_iops(text: &str) -> Result<(), String> {
    throttle(text, Unit::Operations).map(drop)
}

/// `c 13:* rwm`.
pub(super) fn check_rule(text: &str) -> Result<(), String> {
    let invalid = || Err(format!("invalid device cgroup format '{text}'"));
    let words: Vec<&str> = text.split(' ').collect();
    let [kind, numbers, access] = words.as_slice() else { return invalid() };
    let number = |n: &str| n == "*" || (!n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let numbers_valid =
        numbers.split_once(':').is_some_and(|(major, minor)| number(major) && number(minor));
    let access_valid =
        (1..=3).contains(&access.len()) && access.bytes().all(|b| b"rwm".contains(&b));
    if matches!(*kind, "a" | "b" | "c") && numbers_valid && access_valid {
        Ok(())
    } else {
        invalid()
    }
}

pub(super) fn mappings(words: &[String]) -> Result<Vec<DeviceMapping>, String> {
    words.iter().map(|word| mapping(word)).collect()
}

pub(super) fn weights(words: &[String]) -> Result<Vec<WeightDevice>, String> {
    words.iter().map(|word| weight(word)).collect()
}

pub(super) fn bps(words: &[String]) -> Result<Vec<ThrottleDevice>, String> {
    words.iter().map(|word| throttle(word, Unit::Bytes)).collect()
}

pub(super) fn iops(words: &[String]) -> Result<Vec<ThrottleDevice>, String> {
    words.iter().map(|word| throttle(word, Unit::Operations)).collect()
}

/// `/dev/x[:/dev/y][:rwm]`.
fn mapping(text: &str) -> Result<DeviceMapping, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, access) = match parts.as_slice() {
        [host] => (*host, *host, "rwm"),
        [host, access] if is_access(access) => (*host, *host, *access),
        [host, container] => (*host, *container, "rwm"),
        [host, container, access] if is_access(access) => (*host, *container, *access),
        [_, _, access] => return Err(format!("bad mode specified: {access}")),
        _ => return Err(format!("bad format for path: {text}")),
    };
    if host.is_empty() {
        return Err(format!("bad format for path: {text}"));
    }
    if !container.starts_with('/') {
        return Err(format!("{container} is not an absolute path"));
    }
    Ok(DeviceMapping {
        path_on_host: host.to_owned(),
        path_in_container: container.to_owned(),
        cgroup_permissions: access.to_owned(),
    })
}

/// Some of `r`, `w` and `m`, each once.
fn is_access(word: &str) -> bool {
    let bytes = word.as_bytes();
    let once = |(at, byte): (usize, &u8)| b"rwm".contains(byte) && !bytes[..at].contains(byte);
    !bytes.is_empty() && bytes.iter().enumerate().all(once)
}

/// A device, and what is said of it.
fn device_and(text: &str) -> Result<(&str, &str), String> {
    let (path, value) = text
        .split_once(':')
        .filter(|(path, _)| !path.is_empty())
        .ok_or_else(|| format!("bad format: {text}"))?;
    if !path.starts_with("/dev/") {
        return Err(format!("bad format for device path: {text}"));
    }
    Ok((path, value))
}

fn weight(text: &str) -> Result<WeightDevice, String> {
    let (path, value) = device_and(text)?;
    let weight = value.parse().ok().filter(|weight| *weight == 0 || (10..=1000).contains(weight));
    let weight = weight.ok_or_else(|| format!("invalid weight for device: {text}"))?;
    Ok(WeightDevice { path: path.to_owned(), weight })
}

#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Operations,
}

fn throttle(text: &str, unit: Unit) -> Result<ThrottleDevice, String> {
    let (path, value) = device_and(text)?;
    let rate = match unit {
        Unit::Bytes => flags::bytes(value).ok().and_then(|rate| u64::try_from(rate).ok()),
        Unit::Operations => value.parse().ok(),
    };
    let rate = rate.ok_or_else(|| match unit {
        Unit::Bytes => format!("invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"),
        Unit::Operations => format!("invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive integer"),
    })?;
    Ok(ThrottleDevice { path: path.to_owned(), rate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_keep_their_name_and_all_rights_unless_told_otherwise() {
        let of = |text| mapping(text).map(|d| (d.path_in_container, d.cgroup_permissions));
        assert_eq!(of("/dev/fuse"), Ok(("/dev/fuse".to_owned(), "rwm".to_owned())));
        assert_eq!(of("/dev/fuse:r"), Ok(("/dev/fuse".to_owned(), "r".to_owned())));
        assert_eq!(of("/dev/sda:/dev/x:rw"), Ok(("/dev/x".to_owned(), "rw".to_owned())));
        assert_eq!(of("/dev/sda:/dev/x:rwmm").unwrap_err(), "bad mode specified: rwmm");
        assert_eq!(of("/dev/sda:rr").unwrap_err(), "rr is not an absolute path");
        assert!(of("/dev/sda:/dev/x:zz").is_err() && of("").is_err() && of("/dev/sda:x").is_err());
    }

    #[test]
    fn rules_and_rates() {
        assert!(
            check_rule("c 13:* rwm").is_ok()
                && check_rule("c 13 rwm").is_err()
                && check_rule("x 1:1 r").is_err()
        );
        assert_eq!(throttle("/dev/sda:1mb", Unit::Bytes).map(|d| d.rate), Ok(1 << 20));
        assert_eq!(throttle("/dev/sda:50", Unit::Operations).map(|d| d.rate), Ok(50));
        assert!(
            throttle("/dev/sda:-1", Unit::Bytes).is_err()
                && throttle("sda:1", Unit::Bytes).is_err()
        );
        assert!(weight("/dev/sda:5").is_err() && weight("/dev/sda:500").is_ok());
    }
}
