//! Image references by Docker's rules: `[domain/]path[:tag][@digest]`, familiar names included.
//!
//! The grammar and the error texts are those that Docker's users know from the distribution reference package.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{self, Digest};

pub const DEFAULT_DOMAIN: &str = "docker.io";
pub const DEFAULT_TAG: &str = "latest";
const LEGACY_DEFAULT_DOMAIN: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// A normalised reference: the domain is always there, official images lie under `library/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// What a user may write where an image is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageName {
    /// A whole digest: an image ID, or a manifest's or index's digest.
    Digest(Digest),
    Reference(Reference),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("invalid reference format")]
    Format,
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    #[error("repository name must not be more than {MAX_NAME} characters")]
    NameTooLong,
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    HexName(String),
    #[error("{0}")]
    Digest(#[from] digest::ParseError),
    #[error("invalid tag format")]
    Tag,
}

impl Reference {
    /// Parses a familiar or full name. No tag is added: see [`Reference::tag_default`].
    pub fn parse(text: &str) -> Result<Reference, ParseError> {
        if is_full_hex(text) {
            return Err(ParseError::HexName(text.to_owned()));
        }
        let (domain, remainder) = split_domain(text);
        let remote = remainder.split(':').next().unwrap_or_default();
        if remote.chars().any(char::is_uppercase) {
            return Err(ParseError::Uppercase(remote.to_owned()));
        }
        parse_parts(&domain, &remainder)
    }

