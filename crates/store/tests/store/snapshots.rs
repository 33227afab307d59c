//! Writable layers: mounted, compared, exported, committed.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use store::images::Commit;
use store::snapshots::Base;
use store::snapshots::ChangeKind::{Added, Deleted, Modified};
use store::volumes::Volume;
use store::{Kind, Record};

use crate::fixture::{Fixture, Tar, archive};

fn base() -> Vec<u8> {
    Tar::new()
        .directory("etc/")
        .file("etc/keep", "keep")
        .file("etc/edit", "before")
        .file("etc/gone", "gone")
        .directory("old/")
        .file("old/a", "a")
        .directory("same/")
        .build()
}

/// A container that edits, adds, removes, and replaces a directory.
fn changed(fixture: &Fixture) -> store::snapshots::Snapshot<'_> {
    let image = fixture.image(&[base()]).unwrap();
    let snapshot = fixture.container("c1", &image);
    let mount = snapshot.overlay(true).mount().unwrap();
    let root = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
    assert_eq!(fs::read_to_string(root.join("etc/keep")).unwrap(), "keep");
    fs::write(root.join("etc/edit"), "after it").unwrap();
    fs::remove_file(root.join("etc/gone")).unwrap();
    fs::write(root.join("new"), "new").unwrap();
    fs::remove_dir_all(root.join("old")).unwrap();
    fs::create_dir(root.join("old")).unwrap();
    fs::write(root.join("old/b"), "b").unwrap();
    snapshot
}

#[test]
fn changes_are_told_as_docker_diff_tells_them() {
    let fixture = Fixture::new();
    let changes = changed(&fixture).changes().unwrap();
    let found: Vec<_> =
        changes.iter().map(|change| (change.path.to_str().unwrap(), change.kind)).collect();
    assert_eq!(
        found,
        [
            ("/etc", Modified),
            ("/etc/edit", Modified),
            ("/etc/gone", Deleted),
            ("/new", Added),
            ("/old", Modified),
            ("/old/a", Deleted),
            ("/old/b", Added),
        ]
    );
}

#[test]
fn sizes_are_of_what_was_written_and_of_all() {
    let fixture = Fixture::new();
    let sizes = changed(&fixture).sizes().unwrap();
    assert_eq!((sizes.writable, sizes.total), (12, 12 + 15));
}

#[test]
fn a_commit_shows_the_same_files_in_the_next_container() {
    let fixture = Fixture::new();
    let snapshot = changed(&fixture);
    let parent = snapshot.image.clone();
    let commit = Commit {
        container: "c1".into(),
        author: "me".into(),
        message: "done".into(),
        ..Commit::default()
    };
    let id = fixture.store.images().commit(commit).unwrap();
    let image = fixture.store.images().by_id(&id).unwrap();
    assert_eq!((image.parent, image.layers.len(), image.config.history.len()), (parent, 2, 2));
    let next = fixture.container("c2", &id);
    let mut tar = Vec::new();
    next.export(&mut tar).unwrap();
    let mut archive = tar::Archive::new(&tar[..]);
    let names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned());
    let names: Vec<String> = names.map(|path| path.display().to_string()).collect();
    assert_eq!(names, ["etc/", "etc/edit", "etc/keep", "new", "old/", "old/b", "same/"]);
}

#[test]
fn a_container_that_changed_nothing_commits_no_layer() {
    let fixture = Fixture::new();
    let image = fixture.image(&[base()]).unwrap();
    fixture.container("c1", &image);
    let id = fixture
        .store
        .images()
        .commit(Commit { container: "c1".into(), ..Commit::default() })
        .unwrap();
    let image = fixture.store.images().by_id(&id).unwrap();
    assert!(image.layers.len() == 1 && image.config.history[1].empty_layer);
}

