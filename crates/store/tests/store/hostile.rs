//! threats.md, "Images and registries": each line that a store can meet.

use std::fs;

use serde_json::json;
use store::{Kind, Limits, Store};
use tar::EntryType;

use crate::fixture::{Fixture, Tar, archive, archive_of, config, digest, layout};

fn refused(tar: Vec<u8>) -> String {
    let fixture = Fixture::new();
    let error = fixture.image(&[tar]).expect_err("must be refused");
    fixture.assert_empty();
    error.to_string()
}

#[test]
fn cve_2021_32760_paths_that_climb_out_are_refused() {
    for path in ["../escape", "a/../../escape", "/../../etc/x"] {
        let text = refused(Tar::new().file(path, "x").build());
        assert!(text.contains("path outside of the layer"), "{path}: {text}");
    }
}

#[test]
fn cve_2021_32760_absolute_paths_stay_inside() {
    let fixture = Fixture::new();
    let tar = Tar::new().file("/gantry-test-absolute", "x").build();
    fixture.image(std::slice::from_ref(&tar)).unwrap();
    assert!(fixture.layer(&tar).join("gantry-test-absolute").exists());
    assert!(!std::path::Path::new("/gantry-test-absolute").exists());
}

#[test]
fn cve_2021_32760_a_file_through_a_symlink_stays_inside() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let fixture = Fixture::new();
    let tar = Tar::new()
        .symlink("out", target)
        .file("out/planted", "x")
        .symlink("up", "../../../..")
        .build();
    let _ = fixture.image(&[tar]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn cve_2021_21285_a_file_over_a_symlink_replaces_the_link() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let fixture = Fixture::new();
    let tar = Tar::new()
        .symlink("passwd", outside.path().to_str().unwrap())
        .file("passwd", "evil")
        .build();
    fixture.image(std::slice::from_ref(&tar)).unwrap();
    assert_eq!(fs::read_to_string(outside.path()).unwrap(), "");
    assert_eq!(fs::read_to_string(fixture.layer(&tar).join("passwd")).unwrap(), "evil");
}

#[test]
fn cve_2020_14370_a_hard_link_to_the_outside_is_refused() {
    refused(Tar::new().hard_link("shadow", "/etc/shadow").build());
    refused(Tar::new().hard_link("shadow", "../../../../../../etc/shadow").build());
    refused(Tar::new().symlink("e", "/etc").hard_link("shadow", "e/shadow").build());
}

#[test]
fn cve_2025_47290_a_directory_swapped_for_a_link_does_not_redirect_what_follows() {
    let outside = tempfile::tempdir().unwrap();
    let fixture = Fixture::new();
    let tar = Tar::new()
        .directory("d/")
        .file("d/one", "1")
        .symlink("d", outside.path().to_str().unwrap())
        .file("d/two", "2")
        .build();
    let _ = fixture.image(&[tar]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn cve_2022_23648_mode_bits_do_not_reach_a_file_through_a_link() {
    let victim = tempfile::NamedTempFile::new().unwrap();
    let mode = |path| std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap());
    let before = mode(victim.path());
    let tar = Tar::new()
        .with(EntryType::Symlink, "s", victim.path().to_str().unwrap(), "", |h| h.set_mode(0o6777));
    Fixture::new().image(&[tar.build()]).unwrap();
    assert_eq!(mode(victim.path()), before);
}

#[test]
fn whiteouts_that_climb_are_refused() {
    for path in [".wh..", ".wh...", "a/.wh...", ".wh."] {
        refused(Tar::new().file(path, "").build());
    }
}

#[test]
fn pax_sizes_that_lie_are_refused() {
    refused(Tar::new().pax(&[("size", b"99999999999999")]).file("a", "x").build());
    refused(Tar::new().pax(&[("size", b"-1")]).file("a", "x").build());
}

#[test]
fn sparse_maps_that_lie_are_refused() {
    for map in [&b"0,10"[..], b"5,1,0,1", b"0,18446744073709551615", b"0", b"x,y", b"999,1"] {
        refused(
            Tar::new()
                .pax(&[("GNU.sparse.size", b"100"), ("GNU.sparse.map", map)])
                .file("a", "x")
                .build(),
        );
    }
}

#[test]
fn names_of_64_kib_are_refused() {
    let long = "n/".repeat(32 << 10);
    assert!(
        refused(Tar::new().pax(&[("path", long.as_bytes())]).file("a", "x").build())
            .contains("too long")
    );
}

#[test]
fn metadata_without_bound_is_refused() {
    let tar = Tar::new()
        .entry(EntryType::GNULongName, "l", "", vec![b'a'; 2 << 20])
        .file("a", "x")
        .build();
    assert!(refused(tar).contains("too large"));
}

#[test]
fn a_million_entries_are_refused_where_the_limit_is_lower() {
    let root = tempfile::tempdir().unwrap();
    let limits = Limits { entries: 100, ..Limits::default() };
    let store = Store::open_with(root.path(), limits).unwrap();
    let tar = (0..200).fold(Tar::new(), |tar, number| tar.file(&format!("f{number}"), "")).build();
    let error = store.images().load(&mut &archive(&[], &[tar])[..], &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("too many entries"), "{error}");
}

#[test]
fn cve_2017_14992_a_decompression_bomb_ends_at_the_limit() {
    let root = tempfile::tempdir().unwrap();
    let limits = Limits { layer: 1 << 20, ..Limits::default() };
    let store = Store::open_with(root.path(), limits).unwrap();
    let bomb = zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap();
    let archive = archive_of(&[], &config(&[]), &[bomb]);
    let error = store.images().load(&mut &archive[..], &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("larger than the limit"), "{error}");
}

#[test]
fn truncated_and_empty_archives_are_refused() {
    let fixture = Fixture::new();
    let whole = archive(&["a:b"], &[Tar::new().file("f", vec![7; 5000]).build()]);
    for length in [1, 511, 513, 2000, 4000, 6000] {
        let error = fixture.load(&whole[..length]).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().contains("unexpected EOF")),
            (Kind::Invalid, true),
            "{error}"
        );
        fixture.assert_empty();
    }
    let error = fixture.load(b"").unwrap_err();
    assert!(error.to_string().contains("manifest.json: no such file"), "{error}");
    let error = fixture.load(&[b'x'; 4096]).unwrap_err();
    assert!(error.to_string().contains("invalid tar header"), "{error}");
}

