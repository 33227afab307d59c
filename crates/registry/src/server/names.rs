//! What a path names, by the specification's grammars. Nothing of a client's reaches the storage but through these.

use std::fmt;

use oci::digest::Digest;
use oci::reference::{is_repository, is_tag};

use super::error::{Code, Error};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Repository(String);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tag(String);

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reference {
    Tag(Tag),
    Digest(Digest),
}

/// 128 random bits, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UploadId(String);

impl Repository {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || Error::new(Code::NameInvalid, "invalid repository name");
        is_repository(text).then(|| Self(text.to_owned())).ok_or_else(invalid)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Tag {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || Error::new(Code::TagInvalid, "manifest tag did not match the grammar");
        is_tag(text).then(|| Self(text.to_owned())).ok_or_else(invalid)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reference {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        if text.contains(':') {
            digest(text).map(Self::Digest)
        } else {
            Tag::parse(text).map(Self::Tag)
        }
    }
}

impl UploadId {
    pub(super) fn random() -> std::io::Result<Self> {
        let mut bits = [0; 16];
        rustix::rand::getrandom(&mut bits, rustix::rand::GetRandomFlags::empty())?;
        Ok(Self(hex(&bits)))
    }

    /// `None` if no upload ever had this id.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let well_formed =
            text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        well_formed.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A digest of an algorithm that content can be pushed by: those that the specification registers.
pub(super) fn digest(text: &str) -> Result<Digest, Error> {
    let invalid = |why: &str| Error::new(Code::DigestInvalid, format!("{why}: {text:.160}"));
    let digest = Digest::parse(text).map_err(|error| invalid(&error.to_string()))?;
    match digest.algorithm() {
        "sha256" | "sha512" => Ok(digest),
        _ => Err(invalid("unsupported digest algorithm")),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_those_of_the_grammar() {
        for good in ["a", "a/b", "a-b__c.d/e0", "a/_b".replace('_', "x").as_str(), "blobs/uploads"]
        {
            assert!(Repository::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(256);
        for bad in [
            "", "/", "a/", "/a", "a//b", "A", "..", "a/../b", "_blobs", "a/_tags", "a b", "a\0",
            &long,
        ] {
            assert!(Repository::parse(bad).is_err(), "{bad}");
        }
        assert!(matches!(Reference::parse("v1.0"), Ok(Reference::Tag(_))));
        for bad in ["", ".", "..", "-a", "a/b", "sha256:ab", "md5:00", &"a".repeat(129)] {
            assert!(Reference::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_are_random_and_no_other_text_is_one() {
        let (one, other) = (UploadId::random().unwrap(), UploadId::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(UploadId::parse(one.as_str()), Some(one.clone()));
        for forged in [
            "",
            "..",
            "../../blobs",
            &one.as_str()[1..],
            &one.as_str().to_uppercase().replace('0', "G"),
        ] {
            assert_eq!(UploadId::parse(forged), None, "{forged}");
        }
    }

    proptest! {
        /// Whatever is accepted stays below the folder that it names.
        #[test]
        fn no_accepted_name_leaves_its_folder(text in "[a-z0-9._/A-Z:-]{0,40}|.{0,20}") {
            if let Ok(name) = Repository::parse(&text) {
                let inside = |part: &str| !part.is_empty() && !part.starts_with(['.', '_']);
                prop_assert!(name.as_str().split('/').all(inside));
            }
            if let Ok(Reference::Tag(tag)) = Reference::parse(&text) {
                prop_assert!(!tag.as_str().starts_with('.') && !tag.as_str().contains(['/', '\0']));
            }
        }
    }
}
