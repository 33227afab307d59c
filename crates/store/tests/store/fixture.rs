//! Tars and image archives built in memory, honest and otherwise.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oci::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use store::images::Loaded;
use store::snapshots::{Base, Snapshot};
use store::{Record, Result, Store};
use tar::{EntryType, Header};

pub(crate) struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    pub(crate) fn new() -> Tar {
        Tar(tar::Builder::new(Vec::new()))
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Tar {
        self.entry(EntryType::Regular, path, "", content)
    }

    pub(crate) fn directory(self, path: &str) -> Tar {
        self.entry(EntryType::Directory, path, "", "")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Tar {
        self.entry(EntryType::Symlink, path, target, "")
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Tar {
        self.entry(EntryType::Link, path, target, "")
    }

    /// Writes names raw: a well-behaved writer would refuse the hostile ones.
    pub(crate) fn entry(
        self,
        kind: EntryType,
        path: &str,
        link: &str,
        content: impl AsRef<[u8]>,
    ) -> Tar {
        self.with(kind, path, link, content, |_| ())
    }

    pub(crate) fn with(
        mut self,
        kind: EntryType,
        path: &str,
        link: &str,
        content: impl AsRef<[u8]>,
        change: impl FnOnce(&mut Header),
    ) -> Tar {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.as_ref().len() as u64);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        change(&mut header);
        header.set_cksum();
        self.0.append(&header, content.as_ref()).unwrap();
        self
    }

    /// A PAX header for the entry that follows.
    pub(crate) fn pax(mut self, records: &[(&str, &[u8])]) -> Tar {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    pub(crate) fn build(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(Sha256::digest(bytes).into())
}

pub(crate) fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    config_with(layers, json!({}))
}

pub(crate) fn config_with(layers: &[Vec<u8>], config: Value) -> Vec<u8> {
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| digest(layer)).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05Z", "config": config,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": layers.iter().map(|_| json!({ "created_by": "test" })).collect::<Vec<_>>(),
    });
    serde_json::to_vec(&config).unwrap()
}

/// A docker-archive of one image.
pub(crate) fn archive(tags: &[&str], layers: &[Vec<u8>]) -> Vec<u8> {
    archive_of(tags, &config(layers), layers)
}

pub(crate) fn archive_of(tags: &[&str], config: &[u8], layers: &[Vec<u8>]) -> Vec<u8> {
    let names: Vec<String> = (0..layers.len()).map(|index| format!("{index}/layer.tar")).collect();
    let manifest = json!([{ "Config": "config.json", "RepoTags": tags, "Layers": names }]);
    let mut tar = Tar::new();
    for (name, layer) in names.iter().zip(layers) {
        tar = tar.file(name, layer);
    }
    tar.file("config.json", config).file("manifest.json", manifest.to_string()).build()
}

/// An OCI layout from index.json and blobs.
pub(crate) fn layout(index: &Value, blobs: &[&[u8]]) -> Vec<u8> {
    let by_name: BTreeMap<String, &[u8]> =
        blobs.iter().map(|blob| (format!("blobs/sha256/{}", digest(blob).hex()), *blob)).collect();
    let tar = by_name.into_iter().fold(Tar::new(), |tar, (name, blob)| tar.file(&name, blob));
    tar.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("index.json", index.to_string())
        .build()
}

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) root: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let root = tempfile::tempdir().unwrap();
        Fixture { store: Store::open(root.path()).unwrap(), root }
    }

    pub(crate) fn load(&self, archive: &[u8]) -> Result<Vec<Loaded>> {
        self.store.images().load(&mut &archive[..], &mut |_| ())
    }

    /// Loads one image of these layers as `test:latest`.
    pub(crate) fn image(&self, layers: &[Vec<u8>]) -> Result<Digest> {
        Ok(self.load(&archive(&["test:latest"], layers))?.remove(0).id)
    }

    /// A container of that id and name, made and recorded.
    pub(crate) fn container(&self, id: &str, image: &Digest) -> Snapshot<'_> {
        let record = Record { id: id.into(), name: id.into(), document: b"{}".to_vec() };
        self.store.snapshots().make(id, Base::Image(image)).unwrap().keep(&record, &[]).unwrap()
    }

    /// The directory of a layer.
    pub(crate) fn layer(&self, tar: &[u8]) -> PathBuf {
        let layer = self.store.layer(&digest(tar)).unwrap().expect("layer");
        self.root.path().join("layers").join(layer.number.to_string()).join("diff")
    }

    /// Nothing staged, no layers, no blobs, no images.
    pub(crate) fn assert_empty(&self) {
        for directory in ["staging", "layers", "blobs/sha256"] {
            let path = self.root.path().join(directory);
            let entries: Vec<_> =
                std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()).collect();
            assert!(entries.is_empty(), "{entries:?}");
        }
        let all = store::images::Filter { all: true, ..Default::default() };
        assert!(self.store.images().list(&all).unwrap().is_empty());
    }
}
