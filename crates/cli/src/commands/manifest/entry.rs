//! A manifest as it is shown and kept: where it is from, what describes it, its bytes.

use api::base64;
use bytes::Bytes;
use oci::manifest::{Document, Manifest};
use oci::{Descriptor, Platform, Reference, media_type};
use serde::Deserialize;
use template::Json;

use crate::error::{Failure, Result};

pub(super) struct Entry {
    pub(super) name: Reference,
    /// With its platform.
    pub(super) descriptor: Descriptor,
    pub(super) bytes: Bytes,
}

/// In Docker's files, as far as it cannot be told from the bytes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    #[serde(rename = "Ref")]
    name: Reference,
    descriptor: Descriptor,
    raw: String,
}

impl Entry {
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let Kept { name, descriptor, raw } =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let bytes = base64::decode(&raw).ok_or("Raw is no base64")?;
        Ok(Self { name, descriptor, bytes: bytes.into() })
    }

    /// As Docker keeps and shows it.
    pub(super) fn document(&self) -> Result<Json> {
        let kind = match self.descriptor.media_type.as_str() {
            media_type::OCI_MANIFEST => "OCIManifest",
            _ => "SchemaV2Manifest",
        };
        let fields = [
            ("Ref", Json::String(self.name.to_string())),
            ("Descriptor", Json::of(&self.descriptor)),
            ("Raw", Json::String(base64::encode(&self.bytes))),
            (kind, self.manifest_document()?),
        ];
        Ok(Json::Object(fields.map(|(name, value)| (name.to_owned(), value)).into()))
    }

    /// Its fields in their own order.
    pub(super) fn manifest_document(&self) -> Result<Json> {
        Json::parse(&self.bytes).map_err(|error| Failure::new(format!("{}: {error}", self.name)))
    }

    pub(super) fn manifest(&self) -> Result<Manifest> {
        match Document::parse(&self.bytes) {
            Ok(Document::Manifest(manifest)) => Ok(manifest),
            Ok(Document::Index(_)) => Err(self.is_list()),
            Err(error) => Err(Failure::new(format!("{}: {error}", self.name))),
        }
    }

    pub(super) fn is_list(&self) -> Failure {
        Failure::new(format!("{} is a manifest list", self.name))
    }

    fn platform(&self) -> Option<&Platform> {
        self.descriptor.platform.as_ref()
    }

    /// Whether a list can say what it is for.
    pub(super) fn has_platform(&self) -> bool {
        self.platform().is_some_and(|own| !own.os.is_empty() && !own.architecture.is_empty())
    }
}

/// The list of these manifests, and its kind: an index where the first is OCI's.
pub(super) fn list(entries: &[Entry]) -> (&'static str, String) {
    let first = entries.first().map(|entry| entry.descriptor.media_type.as_str());
    let kind = match first {
        Some(media_type::OCI_MANIFEST) => media_type::OCI_INDEX,
        _ => media_type::DOCKER_INDEX,
    };
    let document = object([
        ("schemaVersion", Json::Int(2)),
        ("mediaType", Json::String(kind.to_owned())),
        ("manifests", Json::Array(entries.iter().map(listed).collect())),
    ]);
    (kind, document.indented("   "))
}

fn listed(entry: &Entry) -> Json {
    let Descriptor { media_type, size, digest, platform, .. } = &entry.descriptor;
    object([
        ("mediaType", Json::String(media_type.clone())),
        ("size", Json::Uint(*size)),
        ("digest", Json::String(digest.to_string())),
        ("platform", Json::of(&platform.clone().unwrap_or_default())),
    ])
}

fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn entry(kind: &str) -> Entry {
        let manifest =
            format!(r#"{{"schemaVersion":2,"layers":[],"config":{{"digest":"{DIGEST}"}}}}"#);
        let descriptor = format!(
            r#"{{"mediaType":"{kind}","digest":"{DIGEST}","size":7,"platform":{{"architecture":"arm64","os":"linux","os.features":["a"],"variant":"v8"}}}}"#
        );
        Entry {
            name: Reference::parse("reg.example/a:1").unwrap(),
            descriptor: serde_json::from_str(&descriptor).unwrap(),
            bytes: manifest.into(),
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let entry = entry(media_type::DOCKER_MANIFEST);
        let text = entry.document().unwrap().compact();
        assert!(
            text.contains(r#""SchemaV2Manifest":{"schemaVersion":2,"layers":[],"config":"#),
            "{text}"
        );
        let again = Entry::read(text.as_bytes()).unwrap();
        assert_eq!((again.name, again.descriptor), (entry.name, entry.descriptor));
        assert_eq!(again.bytes, entry.bytes);
        for bad in ["", "{}", &text.replace("\"Raw\":\"", "\"Raw\":\"~")] {
            assert!(Entry::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_is_of_its_first_manifests_kind() {
        let (kind, text) = list(&[entry(media_type::OCI_MANIFEST)]);
        assert_eq!(kind, media_type::OCI_INDEX);
        expect_test::expect![[r#"
            {
               "schemaVersion": 2,
               "mediaType": "application/vnd.oci.image.index.v1+json",
               "manifests": [
                  {
                     "mediaType": "application/vnd.oci.image.manifest.v1+json",
                     "size": 7,
                     "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                     "platform": {
                        "architecture": "arm64",
                        "os": "linux",
                        "os.features": [
                           "a"
                        ],
                        "variant": "v8"
                     }
                  }
               ]
            }"#]]
        .assert_eq(&text);
        assert_eq!(list(&[entry(media_type::DOCKER_MANIFEST)]).0, media_type::DOCKER_INDEX);
    }
}
