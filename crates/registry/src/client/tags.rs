//! `/v2/<name>/tags/list`, page by page.

use hyper::Method;
use hyper::header::{HeaderMap, LINK};
use serde::Deserialize;

use super::content::Content;
use super::error::{Error, Result};
use super::{Repository, resolve};

const MAX_PAGE: usize = 4 << 20;
const MAX_PAGES: usize = 1000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

impl Repository {
    /// Every tag, in the registry's order.
    pub async fn tags(&self) -> Result<Vec<String>> {
        let mut tags = Vec::new();
        let mut path = self.path_of("tags/list");
        for _ in 0..MAX_PAGES {
            let headers = HeaderMap::new();
            let answer =
                self.ask_patiently(Method::GET, &path, &headers, &Content::Nothing).await?;
            let next = answer.header(LINK).and_then(next).map(str::to_owned);
            let document = answer.whole(MAX_PAGE).await?;
            let page: Page = serde_json::from_slice(&document)
                .map_err(|error| Error::invalid(format!("invalid list of tags: {error}")))?;
            tags.extend(page.tags.unwrap_or_default());
            let Some(next) = next else { return Ok(tags) };
            let (origin, rest) = resolve(&self.endpoint.origin, &path, &next)?;
            if origin != self.endpoint.origin {
                return Err(Error::invalid("a list of tags that goes on at another server"));
            }
            path = rest;
        }
        Err(Error::invalid("a list of tags without end"))
    }
}

/// The target of a link `<...>; rel="next"`.
fn next(link: &str) -> Option<&str> {
    let (target, parameters) = link.strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.replace(['"', ' '], "").contains("rel=next");
    is_next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_linked_to() {
        assert_eq!(
            next("</v2/a/tags/list?last=b&n=2>; rel=\"next\""),
            Some("/v2/a/tags/list?last=b&n=2")
        );
        assert_eq!(next("</x>; rel=\"prev\""), None);
        assert_eq!(next("/x"), None);
    }
}
