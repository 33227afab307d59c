//! An index with an image for each platform, and what is attached to it: made by a build, pushed and written as it is.

use std::io::Write;

use oci::image::ImageConfig;
use oci::index::Index;
use oci::manifest::{Document, Manifest};
use oci::reference::ImageName;
use oci::{Descriptor, Digest, Platform, Reference, descriptor, layout, media_type};
use rusqlite::OptionalExtension;

use super::save::{json, write_directory, write_file, write_start};
use super::{Image, ImageManifest, Images, Indexed, NewImage, no_such_image, parse_digest};
use crate::blobs::digest_of;
use crate::database::Durability;
use crate::error::{Error, Result};
use crate::layers::layer_resource;
use archive::compression::Compression;
use archive::writer;

/// Of an index that is held whole: a registry's may name one manifest any number of times.
const MOST_PARTS: usize = 128;

/// An index that is to be kept; what its manifests name is there.
#[derive(Debug, Clone)]
pub struct NewIndex {
    pub document: Vec<u8>,
    pub images: Vec<IndexedImage>,
    /// Manifests that are no image's, and what they name.
    pub attached: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub struct IndexedImage {
    pub platform: Platform,
    pub config: Vec<u8>,
    pub manifest: Vec<u8>,
}

/// An index of which everything is here.
#[derive(Debug, Clone)]
pub struct WholeIndex {
    pub descriptor: Descriptor,
    pub bytes: Vec<u8>,
    /// In its order.
    pub parts: Vec<IndexPart>,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a few, held for a moment")]
pub enum IndexPart {
    Image(Image, ImageManifest),
    Attached(ImageManifest),
}

impl IndexPart {
    pub fn manifest(&self) -> &ImageManifest {
        match self {
            Self::Image(_, manifest) | Self::Attached(manifest) => manifest,
        }
    }
}

impl Images<'_> {
    /// The names mean it from now on. Layers are held by the caller.
    pub fn put_index(&self, new: &NewIndex, references: &[Reference]) -> Result<Digest> {
        let root = digest_of(&new.document);
        let parsed = new.images.iter().map(|image| ImageConfig::parse(&image.config));
        let parsed: Vec<ImageConfig> = parsed
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| Error::invalid(format!("invalid image configuration: {error}")))?;
        let documents: Vec<[Vec<u8>; 2]> =
            new.images.iter().map(|image| [new.document.clone(), image.manifest.clone()]).collect();
        let images = new.images.iter().zip(&parsed).zip(&documents);
        let images: Vec<NewImage<'_>> = images
            .map(|((image, parsed), documents)| NewImage {
                config: &image.config,
                parsed,
                parent: None,
                documents,
                root: None,
                manifest: Some(digest_of(&image.manifest)),
            })
            .collect();
        let platforms = new.images.iter().map(|image| &image.platform).collect();
        let index = Indexed { root: root.clone(), platforms, attached: &new.attached };
        let references: Vec<_> = references.iter().cloned().map(Reference::tag_default).collect();
        self.put_all(&images, Some(&index), &references)?;
        Ok(root)
    }

