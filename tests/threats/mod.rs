//! What has broken container engines before, tried on the whole of this one. docs/threats.md lists each with its tests.

pub(crate) mod api;
mod builds;
mod clients;
mod copy;
mod files;
mod image;
mod limits;
mod process;
mod state;
mod volumes;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use testkit::archive;
use testkit::engine::{Engine, image_archive};

/// An entry of a layer.
enum Entry<'a> {
    File(&'a str, &'a str),
    Directory(&'a str),
    Symlink(&'a str, &'a str),
    Fifo(&'a str),
    CharDevice(&'a str, u32, u32),
}

/// Loads `hostile:latest`: busybox, a further layer, and a configuration.
#[track_caller]
fn load_hostile(engine: &Engine, entries: &[Entry<'_>], config: Value) {
    let path = hostile_archive(engine, entries, config);
    engine.gantry(&["load", "-q", "-i", path.to_str().unwrap()]).ok();
}

fn hostile_archive(engine: &Engine, entries: &[Entry<'_>], config: Value) -> PathBuf {
    let layer = engine.scratch().join("hostile-layer.tar");
    fs::write(&layer, layer_tar(entries)).unwrap();
    let image = archive::Image {
        tags: vec!["hostile:latest".into()],
        layers: vec![busybox_layer(engine), layer],
        config,
        created: "2026-01-01T00:00:00Z".into(),
    };
    let path = engine.scratch().join("hostile.tar");
    archive::write(&image, &path).unwrap();
    path
}

fn busybox_layer(engine: &Engine) -> PathBuf {
    let busybox = engine.scratch().join("busybox");
    tar::Archive::new(fs::File::open(image_archive("busybox")).unwrap()).unpack(&busybox).unwrap();
    let manifest = fs::read(busybox.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    busybox.join(manifest[0]["Layers"][0].as_str().unwrap())
}

fn layer_tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in entries {
        let (name, kind, link, content) = match *entry {
            Entry::File(name, text) => (name, tar::EntryType::Regular, "", text),
            Entry::Directory(name) => (name, tar::EntryType::Directory, "", ""),
            Entry::Symlink(name, target) => (name, tar::EntryType::Symlink, target, ""),
            Entry::Fifo(name) => (name, tar::EntryType::Fifo, "", ""),
            Entry::CharDevice(name, ..) => (name, tar::EntryType::Char, "", ""),
        };
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        if let Entry::CharDevice(_, major, minor) = *entry {
            header.set_device_major(major).unwrap();
            header.set_device_minor(minor).unwrap();
        }
        header.set_cksum();
        tar.append(&header, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}
