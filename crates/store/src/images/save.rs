//! `save`: one tar that is both a docker-archive and an OCI layout, as Docker writes it since version 25.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use oci::index::Index;
use oci::layout::{self, ArchiveImage};
use oci::manifest::Manifest;
use oci::reference::ImageName;
use oci::{Descriptor, Digest, Platform, Reference, descriptor, media_type};

use super::{Image, Images};
use crate::Layer;
use crate::blobs::digest_of;
use crate::error::{Error, Result};
use archive::{Entry, Kind, writer};

impl Images<'_> {
    /// An error that names the first that is not here, as typed.
    pub fn must_exist(&self, names: &[String], platform: Option<&Platform>) -> Result<()> {
        self.select(names, platform).map(drop)
    }

    /// Writes images by name. A repository without tag means all its tags; an ID saves the image without a name.
    pub fn save(
        &self,
        names: &[String],
        platform: Option<&Platform>,
        out: &mut dyn Write,
    ) -> Result<()> {
        let selected = self.select(names, platform)?;
        let lease = self.store.lease("save");
        for (image, _) in &selected {
            for layer in &image.layers {
                lease.hold(&crate::layers::layer_resource(&layer.diff_id))?;
            }
        }
        let mut plan = Plan::default();
        let saved: BTreeSet<Digest> = selected.iter().map(|(image, _)| image.id.clone()).collect();
        for (image, references) in &selected {
            let parent = image.parent.as_ref().filter(|parent| saved.contains(parent));
            plan.add(image, references, self.raw_config(&image.id)?, parent);
        }
        self.write_archive(&plan, out)
    }

    fn select(
        &self,
        names: &[String],
        platform: Option<&Platform>,
    ) -> Result<Vec<(Image, Vec<Reference>)>> {
        let mut selected: Vec<(Image, Vec<Reference>)> = Vec::new();
        for name in names {
            for (image, reference) in self.named(name)? {
                let image = match platform {
                    Some(_) => self.by_id(&self.resolve_for(image.id.as_str(), platform)?)?,
                    None => image,
                };
                match selected.iter_mut().find(|(other, _)| other.id == image.id) {
                    Some((_, references)) => references.extend(reference),
                    None => selected.push((image, reference.into_iter().collect())),
                }
            }
        }
        Ok(selected)
    }

    fn named(&self, name: &str) -> Result<Vec<(Image, Option<Reference>)>> {
        // An ID has the form of a name and tag, too.
        let Ok(ImageName::Reference(reference)) = ImageName::parse(name) else {
            return Ok(vec![(self.get(name)?, None)]);
        };
        let tagged: Vec<Reference> = match reference.is_name_only() {
            true => self.tags_of(&reference)?,
            false => vec![reference],
        };
        if tagged.is_empty() {
            let image = self.get(name).map_err(|error| match error.kind() {
                crate::Kind::NotFound => Error::not_found(format!("No such image: {name}")),
                _ => error,
            })?;
            return Ok(vec![(image, None)]);
        }
        tagged
            .into_iter()
            .map(|tag| {
                let image = self.get(&tag.to_string()).map_err(|error| match error.kind() {
                    crate::Kind::NotFound => Error::not_found("reference does not exist"),
                    _ => error,
                })?;
                let named = image.tags.contains(&tag).then_some(tag);
                Ok((image, named))
            })
            .collect()
    }

    pub(super) fn tags_of(&self, repository: &Reference) -> Result<Vec<Reference>> {
        self.store.database.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT name FROM refs WHERE name >= ?1 AND name < ?2 ORDER BY name",
            )?;
            let range = (format!("{repository}:"), format!("{repository};"));
            let names = statement.query_map(range, |row| row.get::<_, String>(0))?;
            names.map(|name| Ok(Reference::parse(&name?)?)).collect()
        })
    }

    fn write_archive(&self, plan: &Plan, out: &mut dyn Write) -> Result<()> {
        write_directory(out, "blobs/")?;
        write_directory(out, "blobs/sha256/")?;
        for (digest, blob) in &plan.blobs {
            let path = layout::blob_path(digest);
            match blob {
                Blob::Bytes(bytes) => write_file(out, &path, bytes)?,
                Blob::Layer(layer) => {
                    write_start(out, &path, layer.tar_size)?;
                    self.store.write_layer_tar(layer, out)?;
                    writer::pad(out, layer.tar_size)?;
                }
            }
        }
        write_file(out, layout::INDEX_FILE, &json(&plan.index()))?;
        write_file(out, layout::DOCKER_MANIFEST_FILE, &json_line(&plan.images))?;
        write_file(out, layout::OCI_LAYOUT_FILE, layout::OCI_LAYOUT_CONTENT.as_bytes())?;
        if !plan.repositories.is_empty() {
            write_file(out, layout::DOCKER_REPOSITORIES_FILE, &json_line(&plan.repositories))?;
        }
        Ok(writer::finish(out)?)
    }
}

