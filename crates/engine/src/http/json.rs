//! JSON in and out.

use api::json::Unreadable;
use bytes::{BufMut, BytesMut};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Body, Response};
use crate::error::{Error, Result};

pub const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A 200 response with `value` and a final newline, as Docker writes it.
pub fn json(value: &impl Serialize) -> Response {
    let mut text = BytesMut::new();
    // Writing to memory cannot fail, and none of our types has a map with keys that are not strings.
    serde_json::to_writer((&mut text).writer(), value).expect("wire types serialise");
    text.put_u8(b'\n');
    let mut response = Response::new(Body::from(text.freeze()));
    response.headers_mut().insert(CONTENT_TYPE, APPLICATION_JSON);
    response
}

/// Decodes one JSON document, with Docker's words for what is wrong with it.
pub fn decode<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    api::json::decode(text).map_err(|unreadable| {
        let invalid = |why: String| Error::invalid("invalid JSON").because(why);
        match unreadable {
            Unreadable::Empty => invalid("got EOF while reading request body".to_owned()),
            Unreadable::Truncated => invalid("unexpected EOF".to_owned()),
            Unreadable::Trailing(_) => Error::invalid("unexpected content after JSON"),
            Unreadable::Malformed(words) => invalid(words),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_dockers_words() {
        let error = |text: &str| decode::<Value>(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error(""), "invalid JSON: got EOF while reading request body");
        assert_eq!(error("{"), "invalid JSON: unexpected EOF");
        assert_eq!(error("{} {}"), "unexpected content after JSON");
        assert_eq!(
            error("x"),
            "invalid JSON: invalid character 'x' looking for beginning of value"
        );
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(decode::<Value>(deep.as_bytes()).is_err());
    }
}
