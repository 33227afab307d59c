//! What is said of an image beside it: how it came to be, and what it holds.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::build::{BuildOptions, Output};
use builder::copy::Tree;
use builder::plan::{Op, Vertex};
use builder::provenance::{self, Facts, Mode, Version};
use builder::sbom::{self, MOST_PACKAGES, Package, System};
use jiff::Timestamp;
use oci::{Digest, Platform, Reference};
use serde_json::Value;
use store::Store;

use super::export::Built;
use super::files::Folder;
use super::trees::root;
use crate::containers::name::random_id;
use crate::error::{Error, Result};

/// Of what a package manager says of all packages.
const LARGEST_DATABASE: u64 = 64 << 20;
/// Of what is said of one.
const LARGEST_NOTE: u64 = 1 << 20;
/// Folders that are looked into for notes, and bytes of one's path.
const MOST_FOLDERS: usize = 200_000;
const LONGEST_PATH: usize = 1024;

/// What a build is to say of its images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    provenance: Option<Provenance>,
    sbom: bool,
    /// Not to be written beside files.
    inline: BTreeMap<&'static str, bool>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Provenance {
    mode: Mode,
    version: Version,
    builder_id: String,
    reproducible: bool,
    /// Nobody asked for it.
    is_default: bool,
}

/// A predicate about one platform's image.
#[derive(Clone, Debug)]
pub struct Attestation {
    pub predicate_type: &'static str,
    pub predicate: Value,
    /// The file's name where there are files.
    pub file: &'static str,
    inline_only: bool,
    is_default: bool,
}

impl Attestation {
    /// Whether it goes with this output. What nobody asked for goes where images leave this engine for others.
    pub fn is_for(&self, output: &Output) -> bool {
        match output.kind.as_str() {
            "registry" | "oci" => true,
            "local" | "tar" => !self.is_default && !self.inline_only,
            _ => !self.is_default,
        }
    }
}

impl Wishes {
    /// # Errors
    /// Attributes that BuildKit has not, or that are not here.
    pub fn parse(options: &BuildOptions) -> Result<Self> {
        let mut wishes = Self::default();
        let is_default = !options.attests.contains_key("provenance");
        if is_default {
            wishes.provenance = Some(Provenance { is_default, ..Provenance::default() });
        }
        for (kind, attributes) in &options.attests {
            if flag(attributes, "disabled")? {
                continue;
            }
            match kind.as_str() {
                "provenance" => {
                    wishes.provenance = Some(Provenance::parse(attributes)?);
                    wishes.inline.insert("provenance", flag(attributes, "inline-only")?);
                }
                "sbom" => {
                    refuse_all_but(attributes, &["disabled", "inline-only"], "sbom")?;
                    wishes.sbom = true;
                    wishes.inline.insert("sbom", flag(attributes, "inline-only")?);
                }
                other => {
                    return Err(Error::invalid(format!("unknown attestation type {other:?}")));
                }
            }
        }
        Ok(wishes)
    }

    /// Whether somebody asked for something to be attached.
    pub fn are_spoken(&self) -> bool {
        self.sbom || self.provenance.as_ref().is_some_and(|provenance| !provenance.is_default)
    }

    fn is_inline_only(&self, what: &str) -> bool {
        self.inline.get(what).copied().unwrap_or_default()
    }
}

impl Provenance {
    fn parse(attributes: &BTreeMap<String, String>) -> Result<Self> {
        let known = ["disabled", "mode", "version", "builder-id", "reproducible", "inline-only"];
        refuse_all_but(attributes, &known, "provenance")?;
        let text = |name: &str| attributes.get(name).map_or("", String::as_str);
        let mode = match text("mode") {
            "" | "min" => Mode::Min,
            "max" => Mode::Max,
            other => return Err(Error::invalid(format!("invalid provenance mode {other:?}"))),
        };
        let version = match text("version") {
            "" | "v0.2" => Version::V02,
            "v1" => Version::V1,
            other => return Err(Error::invalid(format!("invalid provenance version {other:?}"))),
        };
        Ok(Self {
            mode,
            version,
            builder_id: text("builder-id").to_owned(),
            reproducible: flag(attributes, "reproducible")?,
            is_default: false,
        })
    }
}

