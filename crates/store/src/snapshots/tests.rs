use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

use super::*;

/// A store with an image of two layers, `base` below `top`, and a container `c` over it.
fn container(root: &Path) -> (Store, Snapshot) {
    let store = Store::open(root).unwrap();
    for (number, files) in
        [(1, ["etc/passwd", "gone", "dir/old"]), (2, ["bin/tool", "dir/new", "top"])]
    {
        let diff = store.root.layer(number).join("diff");
        for file in files {
            fs::create_dir_all(diff.join(file).parent().unwrap()).unwrap();
            fs::write(diff.join(file), file).unwrap();
        }
    }
    store
        .write(Durability::ProcessDeath, |db| {
            db.execute_batch(
                "INSERT INTO layers VALUES (1, 'sha256:a', 10, 10), (2, 'sha256:b', 20, 20);
                 INSERT INTO images VALUES ('sha256:i', 'linux/amd64', NULL, NULL);
                 INSERT INTO image_layers VALUES ('sha256:i', 0, 1), ('sha256:i', 1, 2);",
            )?;
            Ok(())
        })
        .unwrap();
    let snapshot = store.create_snapshot("c", "sha256:i").unwrap();
    (store, snapshot)
}

/// Does in a container's root what `work` does, through a mount of its own.
fn inside(snapshot: &Snapshot, work: impl FnOnce(&Path)) {
    let mount = snapshot.overlay(true).unwrap().mount().unwrap();
    work(Path::new(&sys::path::by_descriptor(mount.as_fd())));
}

fn listed(snapshot: &Snapshot) -> Vec<String> {
    let letter = |kind| match kind {
        ChangeKind::Modified => 'C',
        ChangeKind::Added => 'A',
        ChangeKind::Deleted => 'D',
    };
    let changes = snapshot.changes().unwrap();
    changes
        .iter()
        .map(|change| format!("{} {}", letter(change.kind), change.path.display()))
        .collect()
}

#[test]
fn changes_are_told_as_docker_diff_does() {
    let root = tempfile::tempdir().unwrap();
    let (_store, snapshot) = container(root.path());
    assert_eq!(listed(&snapshot), Vec::<String>::new());
    inside(&snapshot, |root| {
        fs::write(root.join("dir/new"), "changed").unwrap();
        fs::remove_file(root.join("gone")).unwrap();
        fs::create_dir(root.join("made")).unwrap();
        fs::write(root.join("made/file"), "").unwrap();
        fs::remove_dir_all(root.join("bin")).unwrap();
    });
    assert_eq!(
        listed(&snapshot),
        ["D /bin", "C /dir", "C /dir/new", "D /gone", "A /made", "A /made/file"]
    );
}

#[test]
fn the_export_is_the_merged_root() {
    let root = tempfile::tempdir().unwrap();
    let (_store, snapshot) = container(root.path());
    inside(&snapshot, |root| {
        fs::remove_file(root.join("gone")).unwrap();
        symlink("/etc/passwd", root.join("link")).unwrap();
        fs::hard_link(root.join("top"), root.join("top2")).unwrap();
        fs::set_permissions(root.join("bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("pipe"),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
    });
    let mut tar = Vec::new();
    snapshot.export(&mut tar).unwrap();
    let out = tempfile::tempdir().unwrap();
    tar::Archive::new(&tar[..]).unpack(out.path()).unwrap();
    let path = |name: &str| out.path().join(name);
    assert_eq!(fs::read_to_string(path("etc/passwd")).unwrap(), "etc/passwd");
    assert!(!path("gone").exists());
    assert_eq!(fs::read_link(path("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::metadata(path("top")).unwrap().ino(), fs::metadata(path("top2")).unwrap().ino());
    let names: Vec<String> = tar::Archive::new(&tar[..])
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    let expected = [
        "bin/",
        "bin/tool",
        "dir/",
        "dir/new",
        "dir/old",
        "etc/",
        "etc/passwd",
        "link",
        "pipe",
        "top",
        "top2",
    ];
    assert_eq!(names, expected);
    let tool = tar::Archive::new(&tar[..])
        .entries()
        .unwrap()
        .nth(1)
        .unwrap()
        .unwrap()
        .header()
        .mode()
        .unwrap();
    assert_eq!(tool, 0o4755);
}

#[test]
fn the_writable_layer_exports_with_whiteouts() {
    let root = tempfile::tempdir().unwrap();
    let (_store, snapshot) = container(root.path());
    inside(&snapshot, |root| {
        fs::remove_file(root.join("etc/passwd")).unwrap();
        fs::remove_dir_all(root.join("dir")).unwrap();
        fs::create_dir(root.join("dir")).unwrap();
    });
    let mut tar = Vec::new();
    snapshot.export_changes(&mut tar).unwrap();
    let names: Vec<String> = tar::Archive::new(&tar[..])
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(names, ["dir/", "dir/.wh..wh..opq", "etc/", "etc/.wh.passwd"]);
}

#[test]
fn a_snapshot_lives_from_create_to_remove() {
    let root = tempfile::tempdir().unwrap();
    let (store, snapshot) = container(root.path());
    assert_eq!(snapshot.image_size(), 30);
    inside(&snapshot, |root| fs::write(root.join("data"), [0; 1000]).unwrap());
    assert_eq!(snapshot.size().unwrap(), 1000);
    assert_eq!(store.snapshots().unwrap(), ["c"]);
    store.remove_snapshot("c").unwrap();
    assert!(!snapshot.directory().exists());
    assert!(store.snapshot("c").is_err());
    store.remove_snapshot("c").unwrap();
}

#[test]
fn an_unknown_image_is_refused_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let error = store.create_snapshot("c", "sha256:none").unwrap_err();
    assert_eq!(error.to_string(), "No such image: sha256:none");
    assert_eq!(store.snapshots().unwrap(), Vec::<String>::new());
    assert!(!root.path().join("containers/c").exists());
}

#[test]
fn a_volatile_layer_can_be_mounted_again() {
    let root = tempfile::tempdir().unwrap();
    let (_store, snapshot) = container(root.path());
    for _ in 0..2 {
        inside(&snapshot, |root| assert!(root.join("top").exists()));
    }
}

/// What a container makes is no way out of its tree, and no way to hang who reads it.
#[test]
fn hostile_trees_are_walked_as_they_are() {
    let root = tempfile::tempdir().unwrap();
    let (_store, snapshot) = container(root.path());
    inside(&snapshot, |root| {
        symlink("/", root.join("out")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let deep = (0..900).fold(root.to_owned(), |path, _| path.join("d"));
        fs::create_dir_all(&deep).unwrap();
    });
    let mut tar = Vec::new();
    snapshot.export(&mut tar).unwrap();
    let names = tar::Archive::new(&tar[..]).entries().unwrap().count();
    assert_eq!(names, 900 + 2 + 9, "the links as links, the socket left out");
    assert!(
        fs::symlink_metadata(snapshot.directory().join("diff/socket"))
            .unwrap()
            .file_type()
            .is_socket()
    );
}
