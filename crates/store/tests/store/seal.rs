//! A writable layer becomes a layer where it lies, and is what a commit of it would be.

use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use oci::Digest;
use proptest::prelude::*;
use rustix::fs::{FileType, Mode, XattrFlags};
use store::images::{Commit, Removal};
use store::snapshots::Base;
use store::{Layer, Record};

use crate::fixture::{Fixture, Tar};

fn base() -> Vec<u8> {
    Tar::new()
        .directory("etc/")
        .file("etc/keep", "keep")
        .file("etc/edit", "before")
        .directory("old/")
        .file("old/a", "a")
        .directory("old/deep/")
        .file("old/deep/b", "b")
        .symlink("link", "etc")
        .build()
}

/// One thing that a step does, at one of a few places.
#[derive(Clone, Debug)]
enum Act {
    Write(usize, usize),
    Sparse(usize),
    Directory(usize),
    Remove(usize),
    Link(usize, usize),
    Symlink(usize),
    Rename(usize, usize),
    Mode(usize, u32),
    Owner(usize, u32),
    Attribute(usize),
    Capability(usize),
    Acl(usize),
    Node(usize),
    Socket(usize),
}

const PLACES: [&str; 12] = [
    "etc",
    "etc/keep",
    "etc/edit",
    "etc/hosts",
    "etc/.wh.keep",
    "old",
    "old/a",
    "old/deep",
    "old/deep/b",
    "new",
    "new/x",
    "a-name-that-is-longer-than-the-hundred-characters-that-the-header-of-a-tar-has-room-for-in-its-first-field-ä",
];

fn act() -> impl Strategy<Value = Act> {
    let place = || 0..PLACES.len();
    prop_oneof![
        (place(), 0usize..200_000).prop_map(|(at, size)| Act::Write(at, size)),
        place().prop_map(Act::Sparse),
        place().prop_map(Act::Directory),
        place().prop_map(Act::Remove),
        (place(), place()).prop_map(|(a, b)| Act::Link(a, b)),
        place().prop_map(Act::Symlink),
        (place(), place()).prop_map(|(a, b)| Act::Rename(a, b)),
        (place(), 0u32..0o10000).prop_map(|(at, mode)| Act::Mode(at, mode)),
        (place(), 0u32..70_000).prop_map(|(at, owner)| Act::Owner(at, owner)),
        place().prop_map(Act::Attribute),
        place().prop_map(Act::Capability),
        place().prop_map(Act::Acl),
        place().prop_map(Act::Node),
        place().prop_map(Act::Socket),
    ]
}

/// What cannot be done at this place, now, is not done.
fn perform(root: &Path, act: &Act) {
    let at = |place: &usize| root.join(PLACES[*place]);
    let attribute = |place: &usize, name: &str, value: &[u8]| {
        let _ = rustix::fs::lsetxattr(at(place), name, value, XattrFlags::empty());
    };
    match act {
        Act::Write(place, size) => {
            let _ = create(&at(place)).and_then(|mut file| file.write_all(&vec![b'x'; *size]));
        }
        Act::Sparse(place) => {
            let _ = create(&at(place)).and_then(|file| file.set_len(1 << 20));
        }
        Act::Directory(place) => drop(fs::create_dir(at(place))),
        Act::Remove(place) => {
            let _ = fs::remove_file(at(place)).or_else(|_| fs::remove_dir_all(at(place)));
        }
        Act::Link(from, to) => drop(fs::hard_link(at(from), at(to))),
        // Nothing here follows one, and it leads nowhere.
        Act::Symlink(place) => drop(symlink("nowhere/at/all", at(place))),
        Act::Rename(from, to) => drop(fs::rename(at(from), at(to))),
        Act::Mode(place, mode) if !at(place).is_symlink() => {
            let _ = fs::set_permissions(at(place), fs::Permissions::from_mode(*mode));
        }
        Act::Mode(..) => {}
        Act::Owner(place, owner) => drop(lchown(at(place), Some(*owner), Some(owner / 2))),
        Act::Attribute(place) => attribute(place, "user.note", b"text"),
        Act::Capability(place) => {
            let value = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            attribute(place, "security.capability", &value);
        }
        Act::Acl(place) => {
            attribute(place, "system.posix_acl_access", &acl());
            attribute(place, "trusted.note", b"text");
        }
        Act::Node(place) => {
            let fifo = FileType::Fifo;
            let _ = rustix::fs::mknodat(rustix::fs::CWD, at(place), fifo, Mode::RWXU, 0);
        }
        Act::Socket(place) => drop(UnixListener::bind(at(place))),
    }
}

/// Nobody reads a FIFO that may be there, and a link is not followed.
fn create(path: &Path) -> io::Result<fs::File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = flags.bits().cast_signed();
    fs::File::options().write(true).create(true).truncate(true).custom_flags(flags).open(path)
}