fn refuse_all_but(attributes: &BTreeMap<String, String>, known: &[&str], kind: &str) -> Result<()> {
    match attributes.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) if name == "generator" => Err(Error::not_implemented(
            "generators of SBOMs are not run by this version: it has a scanner of its own",
        )),
        Some(name) => Err(Error::invalid(format!("unknown attribute {name:?} of {kind}"))),
        None => Ok(()),
    }
}

fn flag(attributes: &BTreeMap<String, String>, name: &str) -> Result<bool> {
    match attributes.get(name).map(String::as_str) {
        None | Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
        Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
        Some(other) => Err(Error::invalid(format!("invalid value {other:?} of attribute {name}"))),
    }
}

/// A build that has ended, as far as it is told of.
pub struct Ended<'e> {
    pub options: &'e BuildOptions,
    pub vertices: &'e Arc<[Vertex]>,
    pub started: Timestamp,
    pub finished: Timestamp,
}

/// What is attached to one platform's image. Blocks.
pub fn make(
    store: &Store,
    wishes: &Wishes,
    ended: &Ended<'_>,
    built: &Built,
) -> Result<Vec<Attestation>> {
    let mut all = Vec::new();
    if wishes.sbom {
        all.push(Attestation {
            predicate_type: sbom::PREDICATE_TYPE,
            predicate: bill(store, ended, built)?,
            file: "sbom.spdx.json",
            inline_only: wishes.is_inline_only("sbom"),
            is_default: false,
        });
    }
    if let Some(wish) = &wishes.provenance {
        all.push(Attestation {
            predicate_type: wish.version.predicate_type(),
            predicate: origin(store, wish, ended, built),
            file: "provenance.json",
            inline_only: wishes.is_inline_only("provenance"),
            is_default: wish.is_default,
        });
    }
    Ok(all)
}

fn origin(store: &Store, wish: &Provenance, ended: &Ended<'_>, built: &Built) -> Value {
    let Ended { options, vertices, .. } = ended;
    let (started, finished) = (ended.started.to_string(), ended.finished.to_string());
    provenance::predicate(&Facts {
        mode: wish.mode,
        version: wish.version,
        builder_id: &wish.builder_id,
        reproducible: wish.reproducible,
        invocation: &random_id(),
        started: &started,
        finished: &finished,
        build_platform: &Platform::host(),
        dockerfile: (&options.dockerfile.name, &options.dockerfile.text),
        target: &options.target,
        build_args: &options.build_args,
        labels: &options.labels,
        vertices,
        result: built.plan.result,
        images: &bases(store, vertices),
    })
}

/// What base images are: the digest in a registry, else that of the image itself.
fn bases(store: &Store, vertices: &[Vertex]) -> BTreeMap<(String, Platform), Digest> {
    let digest = |reference: &str, platform: &Platform| {
        let images = store.images();
        let id = images.resolve_for(reference, Some(platform)).ok()?;
        let image = images.by_id(&id).ok()?;
        let name = Reference::parse(reference).ok()?.name();
        let named = image.digests.iter().find(|digest| digest.name() == name);
        Some(named.and_then(Reference::digest).cloned().unwrap_or(id))
    };
    let of = |vertex: &Vertex| match &vertex.op {
        Op::Image(image) => {
            let found = digest(&image.reference, &image.platform)?;
            Some(((image.reference.clone(), image.platform.clone()), found))
        }
        _ => None,
    };
    vertices.iter().filter_map(of).collect()
}

fn bill(store: &Store, ended: &Ended<'_>, built: &Built) -> Result<Value> {
    let folder = root(store, &built.layers.digests)?;
    let system = text(&folder, Path::new("etc/os-release"), LARGEST_NOTE)
        .or_else(|| text(&folder, Path::new("usr/lib/os-release"), LARGEST_NOTE));
    let system = System::parse(&system.unwrap_or_default());
    let layers = built.layers.digests.iter().map(Digest::as_str).collect::<Vec<_>>().join("\n");
    let of = super::index::describe("", layers.as_bytes()).digest;
    let name = ended.options.tags.first().map_or("image", String::as_str);
    let created = ended.finished.to_string();
    let created = match created.split_once('.') {
        // SPDX has no fractions of a second.
        Some((seconds, _)) => format!("{seconds}Z"),
        None => created,
    };
    Ok(sbom::document(name, &of, &created, &system, &packages(&folder)))
}

