//! Platforms: `os/architecture[/variant]`, normalised as containerd and Docker do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json::null_as_default;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Platform {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(rename = "os.version", default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {problem}: invalid argument")]
pub struct ParseError {
    text: String,
    problem: &'static str,
}

impl Platform {
    pub fn new(os: &str, architecture: &str, variant: &str) -> Platform {
        Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
            ..Platform::default()
        }
        .normalized()
    }

    /// The platform this engine runs on.
    pub fn host() -> Platform {
        Platform::new("linux", std::env::consts::ARCH, "")
    }

    /// As the Engine API's parameters have it: JSON, or the form that people write.
    pub fn from_query(text: &str) -> Result<Platform, ParseError> {
        match serde_json::from_str::<Platform>(text) {
            Ok(parsed) => Platform::parse(&parsed.to_string()),
            Err(_) => Platform::parse(text),
        }
    }

    /// Parses `os`, `architecture`, `os/architecture` or `os/architecture/variant`; what is left out is the host's.
    pub fn parse(text: &str) -> Result<Platform, ParseError> {
        let refuse = |problem| Err(ParseError { text: text.to_owned(), problem });
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if text.len() > 128 || !parts.iter().all(word) {
            return refuse("invalid component, must match [A-Za-z0-9_.-]+");
        }
        let host = Platform::host();
        match parts[..] {
            [one] if is_known_os(one) => Ok(Platform::new(one, &host.architecture, &host.variant)),
            [one] if is_known_architecture(one) => Ok(Platform::new("linux", one, "")),
            [_] => refuse("unknown operating system or architecture"),
            [os, architecture] => Ok(Platform::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Platform::new(os, architecture, variant)),
            _ => refuse("cannot parse platform specifier"),
        }
    }

    /// How well `candidate` runs here: 0 is exact, larger is worse, `None` is not at all.
    pub fn rank(&self, candidate: &Platform) -> Option<u32> {
        let (wanted, candidate) = (self.clone().normalized(), candidate.clone().normalized());
        if wanted.os != candidate.os || wanted.architecture != candidate.architecture {
            return None;
        }
        if wanted.architecture == "arm" || wanted.architecture == "amd64" {
            return variant_level(&wanted).checked_sub(variant_level(&candidate));
        }
        (wanted.variant == candidate.variant).then_some(0)
    }

    pub fn normalized(mut self) -> Platform {
        self.os = self.os.to_ascii_lowercase();
        if self.os == "macos" {
            self.os = "darwin".to_owned();
        }
        let (architecture, variant) = normalize_architecture(
            &self.architecture.to_ascii_lowercase(),
            &self.variant.to_ascii_lowercase(),
        );
        self.architecture = architecture;
        self.variant = variant;
        self
    }
}

fn normalize_architecture(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = match (architecture, variant) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", other) => ("amd64", other),
        ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
        ("aarch64", other) => ("arm64", other),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    (architecture.to_owned(), variant.to_owned())
}

/// `v7` is 7; no variant is the base level of its architecture.
fn variant_level(platform: &Platform) -> u32 {
    platform.variant.trim_start_matches('v').parse().unwrap_or(1)
}

fn is_known_os(word: &str) -> bool {
    matches!(word, "linux" | "windows" | "darwin" | "freebsd" | "macos")
}

fn is_known_architecture(word: &str) -> bool {
    matches!(
        word,
        "amd64"
            | "x86_64"
            | "x86-64"
            | "386"
            | "i386"
            | "arm"
            | "armhf"
            | "armel"
            | "arm64"
            | "aarch64"
            | "ppc64le"
            | "s390x"
            | "riscv64"
            | "mips64le"
            | "loong64"
    )
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_platform_are_equal() {
        let parse = |text| Platform::parse(text).expect("platform").to_string();
        assert_eq!(parse("linux/x86_64"), "linux/amd64");
        assert_eq!(parse("linux/aarch64"), "linux/arm64");
        assert_eq!(parse("linux/arm64/v8"), "linux/arm64");
        assert_eq!(parse("linux/arm"), "linux/arm/v7");
        assert_eq!(parse("Linux/AMD64/v2"), "linux/amd64/v2");
    }

    #[test]
    fn parameters_are_json_or_plain() {
        let arm = Platform::new("linux", "arm64", "");
        let json = r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#;
        assert_eq!(Platform::from_query(json), Ok(arm.clone()));
        assert_eq!(Platform::from_query("linux/arm64"), Ok(arm));
        assert!(Platform::from_query("{}").is_err() && Platform::from_query("{").is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "linux/", "linux/amd64/v1/x", "../x", "plan9x", "linux/am d64"] {
            assert!(Platform::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_older_variant_runs_on_a_newer_machine_and_not_the_other_way() {
        let (v6, v7) = (Platform::new("linux", "arm", "v6"), Platform::new("linux", "arm", "v7"));
        assert_eq!(v7.rank(&v6), Some(1));
        assert_eq!(v6.rank(&v7), None);
        assert_eq!(v7.rank(&Platform::new("linux", "arm64", "")), None);
    }
}
