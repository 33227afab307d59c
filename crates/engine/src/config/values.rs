//! Option values with a syntax of their own, as flags write them and as the file does.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// A proxy's address without the credentials it may hold, which are nobody's business.
pub fn masked(url: &str) -> String {
    let is_scheme = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let (scheme, rest) = match url.find("://") {
        Some(end) if is_scheme(&url[..end]) => url.split_at(end + 3),
        _ => ("", url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}xxxxx:xxxxx{}", &rest[at..]),
        None => url.to_owned(),
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AddressPool {
    /// `10.10.0.0/16`
    pub base: String,
    /// Prefix length of each network's subnet.
    pub size: u8,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    pub path: String,
    #[serde(default, rename = "runtimeArgs")]
    pub args: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Ulimit {
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

/// `base=10.0.0.0/8,size=24`
pub fn address_pool(text: &str) -> Result<Value, String> {
    let (mut base, mut size) = (None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("base", value)) => base = Some(value.to_owned()),
            Some(("size", value)) => size = value.parse::<u8>().ok(),
            Some((key, _)) => return Err(format!("unexpected key '{key}' in '{field}'")),
            None => return Err(format!("invalid field '{field}' must be a key=value pair")),
        }
    }
    match (base, size) {
        (Some(base), Some(size)) => Ok(json!({ "base": base, "size": size })),
        _ => Err("base and size are both required".to_owned()),
    }
}

/// `name=path`
pub fn runtime(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), json!({ "path": path })))
        }
        _ => Err(format!("invalid runtime argument: {text}")),
    }
}

/// `nofile=1024:2048`, or one number for both.
pub fn ulimit(text: &str) -> Result<(String, Value), String> {
    let invalid = || format!("invalid ulimit argument: {text}");
    let (name, limits) = text.split_once('=').ok_or_else(invalid)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| text.parse::<i64>().map_err(|_| invalid());
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard != -1 && soft > hard {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    Ok((name.to_owned(), json!({ "Name": name, "Soft": soft, "Hard": hard })))
}

/// `unix:///path`, `tcp://ip:port`, `fd://`; without a protocol, tcp.
pub fn host(text: &str) -> Result<&str, String> {
    match text.split_once("://") {
        None | Some(("unix" | "tcp" | "fd", _)) => Ok(text),
        Some((other, _)) => {
            Err(format!("invalid bind address ({text}): unsupported proto '{other}'"))
        }
    }
}

/// `key=value`
pub fn label(text: &str) -> Result<&str, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text),
        _ => Err(format!("bad attribute format: {text}")),
    }
}

/// Labels say each key once, or twice the same.
pub fn labels(labels: &[String]) -> Result<(), String> {
    let mut values = BTreeMap::new();
    for label in labels {
        let (key, value) =
            label.split_once('=').ok_or_else(|| format!("bad attribute format: {label}"))?;
        if let Some(other) = values.insert(key, value).filter(|other| *other != value) {
            return Err(format!("conflict labels for {key}={value} and {key}={other}"));
        }
    }
    Ok(())
}

/// `overlay2.size` is read by [`super::Config::container_size`]; the rest of what overlay2 knows in Docker asks for
/// nothing here.
pub fn storage_option(text: &str) -> Result<(), String> {
    let (key, value) =
        text.split_once('=').ok_or_else(|| format!("unable to parse storage-opt: {text}"))?;
    match key {
        "overlay2.override_kernel_check" => Ok(()),
        "overlay2.size" if parse_size(value).is_some() => Ok(()),
        "overlay2.size" => Err(format!("invalid size: '{value}'")),
        key => Err(format!("overlay2: unknown option {key}")),
    }
}

/// What resolv.conf's `search` can hold; `.` alone switches searching off.
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text == "."
        || (text.len() <= 255 && text.strip_suffix('.').unwrap_or(text).split('.').all(label))
}

/// A registry's address: `http` or `https`, a host, and no more.
pub fn mirror(text: &str) -> Result<&str, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    if !matches!(scheme, "http" | "https") {
        return Err(format!("invalid mirror: unsupported scheme {scheme:?} in {text:?}"));
    }
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.is_empty() || host.contains(['/', '?', '#']) {
        return Err(format!("invalid mirror: path, query, or fragment at end of the URI {text:?}"));
    }
    if host.contains('@') {
        return Err(format!("invalid mirror: username/password not allowed in URI {text:?}"));
    }
    Ok(text)
}

/// A byte count: a number, or one with a binary unit (`64m`, `1g`).
pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let bytes = match &value {
        Value::String(text) => parse_size(text),
        number => number.as_i64(),
    };
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    bytes.ok_or_else(|| D::Error::custom(format!("invalid size: '{shown}'")))
}

pub fn parse_size(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix("ib").or(text.strip_suffix('b')).unwrap_or(&text);
    let (digits, unit) = match text.bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1_i64 << 10),
        b'm' => (&text[..text.len() - 1], 1 << 20),
        b'g' => (&text[..text.len() - 1], 1 << 30),
        b't' => (&text[..text.len() - 1], 1 << 40),
        _ => (text, 1),
    };
    let number: f64 = digits.trim().parse().ok()?;
    let bytes = number * unit as f64;
    (bytes.is_finite() && (0.0..9.2e18).contains(&bytes)).then_some(bytes as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_credentials_are_not_shown() {
        let hidden = "http://xxxxx:xxxxx@proxy:3128/x@y";
        assert_eq!(masked("http://ann:se@cret@proxy:3128/x@y"), hidden);
        assert_eq!(masked("ann:secret@proxy:3128"), "xxxxx:xxxxx@proxy:3128");
        assert_eq!(masked("ann:secret@proxy/://x"), "xxxxx:xxxxx@proxy/://x");
        for open in ["http://proxy:3128", "proxy", "", "http://proxy/a@b"] {
            assert_eq!(masked(open), open);
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("64m"), Some(64 << 20));
        assert_eq!(parse_size("1.5G"), Some(3 << 29));
        assert_eq!(parse_size("2 KiB"), Some(2048));
        assert_eq!(parse_size("1t"), Some(1 << 40));
        assert_eq!(parse_size("7"), Some(7));
        for wrong in ["", "x", "-1", "m", "1e400"] {
            assert_eq!(parse_size(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn wrong_values_are_named() {
        assert_eq!(ulimit("x").unwrap_err(), "invalid ulimit argument: x");
        assert_eq!(runtime("x").unwrap_err(), "invalid runtime argument: x");
        assert_eq!(address_pool("x").unwrap_err(), "invalid field 'x' must be a key=value pair");
    }
}
