//! Decoded paths and queries.

use super::error::{Code, Error};

/// What the escapes of a path or of a query's value stand for; `None` if they are malformed or stand for no text.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (pair, after) = rest.split_first_chunk::<2>()?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push(u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// A text as a value in a query.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'~' => {
                encoded.push(byte.into())
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// The parameters of a request; of those of one name the first counts.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let malformed = || {
            Error::new(Code::Unsupported, "the query is malformed")
                .with_status(hyper::StatusCode::BAD_REQUEST)
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(&value.replace('+', " "))?))
        });
        pairs.collect::<Option<_>>().map(Self).ok_or_else(malformed)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded_once_and_malformed_ones_are_refused() {
        assert_eq!(decode("/v2/a%2Fb%253a").as_deref(), Some("/v2/a/b%3a"));
        for bad in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        let query = Query::parse("digest=sha256%3Aab&n=1&n=2&flag&x=a+b").unwrap();
        assert_eq!(query.get("digest"), Some("sha256:ab"));
        assert_eq!(
            (query.get("n"), query.get("flag"), query.get("x")),
            (Some("1"), Some(""), Some("a b"))
        );
        assert!(query.get("other").is_none() && Query::parse("a=%").is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(text in ".{0,40}") {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }
    }
}