/// What package managers have noted, and what is noted of packages of languages anywhere.
fn packages(folder: &Folder) -> Vec<Package> {
    let database = |path: &str| text(folder, Path::new(path), LARGEST_DATABASE);
    let mut all = Vec::new();
    all.extend(database("var/lib/dpkg/status").iter().flat_map(|text| sbom::dpkg(text)));
    for apk in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        all.extend(database(apk).iter().flat_map(|text| sbom::apk(text)));
    }
    let parts = Path::new("var/lib/dpkg/status.d");
    for name in folder.names(parts).unwrap_or_default() {
        let note = text(folder, &parts.join(name), LARGEST_NOTE);
        all.extend(note.iter().flat_map(|text| sbom::dpkg(text)));
    }
    walk(folder, &mut all);
    all.truncate(MOST_PACKAGES);
    all
}

/// Through all folders, links left aside, as far as there are not too many of them.
fn walk(folder: &Folder, all: &mut Vec<Package>) {
    let mut open = vec![PathBuf::new()];
    let mut found_folders = 0;
    while let Some(path) = open.pop() {
        if all.len() > MOST_PACKAGES {
            return;
        }
        for name in folder.names(&path).unwrap_or_default() {
            let place = path.join(&name);
            let found = match folder.entry(&place) {
                Ok(Some(entry)) => entry.kind,
                _ => continue,
            };
            match found {
                builder::context::Kind::Directory => {
                    found_folders += 1;
                    if found_folders < MOST_FOLDERS && place.as_os_str().len() <= LONGEST_PATH {
                        open.push(place);
                    }
                }
                builder::context::Kind::File { .. } => {
                    all.extend(noted(folder, &path, &place));
                }
                _ => {}
            }
        }
    }
}

fn noted(folder: &Folder, parent: &Path, place: &Path) -> Option<Package> {
    let is_in = |path: &Path, name: &str| {
        path.components().any(|part| part.as_os_str() == std::ffi::OsStr::new(name))
    };
    match place.file_name()?.to_str()? {
        "METADATA" if parent.extension().is_some_and(|end| end == "dist-info") => {
            sbom::python(&text(folder, place, LARGEST_NOTE)?)
        }
        "package.json" if is_in(parent, "node_modules") => {
            sbom::node(&text(folder, place, LARGEST_NOTE)?)
        }
        _ => None,
    }
}

/// Nothing of what is no file, cannot be read, or is larger than any such file.
fn text(folder: &Folder, path: &Path, largest: u64) -> Option<String> {
    let file = folder.open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= largest).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(kind: &str, attributes: &[(&str, &str)]) -> Result<Wishes> {
        let attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let attests = BTreeMap::from([(kind.to_owned(), attributes.collect())]);
        Wishes::parse(&BuildOptions { attests, ..BuildOptions::default() })
    }

    #[test]
    fn what_nobody_asked_for_goes_with_images_that_leave_alone() {
        let unasked = Wishes::parse(&BuildOptions::default()).unwrap();
        assert!(!unasked.are_spoken());
        assert!(unasked.provenance.unwrap().is_default);
        let attestation = |is_default, inline_only| Attestation {
            predicate_type: "",
            predicate: Value::Null,
            file: "",
            inline_only,
            is_default,
        };
        let goes = |attestation: Attestation| {
            let kinds = ["image", "registry", "oci", "local", "tar"];
            kinds.map(|kind| attestation.is_for(&Output { kind: kind.into(), ..Output::default() }))
        };
        assert_eq!(goes(attestation(true, false)), [false, true, true, false, false]);
        assert_eq!(goes(attestation(false, false)), [true; 5]);
        assert_eq!(goes(attestation(false, true)), [true, true, true, false, false]);
    }

    #[test]
    fn attributes_are_buildkits() {
        assert_eq!(wishes("provenance", &[("disabled", "true")]).unwrap(), Wishes::default());
        let most = wishes("provenance", &[("mode", "max"), ("version", "v1")]).unwrap();
        let most = most.provenance.unwrap();
        assert_eq!((most.mode, most.version), (Mode::Max, Version::V1));
        assert!(wishes("sbom", &[]).unwrap().are_spoken());
        for (kind, name, value) in [
            ("provenance", "mode", "most"),
            ("provenance", "version", "v9"),
            ("provenance", "what", "x"),
            ("provenance", "disabled", "maybe"),
            ("sbom", "generator", "image"),
            ("vex", "mode", "max"),
        ] {
            assert!(wishes(kind, &[(name, value)]).is_err(), "{kind} {name}={value}");
        }
    }
}