    /// The index that a name means, where all that it leads to is here.
    pub fn whole_index(&self, name: &str) -> Result<Option<WholeIndex>> {
        let Some(root) = self.root_of(name)? else { return Ok(None) };
        let bytes = match self.store.blob(&root) {
            Ok(bytes) => bytes,
            // An image without a manifest is its own root, and one that is removed meanwhile has none.
            Err(error) if error.kind() == crate::Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(Document::Index(index)) = Document::parse(&bytes) else { return Ok(None) };
        let kind = match index.media_type.as_str() {
            "" => media_type::OCI_INDEX,
            kind => kind,
        };
        let descriptor = Descriptor::new(kind, root.clone(), bytes.len() as u64);
        if index.manifests.len() > MOST_PARTS {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(index.manifests.len());
        for entry in &index.manifests {
            let Some(part) = self.part(&root, entry)? else { return Ok(None) };
            parts.push(part);
        }
        Ok(Some(WholeIndex { descriptor, bytes, parts }))
    }

    fn root_of(&self, name: &str) -> Result<Option<Digest>> {
        let name = match ImageName::parse(name) {
            Ok(ImageName::Digest(digest)) => return Ok(Some(digest)),
            Ok(ImageName::Reference(name)) => name.tag_default().to_string(),
            Err(_) => return Ok(None),
        };
        let sql = "SELECT root FROM refs WHERE name = ?1";
        let root: Option<String> = self.store.database.read(|db| {
            Ok(db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
        })?;
        root.map(|root| parse_digest(&root)).transpose()
    }

    fn part(&self, root: &Digest, entry: &Descriptor) -> Result<Option<IndexPart>> {
        let attached = self.is_attached(root, &entry.digest)?;
        let image = match attached {
            true => None,
            false => self.image_of_manifest(&entry.digest)?,
        };
        if image.is_none() && !attached {
            return Ok(None);
        }
        let bytes = self.store.blob(&entry.digest)?;
        let Ok(Document::Manifest(parsed)) = Document::parse(&bytes) else { return Ok(None) };
        let manifest = ImageManifest { bytes, parsed };
        Ok(Some(match image {
            Some(image) => IndexPart::Image(image, manifest),
            None => IndexPart::Attached(manifest),
        }))
    }

    fn is_attached(&self, root: &Digest, digest: &Digest) -> Result<bool> {
        let sql = "SELECT 1 FROM attached WHERE root = ?1 AND digest = ?2";
        self.store
            .database
            .read(|db| Ok(db.prepare_cached(sql)?.exists((root.as_str(), digest.as_str()))?))
    }

    /// What these roots name that is no image.
    pub(super) fn attached(&self, roots: &[Digest]) -> Result<Vec<Digest>> {
        let mut all = Vec::new();
        for root in roots {
            let found: Vec<String> = self.store.database.read(|db| {
                let mut statement =
                    db.prepare_cached("SELECT digest FROM attached WHERE root = ?1")?;
                let rows = statement.query_map([root.as_str()], |row| row.get(0))?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })?;
            for digest in found {
                all.push(parse_digest(&digest)?);
            }
        }
        Ok(all)
    }

    /// Images that the name leads to on other platforms.
    pub(super) fn of_other_platforms(&self, name: &str, image: &Image) -> Result<Vec<Digest>> {
        let Ok(Some(root)) = self.root_of(name) else { return Ok(Vec::new()) };
        let sql = "SELECT DISTINCT image FROM roots WHERE root = ?1 AND image <> ?2";
        let found: Vec<String> = self.store.database.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map((root.as_str(), image.id.as_str()), |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        found.iter().map(|id| parse_digest(id)).collect()
    }

    /// Records what an index is called in a registry now.
    pub fn name_pushed(&self, index: &Digest, repository: &Reference) -> Result<()> {
        let name = repository.with_digest(index.clone());
        self.store.write(Durability::PowerLoss, |transaction| {
            super::set_reference(transaction, &name, index)
        })
    }

    /// An OCI layout of an index: each blob as it is in a registry. An entry of its list for each name, or one without.
    pub fn write_layout(
        &self,
        index: &WholeIndex,
        references: &[Reference],
        out: &mut dyn Write,
    ) -> Result<()> {
        let lease = self.store.lease("save");
        let mut written = std::collections::HashSet::new();
        write_directory(out, "blobs/")?;
        write_directory(out, "blobs/sha256/")?;
        let mut bytes = |blob: &[u8], out: &mut dyn Write| {
            let digest = digest_of(blob);
            match written.insert(digest.clone()) {
                true => write_file(out, &layout::blob_path(&digest), blob),
                false => Ok(()),
            }
        };
        let mut layers: Vec<(Image, Vec<Descriptor>)> = Vec::new();
        for part in &index.parts {
            bytes(&part.manifest().bytes, out)?;
            match part {
                IndexPart::Attached(manifest) => {
                    for blob in manifest.blobs() {
                        bytes(&self.store.blob(&blob.digest)?, out)?;
                    }
                }
                IndexPart::Image(image, manifest) => {
                    bytes(&self.raw_config(&image.id)?, out)?;
                    layers.push((image.clone(), manifest.parsed.layers.clone()));
                }
            }
        }
        bytes(&index.bytes, out)?;
        let mut written = std::collections::HashSet::new();
        for (image, blobs) in layers {
            for (layer, blob) in image.layers.iter().zip(blobs) {
                if written.insert(blob.digest.clone()) {
                    lease.hold(&layer_resource(&layer.diff_id))?;
                    self.write_blob(&blob, out)?;
                }
            }
        }
        let entries = names(&index.descriptor, references);
        let list = Index {
            schema_version: 2,
            media_type: media_type::OCI_INDEX.to_owned(),
            manifests: entries,
            annotations: Default::default(),
        };
        write_file(out, layout::INDEX_FILE, &json(&list))?;
        write_file(out, layout::OCI_LAYOUT_FILE, layout::OCI_LAYOUT_CONTENT.as_bytes())?;
        Ok(writer::finish(out)?)
    }

    fn write_blob(&self, wanted: &Descriptor, out: &mut dyn Write) -> Result<()> {
        let missing = || no_such_image(&ImageName::Digest(wanted.digest.clone()));
        let mut blob = self.store.layer_blob(&wanted.digest)?.ok_or_else(missing)?;
        write_start(out, &layout::blob_path(&wanted.digest), blob.size)?;
        let failed = |error| Error::io("write image archive", error);
        std::io::copy(&mut blob.file, out).map_err(failed)?;
        writer::pad(out, blob.size).map_err(failed)
    }

    /// Makes a manifest of a config and of its layers' blobs, in OCI's form. The caller holds the layers.
    pub fn manifest_of(&self, config: &[u8], layers: &[Digest]) -> Result<Manifest> {
        let mut blobs = Vec::with_capacity(layers.len());
        for diff_id in layers {
            let layer = self.store.layer(diff_id)?;
            let layer = layer.ok_or_else(|| Error::system(format!("layer {diff_id} is gone")))?;
            let blob = self.store.blob_of_layer(&layer)?;
            let kind = blob_type(&blob.file)?;
            blobs.push(Descriptor::new(kind, blob.digest, blob.size));
        }
        let config =
            Descriptor::new(media_type::OCI_CONFIG, digest_of(config), config.len() as u64);
        Ok(Manifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST.to_owned(),
            config,
            layers: blobs,
            annotations: Default::default(),
        })
    }
}

/// A layer that was pulled is in the form in which it came.
fn blob_type(file: &std::fs::File) -> Result<&'static str> {
    use std::os::unix::fs::FileExt;
    let mut beginning = [0; 4];
    let count = file.read_at(&mut beginning, 0);
    let count = count.map_err(|error| Error::io("read a layer's blob", error))?;
    Ok(match Compression::detect(&beginning[..count]) {
        Compression::Gzip => media_type::OCI_LAYER_GZIP,
        Compression::Zstd => media_type::OCI_LAYER_ZSTD,
        _ => media_type::OCI_LAYER,
    })
}

/// As BuildKit names what an archive holds.
fn names(entry: &Descriptor, references: &[Reference]) -> Vec<Descriptor> {
    if references.is_empty() {
        return vec![entry.clone()];
    }
    let named = |reference: &Reference| {
        let mut entry = entry.clone();
        let tag = reference.tag().unwrap_or_default().to_owned();
        let name = descriptor::ANNOTATION_IMAGE_NAME.to_owned();
        entry.annotations.insert(name, reference.to_string());
        entry.annotations.insert(descriptor::ANNOTATION_REF_NAME.to_owned(), tag);
        entry
    };
    references.iter().map(named).collect()
}