    /// Neither tag nor digest.
    pub fn is_name_only(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository's path within its domain (`library/busybox`).
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Domain and path: the repository's full name.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The name as people write it: no default domain, no `library/`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL_PREFIX) {
            Some(official) if !official.contains('/') => official.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// The familiar name with tag and digest.
    pub fn familiar(&self) -> String {
        self.familiar_name() + &self.suffix()
    }

    /// Adds `latest` where there is neither tag nor digest.
    pub fn tag_default(mut self) -> Reference {
        if self.is_name_only() {
            self.tag = Some(DEFAULT_TAG.to_owned());
        }
        self
    }

    pub fn without_tag_and_digest(&self) -> Reference {
        Reference { tag: None, digest: None, ..self.clone() }
    }

    pub fn with_tag(&self, tag: &str) -> Result<Reference, ParseError> {
        if !is_tag(tag) {
            return Err(ParseError::Tag);
        }
        Ok(Reference { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// Whether a shell pattern, as in `images --filter reference=`, means this reference: the whole familiar
    /// string, or the familiar name alone. `*` does not cross a `/`.
    pub fn matches(&self, pattern: &str) -> bool {
        let pattern: Vec<char> = pattern.chars().collect();
        let matches = |text: String| glob(&pattern, &text.chars().collect::<Vec<_>>());
        matches(self.familiar()) || matches(self.familiar_name())
    }

    /// Whether a text is a pattern at all, by the rules of Go's `path.Match`.
    pub fn is_pattern(pattern: &str) -> bool {
        let pattern: Vec<char> = pattern.chars().collect();
        let mut at = 0;
        while let Some(letter) = pattern.get(at) {
            at += match letter {
                '[' => match class_length(&pattern[at..]) {
                    Some(length) => length,
                    None => return false,
                },
                '\\' if at + 1 == pattern.len() => return false,
                '\\' => 2,
                _ => 1,
            };
        }
        true
    }

    fn suffix(&self) -> String {
        let mut suffix = String::new();
        if let Some(tag) = &self.tag {
            suffix = format!(":{tag}");
        }
        if let Some(digest) = &self.digest {
            suffix = format!("{suffix}@{digest}");
        }
        suffix
    }
}

impl ImageName {
    /// Parses an image ID, a digest or a reference; 64 hexadecimal digits are a digest.
    pub fn parse(text: &str) -> Result<ImageName, ParseError> {
        if let Ok(digest) = Digest::from_sha256_hex(text) {
            return Ok(ImageName::Digest(digest));
        }
        if let Ok(digest) = Digest::parse(text) {
            return Ok(ImageName::Digest(digest));
        }
        Ok(ImageName::Reference(Reference::parse(text)?))
    }
}

/// The full form, `docker.io/library/busybox:latest`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.domain, self.path, self.suffix())
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Reference, D::Error> {
        let text = String::deserialize(deserializer)?;
        Reference::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Whether a text is a repository's name within a registry, by the distribution specification's grammar.
pub fn is_repository(path: &str) -> bool {
    path.len() <= MAX_NAME && path.split('/').all(is_path_component)
}

/// The first component is a domain if it could not be a path component of the default domain.
fn split_domain(text: &str) -> (String, String) {
    let (domain, remainder) = match text.split_once('/') {
        Some((first, rest)) if is_domain_like(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, text),
    };
    let domain = if domain == LEGACY_DEFAULT_DOMAIN { DEFAULT_DOMAIN } else { domain };
    if domain == DEFAULT_DOMAIN && !remainder.contains('/') {
        return (domain.to_owned(), format!("{OFFICIAL_PREFIX}{remainder}"));
    }
    (domain.to_owned(), remainder.to_owned())
}

fn is_domain_like(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase)
}

fn parse_parts(domain: &str, remainder: &str) -> Result<Reference, ParseError> {
    let (rest, digest) = match remainder.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (remainder, None),
    };
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    let well_formed = is_domain(domain)
        && path.split('/').all(is_path_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest_shaped);
    if !well_formed {
        return Err(ParseError::Format);
    }
    if domain.len() + 1 + path.len() > MAX_NAME {
        return Err(ParseError::NameTooLong);
    }
    Ok(Reference {
        domain: domain.to_owned(),
        path: path.to_owned(),
        tag: tag.map(str::to_owned),
        digest: digest.map(Digest::parse).transpose()?,
    })
}

fn is_full_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// `host[:port]`, the host a name, an IPv4 address or an IPv6 address in brackets.
fn is_domain(domain: &str) -> bool {
    if let Some(rest) = domain.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let hex = address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
        return !address.is_empty()
            && hex
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = match domain.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (domain, None),
    };
    host.split('.').all(is_domain_component) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
}

fn is_domain_component(component: &str) -> bool {
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// Lower-case words joined by one of `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges_are_words =
        bytes.first().is_some_and(|b| is_word(*b)) && bytes.last().is_some_and(|b| is_word(*b));
    edges_are_words
        && bytes.split(|b| is_word(*b)).all(|separator| {
            matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-')
        })
}

/// Whether a text is a tag, by the distribution specification's grammar.
pub fn is_tag(tag: &str) -> bool {
    let bytes = tag.as_bytes();
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    bytes.first().is_some_and(is_word)
        && bytes.len() <= MAX_TAG
        && bytes.iter().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

/// The reference grammar's own idea of a digest, looser than [`Digest::parse`]: it decides which error is told.
fn is_digest_shaped(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let words = |component: &str| {
        component.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
            && component.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(words)
        && hex.len() >= 32
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Shell patterns as Go's `path.Match` reads them.
fn glob(pattern: &[char], text: &[char]) -> bool {
    // Where to resume when a `*` has to swallow one more character.
    let mut retry: Option<(usize, usize)> = None;
    let (mut p, mut t) = (0, 0);
    while t < text.len() || p < pattern.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p, t + 1));
            p += 1;
            continue;
        }
        if let Some(length) = matched_length(&pattern[p..], text.get(t)) {
            p += length;
            t += 1;
            continue;
        }
        match retry {
            Some((star, resume)) if resume <= text.len() && text[resume - 1] != '/' => {
                retry = Some((star, resume + 1));
                (p, t) = (star + 1, resume);
            }
            _ => return false,
        }
    }
    true
}

/// Length of the pattern element that matches the one character, if it does.
fn matched_length(pattern: &[char], character: Option<&char>) -> Option<usize> {
    let character = *character?;
    match pattern.first()? {
        '?' => (character != '/').then_some(1),
        '[' => matched_class(pattern, character),
        '\\' => (pattern.get(1) == Some(&character)).then_some(2),
        literal => (*literal == character).then_some(1),
    }
}

/// Length of the class that the pattern begins with; none if it does not end, or is empty.
fn class_length(pattern: &[char]) -> Option<usize> {
    let first = if pattern.get(1) == Some(&'^') { 2 } else { 1 };
    // Which character is asked for does not matter to where the class ends.
    let length = class(pattern, '\0')?.0;
    (length > first + 1).then_some(length)
}

fn matched_class(pattern: &[char], character: char) -> Option<usize> {
    class(pattern, character).and_then(|(length, matches)| matches.then_some(length))
}

/// Length of a class, and whether it has the character.
fn class(pattern: &[char], character: char) -> Option<(usize, bool)> {
    let negated = pattern.get(1) == Some(&'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    let literal = |at: &mut usize| -> Option<char> {
        if pattern.get(*at) == Some(&'\\') {
            *at += 1;
        }
        let character = *pattern.get(*at)?;
        *at += 1;
        Some(character)
    };
    while *pattern.get(at)? != ']' {
        let low = literal(&mut at)?;
        let mut high = low;
        if pattern.get(at) == Some(&'-') {
            at += 1;
            high = literal(&mut at)?;
        }
        found |= (low..=high).contains(&character);
    }
    Some((at + 1, found != negated))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Reference {
        Reference::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn error(text: &str) -> String {
        Reference::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn familiar_names_are_normalised() {
        for (text, full) in [
            ("busybox", "docker.io/library/busybox"),
            ("busybox:1.36", "docker.io/library/busybox:1.36"),
            ("grafana/loki", "docker.io/grafana/loki"),
            ("docker.io/busybox", "docker.io/library/busybox"),
            ("index.docker.io/busybox", "docker.io/library/busybox"),
            ("localhost/app", "localhost/app"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("[::1]:5000/app", "[::1]:5000/app"),
            ("ghcr.io/a/b__c/d---e.f", "ghcr.io/a/b__c/d---e.f"),
            ("Registry/app", "Registry/app"),
        ] {
            assert_eq!(parse(text).to_string(), full);
        }
    }

    #[test]
    fn full_names_are_shown_as_people_write_them() {
        for (text, familiar) in [
            ("docker.io/library/busybox:latest", "busybox:latest"),
            ("docker.io/library/a/b", "library/a/b"),
            ("docker.io/grafana/loki", "grafana/loki"),
            ("quay.io/x/y:z", "quay.io/x/y:z"),
        ] {
            assert_eq!(parse(text).familiar(), familiar);
        }
    }

    #[test]
    fn the_default_tag_is_added_only_to_bare_names() {
        let hex = "0".repeat(64);
        assert_eq!(parse("a").tag_default().familiar(), "a:latest");
        assert_eq!(parse("a:b").tag_default().familiar(), "a:b");
        let by_digest = format!("a@sha256:{hex}");
        assert_eq!(parse(&by_digest).tag_default().familiar(), by_digest);
    }

    #[test]
    fn errors_are_worded_as_docker_words_them() {
        let lowercase =
            |name| format!("invalid reference format: repository name ({name}) must be lowercase");
        assert_eq!(error("Busybox"), lowercase("library/Busybox"));
        assert_eq!(error("docker.io/a/B:c"), lowercase("a/B"));
        for text in [
            "",
            "a b",
            "-a",
            "a/",
            "a//b",
            "a:",
            "a:.x",
            "a@",
            "a___b",
            "a:b:c",
            "a@sha256:zz",
            "../x",
            "a\0b",
        ] {
            assert_eq!(error(text), "invalid reference format", "{text:?}");
        }
        assert_eq!(
            error(&format!("a@sha256:{}", "0".repeat(32))),
            "invalid checksum digest length"
        );
        assert_eq!(error(&format!("a@md5:{}", "0".repeat(32))), "unsupported digest algorithm");
        let hex = "a".repeat(64);
        assert_eq!(
            error(&hex),
            format!("invalid repository name ({hex}), cannot specify 64-byte hexadecimal strings")
        );
        assert_eq!(error(&"a".repeat(256)), "repository name must not be more than 255 characters");
        assert_eq!(error(&format!("a:{}", "t".repeat(129))), "invalid reference format");
    }

    #[test]
    fn patterns_match_the_name_or_the_whole_reference() {
        let reference = parse("library/busybox:1.36");
        for pattern in ["busybox", "busy*", "busybox:1.*", "*:*", "b?sybox", "[a-c]usybox", "*"] {
            assert!(reference.matches(pattern), "{pattern}");
        }
        for pattern in ["busy", "*/busybox", "busybox:2*", "[^b]usybox", "[b", "busybox:1.36x"] {
            assert!(!reference.matches(pattern), "{pattern}");
        }
        assert!(!parse("a/b").matches("*"), "a star stays within one path component");
        assert!(parse("a/b:c").matches("a/*"));
    }

    #[test]
    fn a_class_has_an_end_and_something_in_it() {
        for good in ["a", "*:[0-9]", "[^a]b", r"\[", r"[\]]"] {
            assert!(Reference::is_pattern(good), "{good}");
        }
        for bad in ["[", "[a", "[]", "[^]", "a\\"] {
            assert!(!Reference::is_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn sixty_four_digits_are_a_digest_where_an_image_is_meant() {
        let hex = "a".repeat(64);
        let digest = Digest::from_sha256_hex(&hex).expect("digest");
        assert_eq!(ImageName::parse(&hex), Ok(ImageName::Digest(digest.clone())));
        assert_eq!(ImageName::parse(digest.as_str()), Ok(ImageName::Digest(digest)));
        assert_eq!(ImageName::parse("a"), Ok(ImageName::Reference(parse("a"))));
    }

    proptest::proptest! {
        #[test]
        fn whatever_parses_parses_again_to_the_same(text in "[a-zA-Z0-9._:/@-]{0,40}") {
            if let Ok(reference) = Reference::parse(&text) {
                proptest::prop_assert_eq!(Reference::parse(&reference.to_string()), Ok(reference.clone()));
                proptest::prop_assert_eq!(Reference::parse(&reference.familiar()), Ok(reference));
            }
        }

        #[test]
        fn no_pattern_makes_matching_fail(pattern in "[a-c*?\\[\\]^\\\\-]{0,12}", name in "[a-c]{1,8}") {
            let _ = Reference::parse(&name).map(|reference| reference.matches(&pattern));
        }
    }
}
