//! What of some content is asked for: `Range` and the conditions (RFC 9110, 13 and 14).

use std::ops::Range;

use hyper::header::{HeaderMap, IF_NONE_MATCH, IF_RANGE, RANGE};

/// What to answer with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Part(Range<u64>),
    /// The client has it.
    NotModified,
    /// A part that is not there.
    Unsatisfiable,
}

impl Wanted {
    /// `etag` with its quotes. A `Range` that is malformed, or of several parts, asks for the whole.
    pub(super) fn of(headers: &HeaderMap, etag: &str, size: u64) -> Self {
        if not_modified(headers, etag) {
            return Self::NotModified;
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let fits = text(IF_RANGE).is_none_or(|condition| condition == etag);
        match text(RANGE).filter(|_| fits).and_then(parse) {
            None => Self::Whole,
            Some(asked) => asked.within(size).map_or(Self::Unsatisfiable, Self::Part),
        }
    }
}

pub(super) fn not_modified(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The last one included.
    From(u64, Option<u64>),
    Last(u64),
}

fn parse(text: &str) -> Option<Asked> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    match (first, last) {
        ("", last) => number(last).map(Asked::Last),
        (first, "") => Some(Asked::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::From(first, Some(last)))
        }
    }
}

impl Asked {
    fn within(&self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first, None) => *first..size,
            Self::From(first, Some(last)) => *first..last.saturating_add(1).min(size),
            Self::Last(count) => size.saturating_sub(*count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(name: hyper::header::HeaderName, value: &str, size: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Wanted::of(&headers, "\"x\"", size)
    }

    #[test]
    fn ranges() {
        let range = |text| wanted(RANGE, text, 10);
        assert_eq!(range("bytes=0-0"), Wanted::Part(0..1));
        assert_eq!(range("bytes=2-"), Wanted::Part(2..10));
        assert_eq!(range("bytes=8-99"), Wanted::Part(8..10));
        assert_eq!(range("bytes=-3"), Wanted::Part(7..10));
        assert_eq!(range("bytes=-99"), Wanted::Part(0..10));
        assert_eq!(range("bytes=0-18446744073709551616"), Wanted::Part(0..10));
        for outside in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(range(outside), Wanted::Unsatisfiable, "{outside}");
        }
        for whole in [
            "bytes=",
            "bytes=-",
            "bytes=3-2",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=+1-2",
            "bytes=a-",
        ] {
            assert_eq!(range(whole), Wanted::Whole, "{whole}");
        }
        assert_eq!(wanted(RANGE, "bytes=0-", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn conditions() {
        for same in ["\"x\"", "*", "\"a\", \"x\"", "W/\"x\""] {
            assert_eq!(wanted(IF_NONE_MATCH, same, 1), Wanted::NotModified, "{same}");
        }
        for other in ["\"y\"", "x", ""] {
            assert_eq!(wanted(IF_NONE_MATCH, other, 1), Wanted::Whole, "{other}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, "bytes=1-".parse().unwrap());
        headers.insert(IF_RANGE, "\"x\"".parse().unwrap());
        assert_eq!(Wanted::of(&headers, "\"x\"", 2), Wanted::Part(1..2));
        assert_eq!(Wanted::of(&headers, "\"y\"", 2), Wanted::Whole, "it has changed since");
    }

    proptest! {
        #[test]
        fn a_part_is_within_the_content(text in "bytes=[0-9]{0,22}-[0-9]{0,22}", size in 0u64..100) {
            if let Wanted::Part(part) = wanted(RANGE, &text, size) {
                prop_assert!(part.start < part.end && part.end <= size);
            }
        }

        #[test]
        fn no_range_is_too_odd(text in "[ -~]{0,40}") {
            let _ = wanted(RANGE, &text, 10);
        }
    }
}
