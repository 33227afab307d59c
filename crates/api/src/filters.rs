//! The `filters` query parameter.
//!
//! Two encodings exist: `{"name": {"web": true}}`, which Docker's own client writes, and
//! `{"name": ["web"]}`, from before API 1.22 and what SDKs in other languages send. Both are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

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

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Set(BTreeMap<String, bool>),
    List(Vec<String>),
}

impl Filters {
    /// Reads the query parameter; an empty one means no filters.
    pub fn parse(text: &str) -> Result<Self, InvalidFilter> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let fields: BTreeMap<String, Values> =
            serde_json::from_str(text).map_err(|_| InvalidFilter("invalid filter".to_owned()))?;
        let set = |values| match values {
            Values::Set(set) => set.into_iter().filter(|(_, on)| *on).map(|(v, _)| v).collect(),
            Values::List(list) => list.into_iter().collect(),
        };
        Ok(Self(fields.into_iter().map(|(name, values)| (name, set(values))).collect()))
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
        let set = Filters::parse(r#"{"status":{"running":true,"paused":false}}"#).unwrap();
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

    #[test]
    fn unknown_names_and_bad_booleans_are_found() {
        let filters: Filters =
            [("label", "a"), ("colour", "red"), ("dangling", "maybe")].into_iter().collect();
        assert_eq!(filters.unknown(&["label", "dangling"]), Some("colour"));
        assert!(filters.boolean("dangling").is_err());
        assert_eq!(filters.boolean("other"), Ok(None));
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
