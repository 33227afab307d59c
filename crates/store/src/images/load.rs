//! `load`: docker-archive and OCI layout, told apart by `manifest.json` and `index.json`.

use std::collections::HashSet;
use std::io::Read;

use oci::image::ImageConfig;
use oci::layout::{self, ArchiveImage};
use oci::manifest::{Document, Manifest};
use oci::{Descriptor, Digest, Platform, Reference, descriptor, media_type};

use super::archive::Archive;
use super::{Images, NewImage};
use crate::blobs::digest_of;
use crate::error::{Error, Result};

/// Deeper indexes, or more of them, are an attack (CVE-2026-53493).
const MAX_INDEX_DEPTH: usize = 4;
const MAX_INDEXES: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadEvent {
    /// Bytes of a layer read so far.
    Layer { id: String, current: u64, total: u64 },
    /// A name moved; Docker tells about it.
    Renamed { reference: Reference, old: Digest },
}

/// An image that is here now, and the names it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub id: Digest,
    pub references: Vec<Reference>,
}

/// The way from a reference to an image in an OCI layout.
struct Found {
    root: Digest,
    manifest: Manifest,
    manifest_digest: Digest,
    /// Root first.
    documents: Vec<Vec<u8>>,
}

impl Images<'_> {
    /// Reads an archive to its end. Nothing is visible of an archive that fails, but what it had in common with images
    /// that are here.
    pub fn load(
        &self,
        source: &mut dyn Read,
        events: &mut dyn FnMut(LoadEvent),
    ) -> Result<Vec<Loaded>> {
        self.load_platform(source, &Platform::host(), events)
    }

    pub fn load_platform(
        &self,
        source: &mut dyn Read,
        platform: &Platform,
        events: &mut dyn FnMut(LoadEvent),
    ) -> Result<Vec<Loaded>> {
        let lease = self.store.lease("load");
        let archive = Archive::read(self.store, source, &lease, events);
        let loaded = archive.and_then(|archive| self.take_images(&archive, platform, events));
        drop(lease);
        // Layers that the archive held and no image of it named.
        self.store.collect_garbage()?;
        loaded
    }

    fn take_images(
        &self,
        archive: &Archive,
        platform: &Platform,
        events: &mut dyn FnMut(LoadEvent),
    ) -> Result<Vec<Loaded>> {
        if let Some(bytes) = archive.document(layout::DOCKER_MANIFEST_FILE) {
            let images: Vec<ArchiveImage> = serde_json::from_slice(bytes)
                .map_err(|error| Error::invalid(format!("invalid manifest.json: {error}")))?;
            return images.iter().map(|image| self.take_docker(archive, image, events)).collect();
        }
        let Some(bytes) = archive.document(layout::INDEX_FILE) else {
            return Err(Error::invalid("open manifest.json: no such file or directory"));
        };
        let Document::Index(index) = parse_document(bytes)? else {
            return Err(Error::invalid("index.json is not an image index"));
        };
        index
            .manifests
            .iter()
            .map(|entry| self.take_oci(archive, entry, platform, events))
            .collect()
    }

    fn take_docker(
        &self,
        archive: &Archive,
        image: &ArchiveImage,
        events: &mut dyn FnMut(LoadEvent),
    ) -> Result<Loaded> {
        let bytes = archive.document(&image.config).ok_or_else(|| missing(&image.config))?;
        let config = parse_config(bytes)?;
        verify_layers(archive, &config, &image.layers)?;
        let id = digest_of(bytes);
        let found = manifest_of(archive, &id);
        let parent = image.parent.as_deref().and_then(|parent| Digest::parse(parent).ok());
        let names = image.repo_tags.as_deref().unwrap_or_default();
        let references = names.iter().map(|name| Ok(Reference::parse(name)?.tag_default()));
        let references = references.collect::<Result<Vec<_>>>()?;
        self.announce(&id, &references, events);
        let new = NewImage {
            config: bytes,
            parsed: &config,
            parent: parent.as_ref(),
            documents: found.as_ref().map_or(&[], |found| &found.documents),
            root: found.as_ref().map(|found| found.root.clone()),
            manifest: found.as_ref().map(|found| found.manifest_digest.clone()),
        };
        Ok(Loaded { id: self.put(&new, &references)?, references })
    }

    fn take_oci(
        &self,
        archive: &Archive,
        entry: &Descriptor,
        platform: &Platform,
        events: &mut dyn FnMut(LoadEvent),
    ) -> Result<Loaded> {
        let found = find_manifest(archive, entry, platform)?;
        let config_path = layout::blob_path(&found.manifest.config.digest);
        let bytes = archive.document(&config_path).ok_or_else(|| missing(&config_path))?;
        let id = digest_of(bytes);
        if id != found.manifest.config.digest {
            return Err(Error::invalid(format!("{config_path}: content has digest {id}")));
        }
        let config = parse_config(bytes)?;
        let paths: Vec<String> =
            found.manifest.layers.iter().map(|layer| layout::blob_path(&layer.digest)).collect();
        verify_layers(archive, &config, &paths)?;
        let references = annotated_name(entry)?.into_iter().collect::<Vec<_>>();
        self.announce(&id, &references, events);
        let new = NewImage {
            config: bytes,
            parsed: &config,
            parent: None,
            documents: &found.documents,
            root: Some(found.root),
            manifest: Some(found.manifest_digest),
        };
        Ok(Loaded { id: self.put(&new, &references)?, references })
    }

    fn announce(&self, id: &Digest, references: &[Reference], events: &mut dyn FnMut(LoadEvent)) {
        for reference in references {
            match self.resolve(&reference.to_string()) {
                Ok(old) if old != *id => {
                    events(LoadEvent::Renamed { reference: reference.clone(), old });
                }
                _ => {}
            }
        }
    }
}

