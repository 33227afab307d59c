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
    let version: Version = text
        .parse()
        .map_err(|error: api::version::ParseVersionError| Error::invalid(error.to_string()))?;
    if version < Version::MIN {
        return Err(Error::invalid(format!(
            "client version {text} is too old. Minimum supported API version is {}, \
             please upgrade your client to a newer version",
            Version::MIN
        )));
    }
    if version > Version::MAX {
        return Err(Error::invalid(format!(
            "client version {text} is too new. Maximum supported API version is {}",
            Version::MAX
        )));
    }
    Ok(version)
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
        assert!(refused("1.2.3").contains("invalid API version"));
        assert!(refused("99999999").contains("invalid API version"));
    }
}
