//! `search`: repositories of a registry, by what their names and descriptions say.

use api::Filters;
use api::registry::{AuthConfig, SearchResult};
use registry::client::search;

use super::{Refused, Registries, credentials};
use crate::error::{Error, Result};

const HUB: &str = "docker.io";
const USUAL: i64 = 25;
const MOST: i64 = 100;
/// What results can be chosen by.
const FILTERS: [&str; 3] = ["is-automated", "is-official", "stars"];

pub struct Search {
    pub term: String,
    /// 0 where the client does not say.
    pub limit: i64,
    pub filters: Filters,
    pub auth: AuthConfig,
}

/// What results must be.
struct Chosen {
    official: Option<bool>,
    stars: Option<i64>,
}

impl Registries {
    pub async fn search(&self, asked: Search) -> Result<Vec<SearchResult>> {
        let Search { term, limit, filters, auth } = asked;
        let Some(chosen) = Chosen::of(&filters)? else { return Ok(Vec::new()) };
        if term.contains("://") {
            return Err(Error::invalid(format!(
                "invalid repository name: repository name ({term}) should not have a scheme"
            )));
        }
        let limit = limited(limit)?;
        let (domain, rest) = split(&term);
        let (settings, credentials) = (self.settings(), credentials(auth));
        let found = search(&settings, domain, rest, limit, &credentials).await;
        let mut results = found.map_err(|error| Error::from(Refused(error)))?;
        results.retain(|result| chosen.has(result));
        Ok(results)
    }
}

impl Chosen {
    /// `None` where nothing can be it: no registry says of anything that it was made automatically.
    fn of(filters: &Filters) -> Result<Option<Self>> {
        if let Some(unknown) = filters.unknown(&FILTERS) {
            return Err(Error::invalid(format!("invalid filter '{unknown}'")));
        }
        let boolean =
            |name| filters.boolean(name).map_err(|error| Error::invalid(error.to_string()));
        if boolean("is-automated")? == Some(true) {
            return Ok(None);
        }
        let mut stars = None;
        for text in filters.get("stars") {
            let count: i64 = text.parse().map_err(|_| {
                let why = format!("strconv.Atoi: parsing {text:?}: invalid syntax");
                Error::invalid(format!("invalid filter 'stars={text}': {why}"))
            })?;
            stars = stars.max(Some(count));
        }
        Ok(Some(Self { official: boolean("is-official")?, stars }))
    }

    fn has(&self, result: &SearchResult) -> bool {
        self.official.is_none_or(|official| official == result.is_official)
            && self.stars.is_none_or(|stars| result.star_count >= stars)
    }
}

fn limited(limit: i64) -> Result<usize> {
    let limit = if limit == 0 { USUAL } else { limit };
    let within = (1..=MOST).contains(&limit).then(|| usize::try_from(limit).ok()).flatten();
    within
        .ok_or_else(|| Error::invalid(format!("limit {limit} is outside the range of [1, {MOST}]")))
}

/// The registry of a term, and what to look for there.
fn split(term: &str) -> (&str, &str) {
    let is_registry = |part: &str| part.contains(['.', ':']) || part == "localhost";
    let (domain, rest) = match term.split_once('/') {
        Some((first, rest)) if is_registry(first) => (first, rest),
        _ => (HUB, term),
    };
    match domain {
        HUB | "index.docker.io" => (HUB, rest.strip_prefix("library/").unwrap_or(rest)),
        domain => (domain, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_may_name_its_registry() {
        assert_eq!(split("busybox"), (HUB, "busybox"));
        assert_eq!(split("library/busybox"), (HUB, "busybox"));
        assert_eq!(split("ann/busybox"), (HUB, "ann/busybox"));
        assert_eq!(split("index.docker.io/a"), (HUB, "a"));
        assert_eq!(split("reg.example:5000/a/b"), ("reg.example:5000", "a/b"));
        assert_eq!(split("localhost/library/a"), ("localhost", "library/a"));
    }

    #[test]
    fn limits_and_filters_are_checked_in_dockers_words() {
        assert_eq!(limited(0).unwrap(), 25);
        assert_eq!(limited(100).unwrap(), 100);
        let error = limited(101).unwrap_err().to_string();
        assert_eq!(error, "limit 101 is outside the range of [1, 100]");
        let chosen = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Chosen::of(&pairs.collect()).map_err(|error| error.to_string())
        };
        let refused = |name, value| chosen(&[(name, value)]).err().unwrap();
        assert_eq!(refused("foo", "x"), "invalid filter 'foo'");
        assert_eq!(
            refused("stars", "x"),
            "invalid filter 'stars=x': strconv.Atoi: parsing \"x\": invalid syntax"
        );
        assert_eq!(refused("is-official", "maybe"), "invalid filter 'is-official=[maybe]'");
        assert!(chosen(&[("is-automated", "true")]).unwrap().is_none());
        let some = chosen(&[("stars", "3"), ("stars", "10"), ("is-official", "true")]);
        let some = some.unwrap().unwrap();
        let result = |stars, official| SearchResult {
            star_count: stars,
            is_official: official,
            ..SearchResult::default()
        };
        assert!(some.has(&result(10, true)));
        assert!(!some.has(&result(9, true)) && !some.has(&result(10, false)));
    }
}
