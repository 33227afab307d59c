//! What a registry must know of a manifest: its media type, what it refers to, and whose referrer it is.

use std::collections::BTreeMap;

use oci::descriptor::Descriptor;
use oci::digest::Digest;
use oci::media_type;
use serde::Deserialize;

use super::error::{Code, Error};
use super::names;

/// A manifest or an index that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    /// Config and layers, but for layers that are fetched from elsewhere.
    pub(super) blobs: Vec<Digest>,
    pub(super) manifests: Vec<Digest>,
    pub(super) subject: Option<Digest>,
    /// Of an artifact without a type of its own it is its config's.
    pub(super) artifact_type: Option<String>,
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "schemaVersion", default)]
    schema_version: u64,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
    subject: Option<Descriptor>,
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// `stated` is what the request says that it is.
    pub(super) fn parse(bytes: &[u8], stated: Option<&str>) -> Result<Self, Error> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        if document.schema_version != 2 {
            return Err(invalid("unsupported schema version"));
        }
        let media_type = document.media_type(stated)?;
        document.check_shape(&media_type)?;
        document.into_manifest(media_type)
    }
}

impl Document {
    fn media_type(&self, stated: Option<&str>) -> Result<String, Error> {
        let own = self.media_type.as_deref().filter(|own| !own.is_empty());
        match (own, stated) {
            (Some(own), Some(stated)) if own != stated => {
                Err(invalid("the content type is not the manifest's media type"))
            }
            (Some(kind), _) | (None, Some(kind)) => Ok(kind.to_owned()),
            (None, None) => {
                Err(invalid("neither the request nor the manifest states a media type"))
            }
        }
    }

    /// A document that could be read as either kind is refused (CVE-2021-41190).
    fn check_shape(&self, media_type: &str) -> Result<(), Error> {
        let is_image = self.config.is_some() || self.layers.is_some() || self.fs_layers.is_some();
        let is_index = self.manifests.is_some();
        match (media_type::is_manifest(media_type), media_type::is_index(media_type)) {
            (true, _) if is_index => Err(invalid("a manifest with the fields of an index")),
            (true, _) if self.config.is_none() => Err(invalid("a manifest without config")),
            (_, true) if is_image => Err(invalid("an index with the fields of a manifest")),
            (false, false) => Err(invalid(format!("unsupported media type {media_type:.100?}"))),
            _ => Ok(()),
        }
    }

    fn into_manifest(self, media_type: String) -> Result<Manifest, Error> {
        let config_type = self.config.as_ref().map(|config| config.media_type.clone());
        let own_type = self.artifact_type.filter(|kind| !kind.is_empty());
        let layers =
            self.layers.unwrap_or_default().into_iter().filter(|layer| !is_elsewhere(layer));
        let manifests = self.manifests.unwrap_or_default();
        Ok(Manifest {
            media_type,
            blobs: digests(self.config.into_iter().chain(layers))?,
            manifests: digests(manifests)?,
            subject: digests(self.subject)?.pop(),
            artifact_type: own_type.or(config_type).filter(|kind| !kind.is_empty()),
            annotations: self.annotations.unwrap_or_default(),
        })
    }
}

/// Layers that may not be distributed, or that are kept somewhere else.
fn is_elsewhere(layer: &Descriptor) -> bool {
    let kind = layer.media_type.as_str();
    !layer.urls.is_empty() || kind.contains(".nondistributable.") || kind.contains(".foreign.")
}

fn digests(descriptors: impl IntoIterator<Item = Descriptor>) -> Result<Vec<Digest>, Error> {
    let checked =
        descriptors.into_iter().map(|descriptor| names::digest(descriptor.digest.as_str()));
    checked.collect()
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new(Code::ManifestInvalid, format!("manifest invalid: {}", why.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::from_sha256([byte; 32])
    }

    fn descriptor(kind: &str, byte: u8) -> Value {
        json!({"mediaType": kind, "digest": digest(byte), "size": 3})
    }

    fn parse(document: &Value, stated: Option<&str>) -> Result<Manifest, Code> {
        Manifest::parse(document.to_string().as_bytes(), stated).map_err(|error| error.code)
    }

    fn image() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": descriptor("application/vnd.example.config", 1),
            "layers": [
                descriptor("application/vnd.oci.image.layer.v1.tar", 2),
                descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", 3),
                {"mediaType": "x", "digest": digest(4), "size": 1, "urls": ["https://elsewhere.example"]},
            ],
            "subject": descriptor(media_type::OCI_MANIFEST, 9),
            "annotations": {"a": "b"},
        })
    }

    #[test]
    fn a_manifest_says_what_it_needs_and_whose_referrer_it_is() {
        let manifest = parse(&image(), None).unwrap();
        assert_eq!(manifest.blobs, [digest(1), digest(2)]);
        assert_eq!(manifest.subject, Some(digest(9)));
        assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.example.config"));
        assert_eq!(manifest.annotations["a"], "b");
        let mut typed = image();
        typed["artifactType"] = "application/x".into();
        assert_eq!(parse(&typed, None).unwrap().artifact_type.as_deref(), Some("application/x"));
        let index = json!({"schemaVersion": 2, "manifests": [descriptor("", 5)]});
        let index = parse(&index, Some(media_type::OCI_INDEX)).unwrap();
        assert_eq!((index.manifests, index.blobs.len()), (vec![digest(5)], 0));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let with = |key: &str, value: Value| {
            let mut document = image();
            document[key] = value;
            document
        };
        let bad = [
            json!([]),
            json!({}),
            with("schemaVersion", json!(1)),
            with("mediaType", json!("text/html")),
            with("config", Value::Null),
            with("layers", json!([{"digest": "sha256:../../etc"}])),
            with("layers", json!([{"digest": format!("sha384:{}", "a".repeat(96))}])),
            with("subject", json!({"digest": "x"})),
        ];
        for document in bad {
            assert!(parse(&document, None).is_err(), "{document}");
        }
        assert_eq!(parse(&image(), Some(media_type::OCI_INDEX)), Err(Code::ManifestInvalid));
        let untyped = json!({"schemaVersion": 2, "manifests": []});
        assert_eq!(parse(&untyped, None), Err(Code::ManifestInvalid));
        let deep = format!("{{\"config\":{}", "[".repeat(100_000));
        assert!(Manifest::parse(deep.as_bytes(), None).is_err());
        let twice = br#"{"schemaVersion":2,"schemaVersion":2,"manifests":[]}"#;
        assert!(Manifest::parse(twice, Some(media_type::OCI_INDEX)).is_err());
    }

    #[test]
    fn cve_2021_41190_a_document_of_both_kinds_is_not_taken() {
        let mut both = image();
        both["manifests"] = json!([]);
        assert_eq!(parse(&both, None), Err(Code::ManifestInvalid));
        both["mediaType"] = media_type::OCI_INDEX.into();
        assert_eq!(parse(&both, None), Err(Code::ManifestInvalid));
    }

    proptest! {
        #[test]
        fn no_manifest_is_too_odd(at in 0usize..600, byte in any::<u8>(), cut in 0usize..600) {
            let mut bytes = image().to_string().into_bytes();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut.max(1));
            if let Ok(manifest) = Manifest::parse(&bytes, None) {
                prop_assert!(!manifest.media_type.is_empty());
            }
        }
    }
}
