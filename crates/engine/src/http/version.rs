//! API versions: what is served, how a request names one, and Docker's words for those that are not.

use api::Version;

use crate::error::{Error, Result};

/// Splits `/v1.40/info` into `1.40` and `/info`. Without a version, the newest is meant.
pub fn split(path: &str) -> (Option<&str>, &str) {
    let versioned = path.strip_prefix("/v").and_then(|rest| {
        let (version, rest) = rest.split_at(rest.find('/')?);
        let digits = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        (!version.is_empty() && version.bytes().all(digits)).then_some((version, rest))
    });
    match versioned {
        Some((version, rest)) => (Some(version), rest),
        None => (None, path),
    }
}

pub fn negotiate(asked: Option<&str>) -> Result<Version> {
    let Some(text) = asked else { return Ok(Version::MAX) };
    let numbers = numbers(text);
    if numbers < [1, Version::MIN.minor.into()].into() {
        return Err(Error::invalid(format!(
            "client version {text} is too old. Minimum supported API version is {}, \
             please upgrade your client to a newer version",
            Version::MIN
        )));
    }
    if numbers > [1, Version::MAX.minor.into()].into() {
        return Err(Error::invalid(format!(
            "client version {text} is too new. Maximum supported API version is {}",
            Version::MAX
        )));
    }
    let minor = numbers.get(1).copied().unwrap_or(0);
    Ok(Version::v1(u16::try_from(minor).expect("it is not greater than the newest one")))
}

/// As Docker compares them: number by number, nothing counting as 0; zeros at the end mean nothing.
fn numbers(text: &str) -> Vec<u64> {
    let number = |digits: &str| match digits {
        "" => 0,
        digits => digits.parse().unwrap_or(u64::MAX),
    };
    let mut numbers: Vec<u64> = text.split('.').map(number).collect();
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_prefix_is_optional() {
        assert_eq!(split("/v1.40/info"), (Some("1.40"), "/info"));
        assert_eq!(split("/info"), (None, "/info"));
        assert_eq!(split("/version"), (None, "/version"));
        assert_eq!(split("/volumes/v1.2"), (None, "/volumes/v1.2"));
        assert_eq!(split("/v/x"), (None, "/v/x"));
    }

    #[test]
    fn negotiation() {
        let refused = |text| negotiate(Some(text)).unwrap_err().to_string();
        assert_eq!(negotiate(None).unwrap(), Version::MAX);
        assert_eq!(negotiate(Some("1.24")).unwrap(), Version::v1(24));
        assert_eq!(negotiate(Some("1.54")).unwrap(), Version::v1(54));
        assert_eq!(
            refused("1.23"),
            "client version 1.23 is too old. Minimum supported API version is 1.24, \
             please upgrade your client to a newer version"
        );
        assert_eq!(
            refused("1.55"),
            "client version 1.55 is too new. Maximum supported API version is 1.54"
        );
        // By number, not by text: 1.100 is newer than 1.54, and 1.9 is older than 1.24.
        assert!(refused("1.100").contains("too new"));
        assert!(refused("1.9").contains("too old"));
        assert!(refused("2.0").contains("too new"));
        assert!(refused("1.54.1").contains("too new"));
        assert!(refused("99999999999999999999999").contains("too new"));
        for old in ["1", "1.", ".45", ".", "0", "1.2.3", "0.0"] {
            assert!(refused(old).contains("too old"), "{old}");
        }
        for spelling in ["01.45", "1.045", "1.45.0", "1.45."] {
            assert_eq!(negotiate(Some(spelling)).unwrap(), Version::v1(45), "{spelling}");
        }
    }
}