/// user::rwx, user:7:r--, group::r-x, mask::r-x, other::r--
fn acl() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, u32::MAX), (2, 4, 7), (4, 5, u32::MAX), (16, 5, u32::MAX), (32, 4, u32::MAX)];
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// All there is to know of a tree, with the first name of each inode.
fn listing(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut first = std::collections::HashMap::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        let whole = root.join(&path);
        let stat = fs::symlink_metadata(&whole).unwrap();
        let whiteout = stat.mode() & 0o170_000 == 0o020_000 && stat.rdev() == 0;
        let content = match stat.file_type() {
            kind if kind.is_file() => {
                let bytes = fs::read(&whole).unwrap();
                format!("{} {}", bytes.len(), crate::fixture::digest(&bytes))
            }
            kind if kind.is_symlink() => fs::read_link(&whole).unwrap().display().to_string(),
            _ => String::new(),
        };
        if stat.is_dir() {
            let below = fs::read_dir(&whole).unwrap();
            pending.extend(below.map(|entry| path.join(entry.unwrap().file_name())));
            // So that the first name of an inode is the same one in every listing.
            pending.sort_by(|a, b| b.cmp(a));
        }
        let name = path.display().to_string();
        if whiteout {
            lines.push(format!("{name} whiteout"));
            continue;
        }
        let link = first.entry(stat.ino()).or_insert_with(|| name.clone()).clone();
        // Overlayfs copies the root's time nowhere, and nobody sees it.
        let time = if name.is_empty() { (0, 0) } else { (stat.mtime(), stat.mtime_nsec()) };
        let owner = (stat.uid(), stat.gid());
        let (mode, device) = (stat.mode(), stat.rdev());
        let attributes = attributes(&whole);
        lines.push(format!(
            "{name} {mode:o} {owner:?} {device} {time:?} ={link} {content} {attributes:?}"
        ));
    }
    lines.sort();
    lines
}

fn attributes(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names = vec![0; 4096];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let mut value = vec![0; 4096];
            let key = CString::new(name).unwrap();
            let length = rustix::fs::lgetxattr(path, &key, &mut value[..]).unwrap();
            (String::from_utf8_lossy(name).into_owned(), value[..length].to_vec())
        })
        .collect();
    all.sort();
    all
}

fn directory(fixture: &Fixture, layer: &Layer) -> PathBuf {
    fixture.root.path().join("layers").join(layer.number.to_string()).join("diff")
}

/// What a commit of the container makes, and what sealing it makes: diff ID and files.
fn both_ways(fixture: &Fixture, acts: &[Act]) -> [Option<(Digest, Vec<String>)>; 2] {
    let image = fixture.image(&[base()]).unwrap();
    let snapshot = fixture.container("c1", &image);
    let mount = snapshot.overlay(true).mount().unwrap();
    let root = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
    acts.iter().for_each(|act| perform(&root, act));
    drop(mount);
    let commit = Commit { container: "c1".into(), ..Commit::default() };
    let committed = fixture.store.images().commit(commit).unwrap();
    let layers = fixture.store.images().by_id(&committed).unwrap().layers;
    let by_commit =
        layers.get(1).map(|layer| (layer.diff_id.clone(), listing(&directory(fixture, layer))));
    let removal = Removal { force: true, prune: false };
    fixture.store.images().remove(&committed.to_string(), removal, &[]).unwrap();
    let lease = fixture.store.lease("test");
    let sealed = fixture.store.seal("c1", &[], &lease).unwrap();
    let by_seal = sealed.map(|layer| {
        // Hashed again while it is written, out of the files as they are.
        let mut tar = Vec::new();
        fixture.store.write_layer_tar(&layer, &mut tar).unwrap();
        assert_eq!(layer.tar_size, tar.len() as u64);
        (layer.diff_id.clone(), listing(&directory(fixture, &layer)))
    });
    [by_commit, by_seal]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_sealed_layer_is_what_a_commit_gives(acts in proptest::collection::vec(act(), 0..25)) {
        let fixture = Fixture::new();
        let [committed, sealed] = both_ways(&fixture, &acts);
        prop_assert_eq!(committed, sealed);
    }
}

#[test]
fn what_no_tar_says_is_in_no_sealed_layer() {
    let fixture = Fixture::new();
    let acts =
        [Act::Directory(9), Act::Socket(10), Act::Acl(1), Act::Write(4, 3), Act::Mode(0, 0o700)];
    let [committed, sealed] = both_ways(&fixture, &acts);
    let (_, files) = sealed.clone().unwrap();
    assert_eq!(committed, sealed);
    let names: Vec<&str> = files.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["", "etc", "etc/keep", "new"]);
    assert!(
        !files.iter().any(|line| line.contains("trusted") || line.contains("acl")),
        "{files:?}"
    );
}