#[test]
fn places_to_mount_on_are_neither_changes_nor_committed() {
    let fixture = Fixture::new();
    let image = fixture.image(&[base()]).unwrap();
    let snapshot = fixture.container("c1", &image);
    let upper = snapshot.directory().join("diff");
    for directory in ["dev", "proc", "sys", "etc"] {
        fs::create_dir(upper.join(directory)).unwrap();
    }
    for file in ["etc/hosts", "etc/hostname", "etc/resolv.conf"] {
        fs::write(upper.join(file), "").unwrap();
    }
    let commit = || {
        let commit = Commit { container: "c1".into(), ..Commit::default() };
        let id = fixture.store.images().commit(commit).unwrap();
        fixture.store.images().by_id(&id).unwrap()
    };
    assert_eq!((snapshot.changes().unwrap(), commit().layers.len()), (vec![], 1));
    // What somebody wrote there is a change.
    fs::write(upper.join("etc/hosts"), "127.0.0.1 me").unwrap();
    let changed: Vec<_> = snapshot.changes().unwrap().into_iter().map(|one| one.path).collect();
    assert_eq!(changed, [Path::new("/etc"), Path::new("/etc/hosts")]);
    assert_eq!(commit().layers.len(), 2);
}

#[test]
fn the_mark_of_a_container_is_seen_and_no_change() {
    let fixture = Fixture::new();
    let images = [base(), Tar::new().file(".dockerenv", "own").build()];
    for (id, layers, content) in [("c1", &images[..1], ""), ("c2", &images[..], "own")] {
        let image = fixture.image(layers).unwrap();
        let new = fixture.store.snapshots().make(id, Base::Image(&image)).unwrap();
        new.mark().unwrap();
        let record = Record { id: id.into(), name: id.into(), document: Vec::new() };
        let snapshot = new.keep(&record, &[]).unwrap();
        let mount = snapshot.overlay(true).mount().unwrap();
        let path = format!("/proc/self/fd/{}/.dockerenv", mount.as_raw_fd());
        assert_eq!(fs::read_to_string(path).unwrap(), content);
        assert_eq!(snapshot.changes().unwrap(), []);
        let commit = Commit { container: id.into(), ..Commit::default() };
        let committed = fixture.store.images().commit(commit).unwrap();
        let image = fixture.store.images().by_id(&committed).unwrap();
        assert_eq!(image.layers.len(), layers.len());
    }
}

#[test]
fn three_hundred_layers_make_a_root_and_more_than_500_are_refused() {
    let fixture = Fixture::new();
    let layers = |count: usize| -> Vec<Vec<u8>> {
        (0..count).map(|n| Tar::new().file(&format!("f{n}"), n.to_string()).build()).collect()
    };
    let image = fixture.image(&layers(300)).unwrap();
    let snapshot = fixture.container("c1", &image);
    let mount = snapshot.overlay(true).mount().unwrap();
    let path = |name: &str| format!("/proc/self/fd/{}/{name}", mount.as_raw_fd());
    assert_eq!(
        fs::read_to_string(path("f0")).unwrap() + &fs::read_to_string(path("f299")).unwrap(),
        "0299"
    );
    let image = fixture.load(&archive(&["big:1"], &layers(501))).unwrap().remove(0).id;
    let error = fixture.store.snapshots().make("c2", Base::Image(&image)).err().expect("refused");
    assert!(error.to_string().contains("at most 500"), "{error}");
}

#[test]
fn a_layer_that_is_there_more_than_once_is_as_good_as_its_topmost() {
    let fixture = Fixture::new();
    let layer = |content: &str| Tar::new().directory("d/").file("d/f", content).build();
    let (old, new, empty) = (layer("old"), layer("new"), Tar::new().build());
    let hides = Tar::new().file("d/.wh.f", "").file("kept", "x").build();
    let read = |id: &str, layers: &[Vec<u8>]| {
        let image = fixture.image(layers).unwrap();
        let mount = fixture.container(id, &image).overlay(true).mount().unwrap();
        let root = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        (fs::read_to_string(root.join("d/f")).ok(), root.join("kept").exists())
    };
    let of = [old.clone(), empty.clone(), new.clone(), empty.clone(), old.clone()];
    assert_eq!(read("c1", &of), (Some("old".into()), false));
    let of = [old.clone(), hides.clone(), old, hides.clone(), empty];
    assert_eq!(read("c2", &of), (None, true));
    assert_eq!(read("c3", &[new, hides.clone(), hides]), (None, true));
}