enum Blob {
    Bytes(Vec<u8>),
    Layer(Layer),
}

/// Everything that goes into the archive.
#[derive(Default)]
struct Plan {
    blobs: BTreeMap<Digest, Blob>,
    images: Vec<ArchiveImage>,
    manifests: Vec<Descriptor>,
    repositories: BTreeMap<String, BTreeMap<String, String>>,
}

impl Plan {
    fn add(
        &mut self,
        image: &Image,
        references: &[Reference],
        config: Vec<u8>,
        parent: Option<&Digest>,
    ) {
        let layers: Vec<Descriptor> = image
            .layers
            .iter()
            .map(|layer| {
                Descriptor::new(media_type::OCI_LAYER, layer.diff_id.clone(), layer.tar_size)
            })
            .collect();
        let manifest = Manifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST.to_owned(),
            config: Descriptor::new(media_type::OCI_CONFIG, image.id.clone(), config.len() as u64),
            layers: layers.clone(),
            annotations: BTreeMap::new(),
        };
        let manifest = json(&manifest);
        let entry =
            Descriptor::new(media_type::OCI_MANIFEST, digest_of(&manifest), manifest.len() as u64);
        self.name(&entry, image, references);
        self.images.push(ArchiveImage {
            config: layout::blob_path(&image.id),
            repo_tags: (!references.is_empty()).then(|| {
                references
                    .iter()
                    .map(Reference::familiar)
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect()
            }),
            layers: layers.iter().map(|layer| layout::blob_path(&layer.digest)).collect(),
            parent: parent.map(Digest::to_string),
            layer_sources: Some(
                layers.into_iter().map(|layer| (layer.digest.clone(), layer)).collect(),
            ),
        });
        self.blobs.insert(entry.digest, Blob::Bytes(manifest));
        self.blobs.insert(image.id.clone(), Blob::Bytes(config));
        for layer in &image.layers {
            self.blobs.insert(layer.diff_id.clone(), Blob::Layer(layer.clone()));
        }
    }

    /// One index entry per name; an image without names still gets one.
    fn name(&mut self, entry: &Descriptor, image: &Image, references: &[Reference]) {
        if references.is_empty() {
            self.manifests.push(entry.clone());
        }
        for reference in references {
            let tag = reference.tag().unwrap_or_default();
            let mut named = entry.clone();
            named
                .annotations
                .insert(descriptor::ANNOTATION_IMAGE_NAME.to_owned(), reference.to_string());
            named.annotations.insert(descriptor::ANNOTATION_REF_NAME.to_owned(), tag.to_owned());
            self.manifests.push(named);
            let top = image.layers.last().map_or(image.id.hex(), |layer| layer.diff_id.hex());
            let tags = self.repositories.entry(reference.familiar_name()).or_default();
            tags.insert(tag.to_owned(), top.to_owned());
        }
    }

    fn index(&self) -> Index {
        Index {
            schema_version: 2,
            media_type: media_type::OCI_INDEX.to_owned(),
            manifests: self.manifests.clone(),
            annotations: BTreeMap::new(),
        }
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data without maps by non-strings always serializes")
}

/// Docker ends its own two documents with a newline.
fn json_line(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = json(value);
    bytes.push(b'\n');
    bytes
}

pub(super) fn write_file(out: &mut dyn Write, path: &str, bytes: &[u8]) -> Result<()> {
    write_start(out, path, bytes.len() as u64)?;
    out.write_all(bytes).and_then(|()| writer::pad(out, bytes.len() as u64)).map_err(failed)
}

pub(super) fn write_start(out: &mut dyn Write, path: &str, size: u64) -> Result<()> {
    let entry = Entry { path: path.as_bytes().to_vec(), ..writer::plain(size) };
    writer::write_header(out, &entry).map_err(failed)
}

pub(super) fn write_directory(out: &mut dyn Write, path: &str) -> Result<()> {
    let entry = Entry {
        kind: Kind::Directory,
        path: path.as_bytes().to_vec(),
        mode: 0o755,
        ..writer::plain(0)
    };
    writer::write_header(out, &entry).map_err(failed)
}

fn failed(error: std::io::Error) -> Error {
    Error::io("write image archive", error)
}
