//! Query strings as Docker reads them.

use std::str::FromStr;

use crate::error::{Error, Result};

/// The decoded parameters, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(raw: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, Plus::IsSpace), decode(value, Plus::IsSpace))
        };
        Self(raw.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    /// The first value of `name`; empty if it was not given.
    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or("")
    }

    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Docker's rule: anything but an empty value, `0`, `no`, `false` and `none` is true.
    pub fn flag(&self, name: &str) -> bool {
        let value = self.get(name).trim().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// As `flag`, with a default for a parameter that is absent.
    pub fn flag_or(&self, name: &str, default: bool) -> bool {
        if self.has(name) { self.flag(name) } else { default }
    }

    /// A number, `None` if the parameter is absent or empty.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        match self.get(name) {
            "" => Ok(None),
            // Docker's status: it takes this for a failure of its own.
            text => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Error::system(not_a_number("Atoi", text))),
            },
        }
    }
}

/// Go's words for it.
pub fn not_a_number(function: &str, text: &str) -> String {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let why = if is_number { "value out of range" } else { "invalid syntax" };
    format!("strconv.{function}: parsing {text:?}: {why}")
}

#[derive(Clone, Copy, PartialEq)]
pub enum Plus {
    IsSpace,
    IsPlus,
}

/// Percent-decoding. What is not valid stays as it is; bytes that are not UTF-8 become U+FFFD, which no name allows.
pub fn decode(text: &str, plus: Plus) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => match after.first_chunk::<2>().and_then(hex_byte) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &after[2..];
                }
                None => bytes.push(b'%'),
            },
            b'+' if plus == Plus::IsSpace => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether each `%` begins an escape.
pub fn is_well_escaped(text: &str) -> bool {
    let mut after = text.split('%').skip(1).map(str::as_bytes);
    after.all(|after| after.first_chunk::<2>().and_then(hex_byte).is_some())
}

/// The path that a decoded one with `//`, `.` or `..` in it comes to; `None` if there are none of these.
pub fn cleaned(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut clean = format!("/{}", parts.join("/"));
    if path.ends_with('/') && clean != "/" {
        clean.push('/');
    }
    (clean != path).then_some(clean)
}

/// A decoded path as Go's `URL.EscapedPath` writes it: what needs no escape has none.
pub fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/:@!$&'()*+,;=".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn hex_byte(digits: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        let query = Query::parse("filters=%7B%22a%22%3A1%7D&names=a+b&names=c&&flag");
        assert_eq!(query.get("filters"), r#"{"a":1}"#);
        assert_eq!(query.all("names").collect::<Vec<_>>(), ["a b", "c"]);
        assert!(query.has("flag") && !query.has("other"));
        assert_eq!(decode("a%2Fb%zz%", Plus::IsPlus), "a/b%zz%");
        assert_eq!(decode("a+b", Plus::IsPlus), "a+b");
        assert_eq!(decode("%ff", Plus::IsPlus), "\u{fffd}");
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (raw, one) in [
            ("/v1.45/%69nfo", "/v1.45/info"),
            ("/images/a%2Fb:1/json", "/images/a/b:1/json"),
            ("/containers/a b%00/json", "/containers/a%20b%00/json"),
        ] {
            assert_eq!(encode_path(&decode(raw, Plus::IsPlus)), one);
        }
    }

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        for (path, clean) in [
            ("//", "/"),
            ("/v1.45//info", "/v1.45/info"),
            ("/v1.45/./info", "/v1.45/info"),
            ("/a/../../info", "/info"),
            ("/containers/../json", "/json"),
            ("/a/..", "/"),
            ("/a/./", "/a/"),
        ] {
            assert_eq!(cleaned(path).as_deref(), Some(clean), "{path}");
        }
        for path in ["/", "/info", "/info/", "/.a/b..", "/images/a/b:1/json"] {
            assert_eq!(cleaned(path), None, "{path}");
        }
    }

    #[test]
    fn a_percent_sign_begins_an_escape_or_is_a_fault() {
        assert!(is_well_escaped("/a%2Fb%00") && is_well_escaped("/"));
        for path in ["%", "/a%2", "/a%zz", "/%%41"] {
            assert!(!is_well_escaped(path), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_decoded_to_the_same(
            pairs in proptest::collection::vec((".{0,12}", ".{0,12}"), 0..6)
        ) {
            let escape = |text: &str| -> String {
                text.bytes().map(|byte| format!("%{byte:02x}")).collect()
            };
            let raw: Vec<String> = pairs
                .iter()
                .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
                .collect();
            proptest::prop_assert_eq!(Query::parse(&raw.join("&")).0, pairs);
        }

        #[test]
        fn no_query_and_no_path_is_too_strange(text in "[ -~]{0,40}|[&=%+0-9a-f]{0,40}") {
            let query = Query::parse(&text);
            let _ = (query.flag("a"), query.number::<i64>("a"), is_well_escaped(&text));
            let path = decode(&text, Plus::IsPlus);
            // Cleaning once is enough: nobody is sent in circles.
            let clean = cleaned(&path).unwrap_or(path);
            proptest::prop_assert_eq!(cleaned(&clean), None);
            proptest::prop_assert_eq!(decode(&encode_path(&clean), Plus::IsPlus), clean);
        }
    }

    #[test]
    fn flags_are_dockers() {
        for (value, expected) in
            [("", false), ("0", false), ("No", false), ("none", false), ("1", true), ("x", true)]
        {
            assert_eq!(Query::parse(&format!("f={value}")).flag("f"), expected, "{value:?}");
        }
        assert!(Query::parse("").flag_or("f", true));
        assert!(!Query::parse("f=0").flag_or("f", true));
    }

    #[test]
    fn numbers() {
        assert_eq!(Query::parse("t=-1").number::<i32>("t").unwrap(), Some(-1));
        assert_eq!(Query::parse("t=").number::<i32>("t").unwrap(), None);
        assert!(Query::parse("t=x").number::<i32>("t").is_err());
    }
}
