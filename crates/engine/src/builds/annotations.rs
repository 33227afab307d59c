//! `--annotation`: what is written into an image's index, its manifests, and the descriptors of these.

use std::collections::BTreeMap;

use api::build::{BuildOptions, Output};
use oci::Platform;

use crate::error::{Error, Result};

/// Where an annotation is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Manifest,
    /// What the index says of a manifest.
    ManifestDescriptor,
    Index,
    /// What the list of an OCI layout says of the index.
    IndexDescriptor,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(Vec<Annotation>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Annotation {
    place: Place,
    /// None for that of every platform.
    platform: Option<Platform>,
    key: String,
    value: String,
}

impl Annotations {
    /// Those of the options, and those of this output.
    ///
    /// # Errors
    /// In the words of Docker's buildx.
    pub fn parse(options: &BuildOptions, output: &Output) -> Result<Self> {
        let mut all = Vec::new();
        for (name, value) in &options.annotations {
            let (places, key) = name.split_once(':').unwrap_or(("manifest", name));
            for text in places.split(',') {
                let (place, platform) = place(text)?;
                all.push(Annotation { place, platform, key: key.to_owned(), value: value.clone() });
            }
        }
        for (name, value) in &output.attributes {
            let Some((text, key)) = of_attribute(name) else { continue };
            let (place, platform) = place(if text.is_empty() { "manifest" } else { text })?;
            all.push(Annotation { place, platform, key: key.to_owned(), value: value.clone() });
        }
        match all.iter().find(|one| one.key.is_empty()) {
            Some(_) => Err(Error::invalid("invalid annotation: its key is empty")),
            None => Ok(Self(all)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// # Errors
    /// Where one is for a platform that is not built for.
    pub fn check(&self, platforms: &[Platform]) -> Result<()> {
        let mut named = self.0.iter().filter_map(|one| one.platform.as_ref());
        match named.find(|platform| !platforms.contains(platform)) {
            Some(platform) => Err(Error::invalid(format!(
                "invalid annotation: no platform {platform} found in source"
            ))),
            None => Ok(()),
        }
    }

    /// Of that place; those of all platforms, and those of this one.
    pub fn at(&self, place: Place, platform: Option<&Platform>) -> BTreeMap<String, String> {
        let is_of = |one: &&Annotation| {
            one.place == place && (one.platform.is_none() || one.platform.as_ref() == platform)
        };
        // What is said of one platform comes last, and so wins.
        let (general, special): (Vec<_>, Vec<_>) =
            self.0.iter().filter(is_of).partition(|one| one.platform.is_none());
        let pair = |one: &Annotation| (one.key.clone(), one.value.clone());
        general.into_iter().chain(special).map(pair).collect()
    }
}

/// `annotation-index.key` and `annotation[linux/amd64].key`: where, and the key.
fn of_attribute(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("annotation")?;
    let end = rest.find(']').unwrap_or(0);
    let dot = end + rest[end..].find('.')?;
    let (text, key) = (&rest[..dot], &rest[dot + 1..]);
    match text.strip_prefix('-') {
        Some(text) => Some((text, key)),
        None if text.is_empty() || text.starts_with('[') => Some((text, key)),
        None => None,
    }
}

/// `index`, or `manifest[linux/amd64]`.
fn place(text: &str) -> Result<(Place, Option<Platform>)> {
    let wrong = || {
        Error::invalid(format!(
            "invalid annotation type {text:?}, expected type and optional platform in square brackets"
        ))
    };
    let (word, platform) = match text.split_once('[') {
        None => (text, None),
        Some((word, rest)) => (word, Some(rest.strip_suffix(']').ok_or_else(wrong)?)),
    };
    let place = match word {
        "" if platform.is_none() => return Err(wrong()),
        "" | "manifest" => Place::Manifest,
        "manifest-descriptor" => Place::ManifestDescriptor,
        "index" => Place::Index,
        "index-descriptor" => Place::IndexDescriptor,
        other => return Err(Error::invalid(format!("unknown annotation type {other:?}"))),
    };
    let parse = |text| Platform::parse(text).map_err(|error| Error::invalid(error.to_string()));
    Ok((place, platform.map(parse).transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(annotations: &[(&str, &str)], attributes: &[(&str, &str)]) -> Result<Annotations> {
        let map = |pairs: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let options = BuildOptions { annotations: map(annotations), ..BuildOptions::default() };
        let output = Output { attributes: map(attributes), ..Output::default() };
        Annotations::parse(&options, &output)
    }

    fn at(annotations: &Annotations, place: Place, platform: Option<&Platform>) -> String {
        format!("{:?}", annotations.at(place, platform))
    }

    #[test]
    fn an_annotation_says_where_it_is_written() {
        let [amd64, arm64] = ["amd64", "arm64"].map(|name| Platform::new("linux", name, ""));
        let all = [
            ("plain", "1"),
            ("index,manifest-descriptor:both", "2"),
            ("manifest[linux/arm64]:plain", "3"),
        ];
        let attributes = [
            ("annotation.own", "4"),
            ("annotation-index-descriptor.list.of", "5"),
            ("annotation[linux/amd64].own", "6"),
            ("annotations", "no"),
            ("compression", "no"),
        ];
        let annotations = parsed(&all, &attributes).unwrap();
        let manifest = Place::Manifest;
        assert_eq!(at(&annotations, manifest, Some(&amd64)), r#"{"own": "6", "plain": "1"}"#);
        assert_eq!(at(&annotations, manifest, Some(&arm64)), r#"{"own": "4", "plain": "3"}"#);
        assert_eq!(at(&annotations, Place::Index, None), r#"{"both": "2"}"#);
        let descriptor = Place::ManifestDescriptor;
        assert_eq!(at(&annotations, descriptor, Some(&arm64)), r#"{"both": "2"}"#);
        assert_eq!(at(&annotations, Place::IndexDescriptor, None), r#"{"list.of": "5"}"#);
        assert!(annotations.check(&[amd64.clone(), arm64]).is_ok());
        assert!(annotations.check(&[amd64]).is_err());
        assert!(parsed(&[], &[("push", "true")]).unwrap().is_empty());
    }

    #[test]
    fn places_that_are_none_are_refused() {
        for name in ["what:a", ":a", "index[linux/amd64:a", "manifest[]:a", "index:", "manifest,:a"]
        {
            assert!(parsed(&[(name, "1")], &[]).is_err(), "{name}");
        }
        assert!(parsed(&[], &[("annotation-what.a", "1")]).is_err());
    }
}