/// Content decides, not names: every layer must be what the config says (CVE-2026-93318).
fn verify_layers(archive: &Archive, config: &ImageConfig, paths: &[String]) -> Result<()> {
    let expected = &config.rootfs.diff_ids;
    if expected.len() != paths.len() {
        return Err(Error::invalid(format!(
            "invalid manifest, layers length mismatch: expected {}, got {}",
            paths.len(),
            expected.len()
        )));
    }
    for (index, (path, expected)) in paths.iter().zip(expected).enumerate() {
        let found = archive.layer(path).ok_or_else(|| missing(path))?;
        if found != expected {
            return Err(Error::invalid(format!(
                "invalid diffID for layer {index}: expected \"{expected}\", got \"{found}\""
            )));
        }
    }
    Ok(())
}

/// The manifest that `docker save` wrote beside its own format, if index.json leads to one for this config.
fn manifest_of(archive: &Archive, config: &Digest) -> Option<Found> {
    let Ok(Document::Index(index)) = parse_document(archive.document(layout::INDEX_FILE)?) else {
        return None;
    };
    let found = index.manifests.iter().take(MAX_INDEXES);
    let mut found = found.filter_map(|entry| find_manifest(archive, entry, &Platform::host()).ok());
    found.find(|found| found.manifest.config.digest == *config)
}

fn find_manifest(archive: &Archive, entry: &Descriptor, platform: &Platform) -> Result<Found> {
    let mut search = Search { archive, platform, seen: HashSet::new() };
    search.descend(entry, MAX_INDEX_DEPTH)?.ok_or_else(|| {
        Error::not_found(format!("no image for platform {platform} in index {}", entry.digest))
    })
}

struct Search<'a> {
    archive: &'a Archive,
    platform: &'a Platform,
    seen: HashSet<Digest>,
}

impl Search<'_> {
    fn descend(&mut self, entry: &Descriptor, depth: usize) -> Result<Option<Found>> {
        if depth == 0 {
            return Err(Error::invalid("image index is nested too deeply"));
        }
        if !self.seen.insert(entry.digest.clone()) || self.seen.len() > MAX_INDEXES {
            return Err(Error::invalid("image index contains itself or too many others"));
        }
        let path = layout::blob_path(&entry.digest);
        // An archive of one platform lacks the manifests of the others.
        let Some(bytes) = self.archive.document(&path) else { return Ok(None) };
        let digest = digest_of(bytes);
        if digest != entry.digest {
            return Err(Error::invalid(format!("{path}: content has digest {digest}")));
        }
        match parse_document(bytes)? {
            Document::Manifest(manifest) if is_image(&manifest) => Ok(Some(Found {
                root: digest.clone(),
                manifest,
                manifest_digest: digest,
                documents: vec![bytes.to_vec()],
            })),
            Document::Manifest(_) => Ok(None),
            Document::Index(index) => {
                for candidate in index.candidates(self.platform) {
                    if let Some(mut found) = self.descend(candidate, depth - 1)? {
                        found.root = digest;
                        found.documents.insert(0, bytes.to_vec());
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// Attestations and other artifacts have configs of other types.
fn is_image(manifest: &Manifest) -> bool {
    manifest.config.media_type.is_empty() || media_type::is_config(&manifest.config.media_type)
}

fn annotated_name(entry: &Descriptor) -> Result<Option<Reference>> {
    let full = entry.annotation(descriptor::ANNOTATION_IMAGE_NAME);
    // The OCI annotation may be a whole name or a bare tag; a bare tag names no image.
    let short =
        entry.annotation(descriptor::ANNOTATION_REF_NAME).filter(|name| name.contains([':', '/']));
    match full.or(short) {
        Some(name) => Ok(Some(Reference::parse(name)?.tag_default())),
        None => Ok(None),
    }
}

fn parse_document(bytes: &[u8]) -> Result<Document> {
    Document::parse(bytes).map_err(|error| Error::invalid(error.to_string()))
}

fn parse_config(bytes: &[u8]) -> Result<ImageConfig> {
    ImageConfig::parse(bytes)
        .map_err(|error| Error::invalid(format!("invalid image configuration: {error}")))
}

fn missing(path: &str) -> Error {
    Error::invalid(format!("open {path}: no such file or directory"))
}
