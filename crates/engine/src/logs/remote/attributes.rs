//! `labels`, `labels-regex`, `env`, `env-regex`: what of the container's labels and variables goes with each entry.

use std::collections::BTreeMap;

use regex_lite::Regex;

/// Which labels and variables are wanted.
#[derive(Debug, Default)]
pub struct Attributes {
    labels: Vec<String>,
    env: Vec<String>,
    labels_regex: Option<Regex>,
    env_regex: Option<Regex>,
}

impl Attributes {
    pub fn parse(options: &BTreeMap<String, String>) -> Result<Self, String> {
        let list = |option: &str| {
            let names = options.get(option).map_or("", String::as_str).split(',').map(str::trim);
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let regex = |option: &str| match options.get(option).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => Regex::new(text)
                .map(Some)
                .map_err(|error| format!("error parsing regexp: {error}: `{text}`")),
        };
        Ok(Self {
            labels: list("labels"),
            env: list("env"),
            labels_regex: regex("labels-regex")?,
            env_regex: regex("env-regex")?,
        })
    }

    /// Variables win over labels of the same name, as in Docker.
    pub fn select(
        &self,
        labels: Option<&BTreeMap<String, String>>,
        env: Option<&[String]>,
    ) -> BTreeMap<String, String> {
        let labels =
            labels.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
        let env = env.into_iter().flatten().filter_map(|variable| variable.split_once('='));
        let labels =
            labels.filter(|(key, _)| is_wanted(key, &self.labels, self.labels_regex.as_ref()));
        let env = env.filter(|(key, _)| is_wanted(key, &self.env, self.env_regex.as_ref()));
        labels.chain(env).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

fn is_wanted(key: &str, names: &[String], regex: Option<&Regex>) -> bool {
    names.iter().any(|name| name == key) || regex.is_some_and(|regex| regex.is_match(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns_select() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let labels = map(&[("a", "1"), ("b.c", "2"), ("b.d", "3"), ("e", "4")]);
        let env = ["E=5".to_owned(), "a=6".to_owned(), "bare".to_owned()];
        let select = |options: &[(&str, &str)]| {
            Attributes::parse(&map(options)).unwrap().select(Some(&labels), Some(&env))
        };
        assert_eq!(select(&[]), map(&[]));
        assert_eq!(select(&[("labels", "a, e,none")]), map(&[("a", "1"), ("e", "4")]));
        assert_eq!(select(&[("labels-regex", "^b\\.")]), map(&[("b.c", "2"), ("b.d", "3")]));
        assert_eq!(
            select(&[("labels", "a"), ("env-regex", "^[aE]$")]),
            map(&[("E", "5"), ("a", "6")])
        );
        let broken = Attributes::parse(&map(&[("env-regex", "[")])).unwrap_err();
        assert!(
            broken.starts_with("error parsing regexp: ") && broken.ends_with("`[`"),
            "{broken}"
        );
    }
}
