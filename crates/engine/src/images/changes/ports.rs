//! `EXPOSE`.

use crate::error::{Error, Result};

/// The keys of `ExposedPorts` that `80`, `80/udp`, `80-82` and `8080:80` mean: the container's side counts.
pub(super) fn keys(text: &str) -> Result<Vec<String>> {
    let (ports, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(Error::invalid(format!("Invalid proto: {protocol}")));
    }
    let ports = ports.rsplit(':').next().unwrap_or_default();
    let invalid = || Error::invalid(format!("Invalid containerPort: {ports}"));
    if ports.is_empty() {
        return Err(Error::invalid(format!("No port specified: {text}<empty>")));
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let first: u16 = first.parse().map_err(|_| invalid())?;
    let last: u16 = last.parse().map_err(|_| invalid())?;
    if last < first {
        return Err(invalid());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ports_ranges_and_protocols() {
        assert_eq!(keys("80").unwrap(), ["80/tcp"]);
        assert_eq!(keys("80-82/UDP").unwrap(), ["80/udp", "81/udp", "82/udp"]);
        assert_eq!(keys("127.0.0.1:8080:80").unwrap(), ["80/tcp"]);
        for (text, said) in [
            ("x", "Invalid containerPort: x"),
            ("70000", "Invalid containerPort: 70000"),
            ("82-80", "Invalid containerPort: 82-80"),
            ("80/foo", "Invalid proto: foo"),
        ] {
            assert_eq!(keys(text).unwrap_err().to_string(), said);
        }
    }
}
