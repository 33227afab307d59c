//! Long lists come in pages: `n` at most, after `last`; a `Link` says where the next one is (RFC 5988).

use super::error::{Code, Error};
use super::query::{Query, encode};

/// No answer lists more, whatever `n` is (CVE-2023-2253).
pub(super) const MAX: usize = 1000;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) count: usize,
    pub(super) last: String,
}

impl Page {
    pub(super) fn parse(query: &Query) -> Result<Self, Error> {
        let last = query.get("last").unwrap_or_default().to_owned();
        let count = match query.get("n") {
            None | Some("") => MAX,
            // More digits than a number holds are still one.
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().unwrap_or(MAX).min(MAX)
            }
            Some(_) => {
                return Err(Error::new(
                    Code::PaginationNumberInvalid,
                    "invalid number of results requested",
                ));
            }
        };
        Ok(Self { count, last })
    }

    /// What of a sorted list is on it, and whether there is more.
    pub(super) fn of<T: AsRef<str>>(&self, sorted: impl IntoIterator<Item = T>) -> (Vec<T>, bool) {
        let mut rest = sorted.into_iter().filter(|name| name.as_ref() > self.last.as_str());
        let page: Vec<T> = rest.by_ref().take(self.count).collect();
        let more = !page.is_empty() && rest.next().is_some();
        (page, more)
    }

    /// To the page after the one that ends with this name.
    pub(super) fn link(&self, path: &str, end: &str) -> String {
        format!("<{path}?last={}&n={}>; rel=\"next\"", encode(end), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, Error> {
        Page::parse(&Query::parse(query).unwrap())
    }

    #[test]
    fn pages_follow_one_another() {
        let names = ["a", "b", "c"];
        let first = page("n=2").unwrap();
        assert_eq!(first.of(names), (vec!["a", "b"], true));
        assert_eq!(
            first.link("/v2/x/tags/list", "b"),
            "</v2/x/tags/list?last=b&n=2>; rel=\"next\""
        );
        assert_eq!(page("n=2&last=b").unwrap().of(names), (vec!["c"], false));
        assert!(!page("n=3").unwrap().of(names).1);
        assert_eq!(page("n=0").unwrap().of(names), (vec![], false));
        assert_eq!(page("").unwrap().of(names), (names.to_vec(), false));
    }

    #[test]
    fn cve_2023_2253_no_number_makes_room_for_more_than_the_limit() {
        for huge in ["n=1000000000", "n=18446744073709551615", "n=99999999999999999999999999"] {
            assert_eq!(page(huge).unwrap().count, MAX);
        }
        for bad in ["n=-1", "n=x", "n=1.5", "n=+1"] {
            assert_eq!(page(bad).unwrap_err().code, Code::PaginationNumberInvalid, "{bad}");
        }
    }
}
