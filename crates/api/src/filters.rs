//! The `filters` query parameter.
//!
//! Two encodings exist: `{"name": {"web": true}}`, which Docker's own client writes, and
//! `{"name": ["web"]}`, from before API 1.22 and what SDKs in other languages send. Both are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

/// Values by filter name. Values of one name are alternatives, names are all required.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, BTreeSet<String>>);

/// The text is not a JSON object of either form. Docker's wording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFilter(pub String);

impl fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidFilter {}

/// Values as a set; what one is set to says nothing, as with Docker.
type Sets = BTreeMap<String, Option<BTreeMap<String, Option<bool>>>>;
type Lists = BTreeMap<String, Option<Vec<Option<String>>>>;

impl Filters {
    /// Reads the query parameter; an empty one means no filters.
    pub fn parse(text: &str) -> Result<Self, InvalidFilter> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        // One form for all names: where they differ, it is neither.
        if let Ok(sets) = serde_json::from_str::<Option<Sets>>(text) {
            let keys =
                |values: Option<BTreeMap<_, _>>| values.into_iter().flatten().map(|(v, _)| v);
            let names = sets.into_iter().flatten();
            return Ok(Self(names.map(|(name, set)| (name, keys(set).collect())).collect()));
        }
        let lists: Lists =
            serde_json::from_str(text).map_err(|_| InvalidFilter("invalid filter".to_owned()))?;
        let values = |list: Option<Vec<Option<String>>>| {
            list.into_iter().flatten().map(Option::unwrap_or_default).collect()
        };
        Ok(Self(lists.into_iter().map(|(name, list)| (name, values(list))).collect()))
    }

    /// The query parameter in Docker's own form; empty when there is nothing to filter by.
    #[must_use]
    pub fn encode(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let set = |values: &BTreeSet<String>| -> BTreeMap<String, bool> {
            values.iter().map(|value| (value.clone(), true)).collect()
        };
        let fields: BTreeMap<_, _> = self.0.iter().map(|(name, v)| (name, set(v))).collect();
        serde_json::to_string(&fields).expect("a map of strings always encodes")
    }

    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.entry(name.into()).or_default().insert(value.into());
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The values given for `name`, sorted; none where it was not given.
    pub fn get(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Whether `name` was not given, or was given with exactly `value`.
    #[must_use]
    pub fn matches_exactly(&self, name: &str, value: &str) -> bool {
        self.0.get(name).is_none_or(|values| values.contains(value))
    }

    /// The first name that is not in `known`: an engine refuses it by name.
    #[must_use]
    pub fn unknown(&self, known: &[&str]) -> Option<&str> {
        self.0.keys().map(String::as_str).find(|name| !known.contains(name))
    }

    /// The first name that was given without a value.
    #[must_use]
    pub fn without_value(&self) -> Option<&str> {
        self.0.iter().find(|(_, values)| values.is_empty()).map(|(name, _)| name.as_str())
    }

    /// A boolean filter (`dangling=true`): absent, or true/false in Docker's spellings.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, InvalidFilter> {
        let values: Vec<&str> = self.get(name).collect();
        match values.as_slice() {
            [] => Ok(None),
            ["1" | "true"] => Ok(Some(true)),
            ["0" | "false"] => Ok(Some(false)),
            _ => Err(InvalidFilter(format!("invalid filter '{name}=[{}]'", values.join(" ")))),
        }
    }

    /// Whether `labels` has every label asked for under `name` (`key` or `key=value`).
    #[must_use]
    pub fn labels_match<'a>(&self, name: &str, labels: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.get(name).all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => labels(key) == Some(value),
            None => labels(wanted).is_some(),
        })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Filters {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut filters = Self::default();
        pairs.into_iter().for_each(|(name, value)| filters.add(name, value));
        filters
    }
}

impl Serialize for Filters {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_are_read() {
        let set = Filters::parse(r#"{"status":{"running":false}}"#).unwrap();
        let list = Filters::parse(r#"{"status":["running"]}"#).unwrap();
        assert_eq!(set, list);
        assert_eq!(set.get("status").collect::<Vec<_>>(), ["running"]);
        assert_eq!(set.encode(), r#"{"status":{"running":true}}"#);
    }

    #[test]
    fn nothing_given_encodes_as_nothing() {
        assert_eq!(Filters::parse("").unwrap().encode(), "");
        assert!(Filters::parse("[]").is_err());
        assert!(Filters::parse(r#"{"a":1}"#).is_err());
    }

    /// As dockerd 26 answers.
    #[test]
    fn what_is_neither_form_is_refused() {
        for text in [
            "x",
            "1",
            r#""a""#,
            "[]",
            r#"{"a":1}"#,
            r#"{"a":[1]}"#,
            r#"{"a":"b"}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{"b":"true"}}"#,
            r#"{"a":["b"],"c":{"d":true}}"#,
            r#"{"a":{},"c":["d"]}"#,
            r#"{"a":["b"]"#,
            r#"{"a":["b"]} x"#,
        ] {
            assert_eq!(Filters::parse(text).unwrap_err().to_string(), "invalid filter", "{text}");
        }
        assert!(Filters::parse("null").unwrap().is_empty());
        let nothing = Filters::parse(r#"{"a":null}"#).unwrap();
        assert!(nothing.contains("a") && nothing.get("a").next().is_none());
        assert!(Filters::parse(&("[".repeat(10_000) + &"]".repeat(10_000))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_read_again(
            pairs in proptest::collection::vec((".{0,8}", ".{0,8}"), 0..8)
        ) {
            let filters: Filters = pairs.into_iter().collect();
            proptest::prop_assert_eq!(Filters::parse(&filters.encode()), Ok(filters));
        }

        #[test]
        fn nothing_is_too_strange_to_be_refused(
            text in r#"[\[\]{}:,"a0ntruefalse\\ ]{0,60}"#
        ) {
            if let Ok(filters) = Filters::parse(&text) {
                proptest::prop_assert_eq!(Filters::parse(&filters.encode()), Ok(filters));
            }
        }
    }

    #[test]
    fn unknown_names_and_bad_booleans_are_found() {
        let filters: Filters =
            [("label", "a"), ("colour", "red"), ("dangling", "maybe")].into_iter().collect();
        assert_eq!(filters.unknown(&["label", "dangling"]), Some("colour"));
        assert!(filters.boolean("dangling").is_err());
        assert_eq!(filters.boolean("other"), Ok(None));
        assert_eq!(filters.without_value(), None);
        let empty = Filters::parse(r#"{"label":[],"until":["1h"]}"#).unwrap();
        assert_eq!(empty.without_value(), Some("label"));
    }

    #[test]
    fn labels_match_by_key_or_by_key_and_value() {
        let has = |key: &str| (key == "env").then_some("prod");
        let by = |value: &str| -> Filters { [("label", value)].into_iter().collect() };
        assert!(by("env").labels_match("label", has));
        assert!(by("env=prod").labels_match("label", has));
        assert!(!by("env=dev").labels_match("label", has));
        assert!(!by("team").labels_match("label", has));
    }
}
