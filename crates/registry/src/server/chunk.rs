//! Which bytes of an upload a request says that it brings.

use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap};

use super::error::{Code, Error};

/// Of a request for an upload: where its body begins and how long it is, as far as it says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) start: Option<u64>,
    pub(super) length: Option<u64>,
}

impl Chunk {
    /// `Content-Range` is `<first>-<last>` in the specification; `bytes <first>-<last>/<size>`, as elsewhere in HTTP,
    /// is understood too.
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, Error> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let length = text(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let Some(range) = text(CONTENT_RANGE) else { return Ok(Self { start: None, length }) };
        let invalid = || Error::new(Code::BlobUploadInvalid, "the content range is malformed");
        let (first, last) = parse_range(range).ok_or_else(invalid)?;
        let ranged = (last - first).checked_add(1).ok_or_else(invalid)?;
        if length.is_some_and(|length| length != ranged) {
            return Err(Error::new(
                Code::SizeInvalid,
                "the content range is not of the content's length",
            ));
        }
        Ok(Self { start: Some(first), length: Some(ranged) })
    }
}

/// First and last, in this order.
fn parse_range(text: &str) -> Option<(u64, u64)> {
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let (first, last) = text.split('/').next()?.split_once('-')?;
    let number = |digits: &str| {
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        all_digits.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(range: Option<&str>, length: Option<&str>) -> Result<Chunk, Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(CONTENT_RANGE, range), (CONTENT_LENGTH, length)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        Chunk::parse(&headers).map_err(|error| error.code)
    }

    #[test]
    fn a_chunk_says_where_it_begins() {
        let at = |start, length| Ok(Chunk { start, length });
        assert_eq!(chunk(None, None), at(None, None));
        assert_eq!(chunk(None, Some("7")), at(None, Some(7)));
        assert_eq!(chunk(Some("0-6"), Some("7")), at(Some(0), Some(7)));
        assert_eq!(chunk(Some("bytes 7-9/*"), None), at(Some(7), Some(3)));
        assert_eq!(chunk(Some("0-6"), Some("8")), Err(Code::SizeInvalid));
        for bad in [
            "",
            "-",
            "1-",
            "-1",
            "2-1",
            "a-b",
            "0-18446744073709551615",
            "0-18446744073709551616",
            "+0-1",
        ] {
            assert_eq!(chunk(Some(bad), None), Err(Code::BlobUploadInvalid), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_content_range_is_too_odd(text in "(bytes )?[ -~]{0,30}|[0-9]{0,22}-[0-9]{0,22}") {
            if let Ok(Chunk { start: Some(start), length: Some(length) }) = chunk(Some(&text), None) {
                prop_assert!(start.checked_add(length - 1).is_some());
            }
        }
    }
}
