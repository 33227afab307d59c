//! Names of images as far as a client must understand them; the engine checks them.

use std::borrow::Cow;

const HUB: &str = "docker.io";
const INVALID: &str = "invalid reference format";

/// `repository[:tag]` apart, as something to be made: a digest can only be referred to.
pub(crate) fn split(text: &str) -> Result<(String, String), String> {
    if text.is_empty() {
        return Ok((String::new(), String::new()));
    }
    check(text)?;
    if text.contains('@') {
        return Err("refusing to create a tag with a digest reference".to_owned());
    }
    let (repository, tag) = tag_of(text);
    Ok((repository.to_owned(), tag.unwrap_or_default().to_owned()))
}

/// What may name an image: a name, or an id.
pub(crate) fn check_image(text: &str) -> Result<(), String> {
    let id = text.strip_prefix("sha256:").unwrap_or(text);
    if id.len() == 64 && is_hex(id) { Ok(()) } else { check(text) }
}

/// `[domain/]repository[:tag][@digest]`, as Docker's distribution/reference reads it.
pub(crate) fn check(text: &str) -> Result<(), String> {
    if text.len() == 64 && is_hex(text) {
        return Err(format!(
            "invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        ));
    }
    let (domain, rest) = domain_and_rest(text);
    let name = rest.split(':').next().unwrap_or_default();
    if name.chars().any(char::is_uppercase) {
        return Err(format!("{INVALID}: repository name ({name}) must be lowercase"));
    }
    let (rest, digest) = rest.split_once('@').map_or((&*rest, None), |(r, d)| (r, Some(d)));
    let (name, tag) = rest.split_once(':').map_or((rest, None), |(n, t)| (n, Some(t)));
    let valid = domain.is_none_or(is_domain)
        && name.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    if !valid {
        return Err(INVALID.to_owned());
    }
    let length = domain.map_or("docker.io".len(), str::len) + 1 + name.len();
    if length > 255 {
        return Err("repository name must not be more than 255 characters".to_owned());
    }
    Ok(())
}

/// A first part with a dot, a port or a capital letter, or `localhost`, is a registry. Without one, and without a
/// slash, the name is one of the library's.
fn domain_and_rest(text: &str) -> (Option<&str>, Cow<'_, str>) {
    let is_registry = |part: &str| {
        part.contains(['.', ':']) || part == "localhost" || part.chars().any(char::is_uppercase)
    };
    match text.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest.into()),
        Some(_) => (None, text.into()),
        None => (None, format!("library/{text}").into()),
    }
}

fn is_domain(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p)));
    let part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    host.split('.').all(part) && port.is_none_or(is_port)
}

/// Letters and digits, between which are a dot, one or two underscores, or hyphens.
fn is_component(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let ends_well = |b: Option<&u8>| b.is_some_and(|b| plain(*b));
    ends_well(text.as_bytes().first())
        && ends_well(text.as_bytes().last())
        && separators.all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b"-.".contains(&b))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && is_hex(hex))
        || text.strip_prefix("sha512:").is_some_and(|hex| hex.len() == 128 && is_hex(hex))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Neither tag nor digest.
pub(crate) fn is_name_only(text: &str) -> bool {
    !text.contains('@') && tag_of(text).1.is_none()
}

/// The registry that a name leads to.
pub(crate) fn domain(text: &str) -> &str {
    domain_and_rest(text).0.unwrap_or(HUB)
}

/// With its registry, and the library where it has no other owner.
pub(crate) fn full(text: &str) -> String {
    match domain_and_rest(text) {
        (Some(domain), rest) if domain != HUB || rest.contains('/') => format!("{domain}/{rest}"),
        (Some(_), rest) => format!("{HUB}/library/{rest}"),
        (None, rest) => format!("{HUB}/{rest}"),
    }
}

/// With `:latest` where it has neither tag nor digest.
pub(crate) fn with_tag(text: &str) -> String {
    match tag_of(text) {
        (_, None) if !text.contains('@') => format!("{text}:latest"),
        _ => text.to_owned(),
    }
}

/// Name, and the tag or digest to pull.
pub(crate) fn to_pull(text: &str) -> (String, String) {
    if let Some((name, digest)) = text.split_once('@') {
        return (name.to_owned(), digest.to_owned());
    }
    let (name, tag) = tag_of(text);
    (name.to_owned(), tag.unwrap_or("latest").to_owned())
}

/// A colon before the last slash belongs to a registry's port.
fn tag_of(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_not_tags() {
        assert_eq!(with_tag("localhost:5000/a"), "localhost:5000/a:latest");
        assert_eq!(with_tag("a:1"), "a:1");
        assert_eq!(with_tag("a@sha256:00"), "a@sha256:00");
        assert_eq!(to_pull("localhost:5000/a:2"), ("localhost:5000/a".to_owned(), "2".to_owned()));
        assert_eq!(full("a:1"), "docker.io/library/a:1");
        assert_eq!(full("docker.io/a:1"), "docker.io/library/a:1");
        assert_eq!(full("localhost:5000/a"), "localhost:5000/a");
        assert!(is_name_only("localhost:5000/a") && !is_name_only("a:1"));
        assert_eq!(split("a"), Ok(("a".to_owned(), String::new())));
        assert!(split("BAD").unwrap_err().contains("(library/BAD) must be lowercase"));
        assert!(split("a@sha256:00").is_err() && split("a:b c").is_err());
    }

    #[test]
    fn names_are_dockers() {
        let id = "0123456789abcdef".repeat(4);
        for good in [
            "a",
            "a:1",
            "a/b.c__d--e",
            "UPPER/case",
            "localhost/a",
            "h:5000/a/b:t",
            "a:A_b.c-1",
            &format!("a@sha256:{id}"),
            &format!("a:1@sha256:{id}"),
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in
            ["", "a b", "a:", "x//y", "-x", "a:b:c", "a@sha256:00", "a___b", "a/", "/a", "a:-"]
        {
            assert_eq!(check(bad), Err(INVALID.to_owned()), "{bad}");
        }
        let said = |text: &str| check(text).unwrap_err();
        assert!(said("BAD/Image").ends_with("repository name (Image) must be lowercase"));
        assert!(said("up/UPPER").ends_with("repository name (up/UPPER) must be lowercase"));
        assert!(said(&id).contains("64-byte hexadecimal"));
        assert!(said(&"a".repeat(250)).contains("255 characters"));
        assert_eq!(check_image(&id), Ok(()));
        assert_eq!(check_image(&format!("sha256:{id}")), Ok(()));
    }
}
