//! The `name` and `id` filters of lists: as in Docker each value is the name itself or a regular expression.

use api::Filters;
use regex_lite::{Regex, RegexBuilder};

/// What one expression may take, in bytes: a request can hold many.
const MAX_COMPILED: usize = 64 << 10;

pub struct NameFilter {
    exact: Vec<String>,
    expressions: Vec<Regex>,
}

impl NameFilter {
    /// None where the filter was not given. A value that is no expression matches only what is called so.
    pub fn of(filters: &Filters, filter: &str) -> Option<Self> {
        let compile = |text| RegexBuilder::new(text).size_limit(MAX_COMPILED).build().ok();
        filters.contains(filter).then(|| Self {
            exact: filters.get(filter).map(str::to_owned).collect(),
            expressions: filters.get(filter).filter_map(compile).collect(),
        })
    }

    pub fn matches(&self, name: &str) -> bool {
        self.exact.iter().any(|exact| exact == name)
            || self.expressions.iter().any(|expression| expression.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        let filters = [("name", pattern)].into_iter().collect();
        NameFilter::of(&filters, "name").unwrap().matches(name)
    }

    #[test]
    fn names_match_in_part_between_anchors_and_by_expression() {
        for (pattern, expected) in [
            ("we", true),
            ("", true),
            ("^web$", true),
            ("b$", true),
            ("^eb", false),
            ("^we$", false),
            ("w.b", true),
            ("^(db|web)$", true),
            ("w{2}", false),
        ] {
            assert_eq!(matches(pattern, "web"), expected, "{pattern}");
        }
        assert!(NameFilter::of(&Filters::default(), "name").is_none());
    }

    #[test]
    fn what_is_no_expression_matches_itself_alone() {
        assert!(matches("a(b", "a(b") && !matches("a(b", "xa(b"));
        assert!(!matches("(a{999}){999}", "a"));
    }
}