#[test]
fn layers_of_a_container_outlive_its_image() {
    let fixture = Fixture::new();
    let snapshot = changed(&fixture);
    let force = store::images::Removal { force: true, prune: true };
    fixture.store.images().remove("test", force, &[]).unwrap();
    let mount = snapshot.overlay(true).mount().unwrap();
    let path = format!("/proc/self/fd/{}/etc/keep", mount.as_raw_fd());
    assert_eq!(fs::read_to_string(path).unwrap(), "keep");
}

#[test]
fn an_image_without_layers_makes_an_empty_root() {
    let fixture = Fixture::new();
    let image = fixture.image(&[]).unwrap();
    let mount = fixture.container("c1", &image).overlay(true).mount().unwrap();
    let entries = fs::read_dir(format!("/proc/self/fd/{}", mount.as_raw_fd())).unwrap();
    assert_eq!(entries.count(), 0);
}

#[test]
fn removing_is_repeatable_and_ids_are_no_paths() {
    let fixture = Fixture::new();
    drop(changed(&fixture));
    let snapshots = fixture.store.snapshots();
    snapshots.remove("c1", &[]).unwrap();
    snapshots.remove("c1", &[]).unwrap();
    assert_eq!(fixture.store.containers().get("c1").unwrap(), None);
    assert_eq!(snapshots.get("c1").err().map(|error| error.kind()), Some(Kind::NotFound));
    for id in ["", "..", "a/b", "a\0", &"x".repeat(300)] {
        assert_eq!(
            snapshots.make(id, Base::Layers(&[])).err().map(|error| error.kind()),
            Some(Kind::Invalid)
        );
    }
}

#[test]
fn a_container_and_the_volumes_made_for_it_come_and_go_together() {
    let fixture = Fixture::new();
    let image = fixture.image(&[base()]).unwrap();
    let (snapshots, volumes) = (fixture.store.snapshots(), fixture.store.volumes());
    let volume = Volume { name: "v".repeat(64), ..Volume::default() };
    let all = std::slice::from_ref(&volume);
    let record = |id: &str| Record { id: id.into(), name: "box".into(), document: Vec::new() };
    volumes.ensure(&volume.name).unwrap();
    snapshots.make("c1", Base::Image(&image)).unwrap().keep(&record("c1"), all).unwrap();
    assert_eq!(volumes.all().unwrap(), all);
    let taken = snapshots.make("c2", Base::Image(&image)).unwrap().keep(&record("c2"), &[]);
    assert_eq!(taken.err().map(|error| error.kind()), Some(Kind::Conflict));
    assert_eq!(snapshots.all().unwrap(), ["c1"]);
    assert!(!fixture.root.path().join("containers/c2").exists());
    let before = fixture.store.writes();
    snapshots.remove("c1", &[&volume.name]).unwrap();
    assert_eq!(fixture.store.writes() - before, 1);
    assert!(
        volumes.all().unwrap().is_empty() && fixture.store.containers().all().unwrap().is_empty()
    );
    assert!(!volumes.data(&volume.name).exists());
}

#[test]
fn a_container_whose_image_went_meanwhile_is_not_made() {
    let fixture = Fixture::new();
    let image = fixture.image(&[base()]).unwrap();
    let new = fixture.store.snapshots().make("c1", Base::Image(&image)).unwrap();
    let force = store::images::Removal { force: true, prune: true };
    fixture.store.images().remove("test", force, &[]).unwrap();
    let record = Record { id: "c1".into(), name: "c1".into(), document: Vec::new() };
    assert_eq!(new.keep(&record, &[]).err().map(|error| error.kind()), Some(Kind::NotFound));
    assert!(fixture.store.snapshots().all().unwrap().is_empty());
}