fn seal(fixture: &Fixture, act: impl FnOnce(&Path), places: &[&str]) -> Option<Vec<String>> {
    let image = fixture.image(&[base()]).unwrap();
    let snapshot = fixture.container("c1", &image);
    let mount = snapshot.overlay(true).mount().unwrap();
    act(&PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd())));
    drop(mount);
    let lease = fixture.store.lease("test");
    let places: Vec<PathBuf> = places.iter().map(PathBuf::from).collect();
    let layer = fixture.store.seal("c1", &places, &lease).unwrap();
    layer.map(|layer| {
        let lines = listing(&directory(fixture, &layer)).into_iter().skip(1);
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    })
}

#[test]
fn a_container_that_changed_nothing_makes_no_layer() {
    assert_eq!(seal(&Fixture::new(), |_| (), &[]), None);
    let of_the_root = |root: &Path| {
        fs::set_permissions(root, fs::Permissions::from_mode(0o700)).unwrap();
    };
    assert_eq!(seal(&Fixture::new(), of_the_root, &[]), None);
}

#[test]
fn what_was_made_to_be_mounted_on_is_in_no_layer() {
    let stubs = |root: &Path| {
        for directory in ["proc", "made/for/it", "etc/run", "old/deep/cache"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::write(root.join("etc/resolv.conf"), "").unwrap();
        fs::write(root.join("etc/secret"), "").unwrap();
    };
    let places = ["/made/for/it", "/link/run", "/etc/secret", "/old/deep/cache", "/gone/now"];
    assert_eq!(seal(&Fixture::new(), stubs, &places), None);
    let and_more = |root: &Path| {
        stubs(root);
        fs::write(root.join("made/own"), "x").unwrap();
        fs::write(root.join("old/deep/cache/written"), "x").unwrap();
    };
    let left = ["made", "made/own", "old", "old/deep", "old/deep/cache", "old/deep/cache/written"];
    assert_eq!(seal(&Fixture::new(), and_more, &places).unwrap(), left);
}

#[test]
fn cve_2024_23652_what_was_mounted_on_is_looked_for_in_the_root_alone() {
    let host = tempfile::tempdir().unwrap();
    fs::create_dir(host.path().join("victim")).unwrap();
    // The step moved what was above its mount away, and put a link in its place.
    let swapped = |root: &Path| {
        symlink(host.path(), root.join("a")).unwrap();
        symlink("../../../../../../../../../../..", root.join("up")).unwrap();
    };
    let up = format!("/up{}/victim", host.path().display());
    let places = ["/a/victim", up.as_str(), "/a/../../../../etc/keep", "/../../.."];
    assert_eq!(seal(&Fixture::new(), swapped, &places).unwrap(), ["a", "up"]);
    assert!(host.path().join("victim").is_dir());
}

#[test]
fn a_layer_of_layers_is_shown_by_the_next_container() {
    let fixture = Fixture::new();
    let lease = fixture.store.lease("test");
    let mut layers = Vec::new();
    for step in 0..3 {
        let id = format!("step{step}");
        let record = Record { id: id.clone(), name: id.clone(), document: Vec::new() };
        let new = fixture.store.snapshots().make(&id, Base::Layers(&layers)).unwrap();
        let mount = new.keep(&record, &[]).unwrap().overlay(true).mount().unwrap();
        fs::write(format!("/proc/self/fd/{}/f{step}", mount.as_raw_fd()), "x").unwrap();
        drop(mount);
        layers.push(fixture.store.seal(&id, &[], &lease).unwrap().unwrap().diff_id);
        fixture.store.snapshots().remove(&id, &[]).unwrap();
    }
    let mount = fixture.store.snapshots().of_layers(&layers).unwrap().mount().unwrap();
    let names = fs::read_dir(format!("/proc/self/fd/{}", mount.as_raw_fd())).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["f0", "f1", "f2"]);
    let empty = fixture.store.snapshots().of_layers(&[]).unwrap().mount().unwrap();
    let path = format!("/proc/self/fd/{}", empty.as_raw_fd());
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    assert!(names.iter().all(|name| name.as_bytes().starts_with(b"f")));
    // Nothing refers to them but the lease.
    drop(lease);
    assert_eq!(fs::read_dir(fixture.root.path().join("layers")).unwrap().count(), 0);
}

#[test]
fn a_layer_that_two_steps_made_is_one() {
    let fixture = Fixture::new();
    let lease = fixture.store.lease("test");
    let sealed = ["a", "b"].map(|id| {
        let record = Record { id: id.into(), name: id.into(), document: Vec::new() };
        let new = fixture.store.snapshots().make(id, Base::Layers(&[])).unwrap();
        let upper = new.keep(&record, &[]).unwrap().directory().join("diff/file");
        fs::write(&upper, "same").unwrap();
        let time = std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        fs::File::options().write(true).open(&upper).unwrap().set_times(time).unwrap();
        fixture.store.seal(id, &[], &lease).unwrap().unwrap()
    });
    assert_eq!(sealed[0], sealed[1]);
    assert_eq!(fs::read_dir(fixture.root.path().join("layers")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(fixture.root.path().join("staging")).unwrap().count(), 0);
}