#[test]
fn manifests_that_are_not_json_are_refused() {
    let fixture = Fixture::new();
    for manifest in ["", "{", "null", "[null]", "[{}]", "[{\"Config\":7}]", &"[".repeat(100_000)] {
        assert_eq!(
            fixture.load(&Tar::new().file("manifest.json", manifest).build()).unwrap_err().kind(),
            Kind::Invalid
        );
    }
}

#[test]
fn null_layers_are_refused_where_the_config_has_some() {
    let fixture = Fixture::new();
    let manifest = r#"[{"Config":"c","RepoTags":null,"Layers":null}]"#;
    let layer = Tar::new().build();
    let tar = Tar::new().file("c", config(&[layer])).file("manifest.json", manifest).build();
    assert!(fixture.load(&tar).unwrap_err().to_string().contains("length mismatch"));
}

#[test]
fn cve_2026_93318_a_claimed_diff_id_poisons_nothing() {
    let fixture = Fixture::new();
    let (honest, evil) =
        (Tar::new().file("sh", "good").build(), Tar::new().file("sh", "evil").build());
    let claim = archive_of(
        &["evil:1"],
        &config(std::slice::from_ref(&honest)),
        std::slice::from_ref(&evil),
    );
    let error = fixture.load(&claim).unwrap_err();
    assert!(error.to_string().contains("invalid diffID for layer 0"), "{error}");
    assert_eq!(fixture.store.layer(&digest(&honest)).unwrap(), None);
    fixture.assert_empty();
}

#[test]
fn cve_2026_53493_deep_and_cyclic_indexes_are_refused() {
    let fixture = Fixture::new();
    let mut blobs: Vec<Vec<u8>> = vec![br#"{"schemaVersion":2,"manifests":[]}"#.to_vec()];
    for _ in 0..10 {
        let below = digest(blobs.last().unwrap());
        blobs.push(
            json!({ "schemaVersion": 2, "manifests": [{ "digest": below }] })
                .to_string()
                .into_bytes(),
        );
    }
    let index =
        json!({ "schemaVersion": 2, "manifests": [{ "digest": digest(blobs.last().unwrap()) }] });
    let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
    let error = fixture.load(&layout(&index, &blobs)).unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}

#[test]
fn overlay_attributes_of_an_image_are_not_taken() {
    let fixture = Fixture::new();
    let tar = Tar::new()
        .pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/etc")])
        .directory("d/")
        .build();
    fixture.image(std::slice::from_ref(&tar)).unwrap();
    let mut value = [0; 16];
    let path = fixture.layer(&tar).join("d");
    assert!(rustix::fs::getxattr(path, "trusted.overlay.redirect", &mut value).is_err());
}
