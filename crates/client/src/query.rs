//! Paths and query strings.

use std::fmt::Write as _;

/// A query string under construction; empty values are left out, as the API reads both alike.
#[derive(Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    pub(crate) fn set(mut self, key: &str, value: impl AsRef<str>) -> Self {
        if !value.as_ref().is_empty() {
            self = self.push(key, value.as_ref());
        }
        self
    }

    /// `key=1` where `on`.
    pub(crate) fn flag(self, key: &str, on: bool) -> Self {
        if on { self.push(key, "1") } else { self }
    }

    pub(crate) fn number(self, key: &str, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.push(key, &value.to_string()),
            None => self,
        }
    }

    /// Repeats `key` for each value.
    pub(crate) fn each(self, key: &str, values: &[String]) -> Self {
        values.iter().fold(self, |query, value| query.push(key, value))
    }

    fn push(mut self, key: &str, value: &str) -> Self {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(key);
        self.0.push('=');
        escape_into(&mut self.0, value, b"");
        self
    }

    pub(crate) fn on(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

/// One path segment, or several for image names, whose slashes the API's routes expect as they are. Those before, after
/// and beside others are left out, as Docker's client does: a container's name begins with one. Nothing at all, and parts
/// that lead elsewhere, make a path that [`is_askable`] refuses.
pub(crate) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for part in text.split('/').filter(|part| !part.is_empty()) {
        if !escaped.is_empty() {
            escaped.push('/');
        }
        escape_into(&mut escaped, part, b":@");
    }
    escaped
}

/// Whether a path means what it says: an engine answers others with the way to another object, or a list.
pub(crate) fn is_askable(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.strip_prefix('/')
        .is_some_and(|path| path.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

fn escape_into(out: &mut String, text: &str, also_plain: &[u8]) {
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || also_plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_empty_ones_left_out() {
        let query =
            Query::default().set("a", "x y&z").set("b", "").flag("c", true).flag("d", false);
        assert_eq!(query.number("n", Some(-1)).on("/p"), "/p?a=x%20y%26z&c=1&n=-1");
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_path() {
        assert_eq!(segment("a/b:c@d"), "a/b:c@d");
        assert_eq!(segment("x?y#z\r\n"), "x%3Fy%23z%0D%0A");
        assert_eq!(segment("/name"), "name");
        assert_eq!(segment("//a//b/"), "a/b");
        assert_eq!(segment("a%2e"), "a%252e");
        for (name, asked) in [("a", true), ("..a", true), ("...", true), ("", false), ("/", false)]
        {
            assert_eq!(
                is_askable(&format!("/v1.45/containers/{}/json", segment(name))),
                asked,
                "{name}"
            );
        }
        for name in [".", "..", "../x", "a/../b", "a/.", "", "/"] {
            assert!(!is_askable(&format!("/v1.45/volumes/{}?force=1", segment(name))), "{name}");
        }
        assert!(is_askable("/_ping") && is_askable("/v1.45/events?since=../x//"));
    }
}
