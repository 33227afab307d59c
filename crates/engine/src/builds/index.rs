//! The index of a build: a manifest for each platform, and what is attached to it, in BuildKit's form.

use api::build::Output;
use oci::index::Index;
use oci::manifest::Manifest;
use oci::{Descriptor, Digest, Platform, Reference, media_type};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::Store;
use store::images::{IndexedImage, NewIndex};

use super::annotations::{Annotations, Place};
use super::attest::Attestation;
use super::export::{Built, configuration};
use crate::error::{Error, Result};

const STATEMENT: &str = "application/vnd.in-toto+json";
const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// Blocks: layers that no registry has given become blobs.
pub fn make(
    store: &Store,
    all: &[Built],
    output: &Output,
    annotations: &Annotations,
    names: &[Reference],
) -> Result<NewIndex> {
    let (mut images, mut entries) = (Vec::new(), Vec::new());
    let (mut attached, mut last) = (Vec::new(), Vec::new());
    for built in all {
        let config = json(&configuration(built)?)?;
        let platform = Some(&built.platform);
        let manifest = store.images().manifest_of(&config, &built.layers.digests)?;
        let manifest =
            json(&Manifest { annotations: annotations.at(Place::Manifest, platform), ..manifest })?;
        let mut entry = describe(media_type::OCI_MANIFEST, &manifest);
        entry.platform = platform.cloned();
        entry.annotations = annotations.at(Place::ManifestDescriptor, platform);
        let wanted = built.attestations.iter().filter(|one| one.is_for(output));
        let wanted: Vec<&Attestation> = wanted.collect();
        if !wanted.is_empty() {
            let attaching = Attaching { entry: &entry, platform: &built.platform, names };
            let (entry, documents) = attaching.make(&wanted)?;
            last.push(entry);
            attached.extend(documents);
        }
        entries.push(entry);
        images.push(IndexedImage { platform: built.platform.clone(), config, manifest });
    }
    entries.extend(last);
    let index = Index {
        schema_version: 2,
        media_type: media_type::OCI_INDEX.to_owned(),
        manifests: entries,
        annotations: annotations.at(Place::Index, None),
    };
    Ok(NewIndex { document: json(&index)?, images, attached })
}

/// What is attached to one of the index's images.
struct Attaching<'a> {
    entry: &'a Descriptor,
    platform: &'a Platform,
    names: &'a [Reference],
}

impl Attaching<'_> {
    /// The index's entry, and the documents that it leads to.
    fn make(&self, attestations: &[&Attestation]) -> Result<(Descriptor, Vec<Vec<u8>>)> {
        let (mut documents, mut layers) = (Vec::new(), Vec::new());
        for attestation in attestations {
            let statement =
                json(&statement(attestation, self.names, self.platform, &self.entry.digest))?;
            let mut layer = describe(STATEMENT, &statement);
            let kind = attestation.predicate_type.to_owned();
            layer.annotations.insert(PREDICATE_TYPE.to_owned(), kind);
            layers.push(layer);
            documents.push(statement);
        }
        let digests: Vec<&Digest> = layers.iter().map(|layer| &layer.digest).collect();
        let config = json(&json!({
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": digests },
        }))?;
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST.to_owned(),
            config: describe(media_type::OCI_CONFIG, &config),
            layers,
            annotations: Default::default(),
        })?;
        let mut entry = describe(media_type::OCI_MANIFEST, &manifest);
        entry.platform = Some(Platform {
            os: "unknown".to_owned(),
            architecture: "unknown".to_owned(),
            ..Platform::default()
        });
        entry.annotations.insert(REFERENCE_TYPE.to_owned(), "attestation-manifest".to_owned());
        entry.annotations.insert(REFERENCE_DIGEST.to_owned(), self.entry.digest.to_string());
        documents.extend([config, manifest]);
        Ok((entry, documents))
    }
}

/// In-toto's form of an attestation.
pub fn statement(
    attestation: &Attestation,
    names: &[Reference],
    platform: &Platform,
    of: &Digest,
) -> serde_json::Value {
    let Attestation { predicate_type, predicate, .. } = attestation;
    builder::provenance::statement(predicate_type, predicate, names, platform, of)
}

pub fn describe(kind: &str, bytes: &[u8]) -> Descriptor {
    let digest = Digest::from_sha256(Sha256::digest(bytes).into());
    Descriptor::new(kind, digest, bytes.len() as u64)
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|cause| Error::system("an image's documents").because(cause))
}
