//! What a layer's tar becomes on disk, and that the exact tar comes back.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use proptest::prelude::*;
use tar::EntryType;

use crate::fixture::{Fixture, Tar, digest};

fn rebuilt(fixture: &Fixture, tar: &[u8]) -> Vec<u8> {
    let layer = fixture.store.layer(&digest(tar)).unwrap().expect("layer");
    let mut out = Vec::new();
    fixture.store.write_layer_tar(&layer, &mut out).unwrap();
    out
}

fn unpacked(tar: Vec<u8>) -> (Fixture, std::path::PathBuf) {
    let fixture = Fixture::new();
    fixture.image(std::slice::from_ref(&tar)).unwrap();
    assert!(rebuilt(&fixture, &tar) == tar, "the tar that comes back differs");
    let diff = fixture.layer(&tar);
    (fixture, diff)
}

#[test]
fn files_directories_links_and_devices_are_as_the_tar_says() {
    let tar = Tar::new()
        .directory("./")
        .directory("etc/")
        .with(EntryType::Regular, "etc/su", "", "suid", |header| {
            header.set_mode(0o4755);
            header.set_uid(3_000_000_000);
        })
        .hard_link("etc/su2", "etc/su")
        .symlink("etc/link", "/nowhere/at/all")
        .entry(EntryType::Fifo, "etc/pipe", "", "")
        .with(EntryType::Char, "etc/null", "", "", |header| {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        })
        .build();
    let (_fixture, diff) = unpacked(tar);
    let su = fs::metadata(diff.join("etc/su")).unwrap();
    assert_eq!((su.mode() & 0o7777, su.uid(), su.mtime()), (0o4755, 3_000_000_000, 1_700_000_000));
    assert_eq!(su.ino(), fs::metadata(diff.join("etc/su2")).unwrap().ino());
    assert_eq!(fs::read_link(diff.join("etc/link")).unwrap().to_str(), Some("/nowhere/at/all"));
    assert!(fs::metadata(diff.join("etc/pipe")).unwrap().file_type().is_fifo());
    assert_eq!(fs::metadata(diff.join("etc/null")).unwrap().rdev(), rustix::fs::makedev(1, 3));
    assert_eq!(fs::metadata(diff.join("etc")).unwrap().mtime(), 1_700_000_000);
}

#[test]
fn whiteouts_become_what_overlayfs_reads() {
    let tar = Tar::new()
        .directory("a/")
        .file("a/.wh.gone", "")
        .directory("b/")
        .file("b/.wh..wh..opq", "")
        .build();
    let (_fixture, diff) = unpacked(tar);
    let gone = fs::symlink_metadata(diff.join("a/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let mut value = [0; 8];
    let length =
        rustix::fs::getxattr(diff.join("b"), "trusted.overlay.opaque", &mut value).unwrap();
    assert_eq!(&value[..length], b"y");
}

#[test]
fn pax_gives_long_names_attributes_and_nanoseconds() {
    let long = "d".repeat(200) + "/" + &"f".repeat(200);
    let tar = Tar::new()
        .pax(&[
            ("path", long.as_bytes()),
            ("mtime", b"1700000000.123456789"),
            ("SCHILY.xattr.user.note", b"hi"),
        ])
        .file("short", "content")
        .build();
    let (_fixture, diff) = unpacked(tar);
    let file = diff.join(long);
    assert_eq!(fs::metadata(&file).unwrap().mtime_nsec(), 123_456_789);
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(&file, "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"hi");
}

#[test]
fn gnu_long_names_are_read() {
    let long = "g".repeat(180);
    let tar =
        Tar::new().entry(EntryType::GNULongName, "././@LongLink", "", &long).file("g", "x").build();
    let (_fixture, diff) = unpacked(tar);
    assert_eq!(fs::read_to_string(diff.join(long)).unwrap(), "x");
}

#[test]
fn sparse_files_have_their_holes() {
    let tar = Tar::new()
        .pax(&[("GNU.sparse.size", b"1000000"), ("GNU.sparse.map", b"0,3,500000,3")])
        .file("sparse", "abcdef")
        .build();
    let (_fixture, diff) = unpacked(tar);
    let content = fs::read(diff.join("sparse")).unwrap();
    assert_eq!(
        (content.len(), &content[..4], &content[500_000..500_004]),
        (1_000_000, &b"abc\0"[..], &b"def\0"[..])
    );
}

#[test]
fn a_file_that_is_replaced_later_still_comes_back_in_the_tar() {
    let tar = Tar::new()
        .file("a", "first")
        .file("a", "second, and longer")
        .directory("d/")
        .file("d/x", "inside")
        .file("d", "no longer a directory")
        .file("w", "whited out")
        .file(".wh.w", "")
        .build();
    let (_fixture, diff) = unpacked(tar);
    assert_eq!(fs::read_to_string(diff.join("a")).unwrap(), "second, and longer");
    assert_eq!(fs::read_to_string(diff.join("d")).unwrap(), "no longer a directory");
}

#[test]
fn what_follows_the_end_marker_comes_back_too() {
    let mut tar = Tar::new().file("a", "b").build();
    tar.extend([0; 10_000]);
    unpacked(tar);
}

#[test]
fn damage_on_disk_is_noticed_before_a_tar_is_complete() {
    let tar = Tar::new().file("a", "content").build();
    let (fixture, diff) = unpacked(tar.clone());
    fs::write(diff.join("a"), "CONTENT").unwrap();
    let layer = fixture.store.layer(&digest(&tar)).unwrap().unwrap();
    let error = fixture.store.write_layer_tar(&layer, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("is damaged on disk"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_tar_comes_back_bit_by_bit(
        entries in proptest::collection::vec(("[a-c]{1,2}(/[a-c]{1,2})?", proptest::collection::vec(0u8.., 0..2000), 0u8..4), 0..20),
    ) {
        let mut tar = Tar::new();
        for (path, content, kind) in &entries {
            tar = match kind {
                0 => tar.directory(path),
                1 => tar.symlink(path, "target"),
                _ => tar.file(path, content),
            };
        }
        let tar = tar.build();
        let fixture = Fixture::new();
        // A path below a symbolic link that leads nowhere is refused; all else must survive.
        if fixture.image(std::slice::from_ref(&tar)).is_ok() {
            prop_assert!(rebuilt(&fixture, &tar) == tar);
        } else {
            fixture.assert_empty();
        }
    }
}
