//! Loading, saving, naming and removing images.

use oci::Reference;
use serde_json::json;
use store::Kind;
use store::images::{Filter, Import, ManifestKind, Removal, Removed, RemovedName, Use};

use crate::fixture::{Fixture, Tar, archive, archive_of, config, config_with, digest, layout};

fn layer(content: &str) -> Vec<u8> {
    Tar::new().file("file", content).build()
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

#[test]
fn an_image_is_found_by_every_name_it_has() {
    let fixture = Fixture::new();
    let layers = [layer("a"), layer("b")];
    let id = fixture.image(&layers).unwrap();
    assert_eq!(id, digest(&config(&layers)));
    let images = fixture.store.images();
    for name in [
        "test",
        "test:latest",
        "docker.io/library/test",
        id.as_str(),
        id.hex(),
        id.short(),
        &id.as_str()[..12],
    ] {
        assert_eq!(images.resolve(name).unwrap(), id, "{name}");
    }
    assert_eq!(images.resolve("other").unwrap_err().to_string(), "No such image: other:latest");
    assert_eq!(images.resolve("A B").unwrap_err().kind(), Kind::Invalid);
    assert_eq!(images.get("test").unwrap().size(), 2);
}

#[test]
fn compressed_archives_and_layers_are_recognised() {
    use std::io::Write;
    let layers = [layer("a")];
    let plain = archive(&["a:1"], &layers);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&plain).unwrap();
    let inner =
        archive_of(&["a:1"], &config(&layers), &[zstd::encode_all(&layers[0][..], 1).unwrap()]);
    let outer = zstd::encode_all(&plain[..], 1).unwrap();
    for bytes in
        [gzip.finish().unwrap(), bzip2.finish().unwrap(), xz.finish().unwrap(), inner, outer]
    {
        let loaded = Fixture::new().load(&bytes).unwrap();
        assert_eq!(
            (loaded[0].id.clone(), &loaded[0].references),
            (digest(&config(&layers)), &vec![reference("a:1")])
        );
    }
}

#[test]
fn an_oci_layout_is_found_by_index_and_manifest_digest_too() {
    let fixture = Fixture::new();
    let (tar, config) = (layer("a"), config(&[layer("a")]));
    let manifest = json!({ "schemaVersion": 2, "config": { "digest": digest(&config) }, "layers": [{ "digest": digest(&tar) }] });
    let manifest = manifest.to_string().into_bytes();
    let nested = json!({ "schemaVersion": 2, "manifests": [
        { "digest": digest(b"absent"), "platform": { "os": "linux", "architecture": "s390x" } },
        { "digest": digest(&manifest), "platform": { "os": "linux", "architecture": "amd64" } },
    ] });
    let nested = nested.to_string().into_bytes();
    let index = json!({ "schemaVersion": 2, "manifests": [
        { "digest": digest(&nested), "annotations": { "io.containerd.image.name": "example.org/x:1" } },
    ] });
    let platform = oci::Platform::new("linux", "amd64", "");
    let bytes = layout(&index, &[&tar, &config, &manifest, &nested]);
    let images = fixture.store.images();
    let loaded = images.load_platform(&mut &bytes[..], &platform, &mut |_| ()).unwrap();
    assert_eq!(loaded[0].references, [reference("example.org/x:1")]);
    for name in [digest(&nested), digest(&manifest)] {
        assert_eq!(images.resolve(name.as_str()).unwrap(), loaded[0].id);
        assert_eq!(images.resolve(&format!("example.org/x@{name}")).unwrap(), loaded[0].id);
    }
    assert_eq!(fixture.store.blob(&digest(&nested)).unwrap(), nested);
}

#[test]
fn what_is_saved_loads_to_the_same_images() {
    let fixture = Fixture::new();
    let id = fixture.image(&[layer("a"), layer("b")]).unwrap();
    fixture.load(&archive(&["other:2"], &[layer("a")])).unwrap();
    let images = fixture.store.images();
    images.tag("test", &reference("again:3")).unwrap();
    let names: Vec<String> = ["test", "again:3", "other:2"].map(str::to_owned).to_vec();
    let mut saved = Vec::new();
    images.save(&names, None, &mut saved).unwrap();
    let other = Fixture::new();
    let loaded = other.load(&saved).unwrap();
    assert_eq!(loaded.len(), 2);
    assert_eq!(loaded[0].id, id);
    assert_eq!(loaded[0].references, [reference("again:3"), reference("test:latest")]);
    let mut again = Vec::new();
    other.store.images().save(&names, None, &mut again).unwrap();
    assert!(again == saved, "saving what was loaded gives the same archive");
}

#[test]
fn loading_twice_shares_everything() {
    let fixture = Fixture::new();
    fixture.image(&[layer("a"), layer("b")]).unwrap();
    fixture.load(&archive(&["x:1"], &[layer("b"), layer("c")])).unwrap();
    fixture.image(&[layer("a"), layer("b")]).unwrap();
    let count = std::fs::read_dir(fixture.root.path().join("layers")).unwrap().count();
    assert_eq!(count, 3);
}

#[test]
fn two_threads_that_load_one_image_both_succeed() {
    let fixture = Fixture::new();
    let layers: Vec<Vec<u8>> = (0..4).map(|n| layer(&n.to_string().repeat(100_000))).collect();
    let bytes = archive(&["a:1"], &layers);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| fixture.load(&bytes))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap().unwrap()[0].id, digest(&config(&layers)));
        }
    });
    assert_eq!(std::fs::read_dir(fixture.root.path().join("layers")).unwrap().count(), 4);
    assert_eq!(std::fs::read_dir(fixture.root.path().join("staging")).unwrap().count(), 0);
}

fn told(removed: &[Removed]) -> Vec<String> {
    let one = |removed: &Removed| match removed {
        Removed::Name(RemovedName { name, .. }) => format!("name {name}"),
        Removed::Image(id) => format!("image {id}"),
        Removed::Layer(id) => format!("layer {id}"),
    };
    removed.iter().map(one).collect()
}

#[test]
fn removing_the_last_name_removes_image_and_layers() {
    let fixture = Fixture::new();
    let id = fixture.image(&[layer("a")]).unwrap();
    let images = fixture.store.images();
    images.tag("test", &reference("second:1")).unwrap();
    let removal = Removal { force: false, prune: true };
    let removed = images.remove("test", removal, &[]).unwrap();
    assert_eq!(told(&removed), ["name test:latest".to_owned()]);
    let removed = images.remove("second:1", removal, &[]).unwrap();
    let chain = digest(&layer("a"));
    assert_eq!(
        told(&removed),
        ["name second:1".to_owned(), format!("image {id}"), format!("layer {chain}")]
    );
    let Fixture { store, root } = fixture;
    drop(store);
    Fixture { store: store::Store::open(root.path()).unwrap(), root }.assert_empty();
}

#[test]
fn containers_and_other_names_stand_in_the_way_as_in_docker() {
    let fixture = Fixture::new();
    let id = fixture.image(&[layer("a")]).unwrap();
    let images = fixture.store.images();
    let user = |running| Use { container: "0123456789abcdef".into(), image: id.clone(), running };
    let error = |name: &str, force, running: Option<bool>| {
        let uses: Vec<Use> = running.map(user).into_iter().collect();
        images.remove(name, Removal { force, prune: true }, &uses).unwrap_err().to_string()
    };
    let short = id.short();
    assert_eq!(
        error("test", false, Some(false)),
        format!(
            r#"conflict: unable to remove repository reference "test" (must force) - container 0123456789ab is using its referenced image {short}"#
        )
    );
    assert_eq!(
        error(short, false, Some(false)),
        format!(
            "conflict: unable to delete {short} (must be forced) - image is being used by stopped container 0123456789ab"
        )
    );
    assert_eq!(
        error(short, true, Some(true)),
        format!(
            "conflict: unable to delete {short} (cannot be forced) - image is being used by running container 0123456789ab"
        )
    );
    images.tag("test", &reference("elsewhere/x")).unwrap();
    assert_eq!(
        error(short, false, None),
        format!(
            "conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
        )
    );
    assert_eq!(images.remove(short, Removal { force: true, prune: true }, &[]).unwrap().len(), 4);
}

#[test]
fn filters_choose_by_label_name_and_age() {
    let fixture = Fixture::new();
    let tar = [layer("a")];
    let labelled = config_with(&tar, json!({ "Labels": { "tier": "web" } }));
    fixture.load(&archive_of(&["a/b:1", "c:2"], &labelled, &tar)).unwrap();
    fixture.load(&archive(&[], &tar)).unwrap();
    let count = |filter: Filter| fixture.store.images().list(&filter).unwrap().len();
    assert_eq!(count(Filter::default()), 2);
    assert_eq!(count(Filter { dangling: Some(true), ..Filter::default() }), 1);
    assert_eq!(count(Filter { labels: vec!["tier=web".into()], ..Filter::default() }), 1);
    assert_eq!(count(Filter { labels: vec!["tier=db".into()], ..Filter::default() }), 0);
    assert_eq!(count(Filter { without_labels: vec!["tier".into()], ..Filter::default() }), 1);
    let named = Filter { references: vec!["a/*".into()], ..Filter::default() };
    assert_eq!(fixture.store.images().list(&named).unwrap()[0].tags, [reference("a/b:1")]);
}

#[test]
fn prune_takes_what_is_dangling_and_with_all_what_is_unused() {
    let fixture = Fixture::new();
    let used = fixture.image(&[layer("a")]).unwrap();
    fixture.load(&archive(&["unused:1"], &[layer("bb")])).unwrap();
    fixture.load(&archive(&[], &[layer("ccc")])).unwrap();
    let images = fixture.store.images();
    let uses = [Use { container: "c".into(), image: used.clone(), running: false }];
    assert_eq!(images.prune(false, &Filter::default(), &uses).unwrap().reclaimed, 3);
    assert_eq!(images.prune(true, &Filter::default(), &uses).unwrap().reclaimed, 2);
    assert_eq!(images.list(&Filter::default()).unwrap()[0].id, used);
}

#[test]
fn import_makes_an_image_of_one_layer() {
    let fixture = Fixture::new();
    let import = Import {
        message: "hello".into(),
        reference: Some(reference("rootfs")),
        ..Import::default()
    };
    let id = fixture.store.images().import(&mut &layer("a")[..], import, &mut |_| ()).unwrap();
    let image = fixture.store.images().get("rootfs:latest").unwrap();
    assert_eq!(image.id, id);
    assert_eq!((image.config.comment.as_str(), image.layers.len()), ("hello", 1));
    let history = fixture.store.images().history(&id).unwrap();
    assert_eq!((history.len(), history[0].size, history[0].comment.as_str()), (1, 1, "hello"));
}

#[test]
fn an_index_has_an_image_for_each_platform() {
    let fixture = Fixture::new();
    let tar = layer("a");
    let made = ["amd64", "s390x"].map(|architecture| {
        let config = String::from_utf8(config(std::slice::from_ref(&tar))).unwrap();
        let config = config.replace("amd64", architecture).into_bytes();
        let manifest = json!({ "schemaVersion": 2, "config": { "digest": digest(&config) }, "layers": [{ "digest": digest(&tar) }] });
        (architecture, config, manifest.to_string().into_bytes())
    });
    let entries = made.iter().map(|(architecture, _, manifest)| {
        json!({ "digest": digest(manifest), "platform": { "os": "linux", "architecture": architecture } })
    });
    let statement = json!({ "digest": digest(b"absent"), "annotations": {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest(&made[0].2),
    } });
    let entries: Vec<_> = entries.chain([statement]).collect();
    let nested = json!({ "schemaVersion": 2, "manifests": entries });
    let nested = nested.to_string().into_bytes();
    let index = json!({ "schemaVersion": 2, "manifests": [
        { "digest": digest(&nested), "annotations": { "io.containerd.image.name": "example.org/x:1" } },
    ] });
    let [(_, amd, amd_manifest), (_, ibm, ibm_manifest)] = &made;
    let bytes = layout(&index, &[&tar, amd, amd_manifest, ibm, ibm_manifest, &nested]);
    let images = fixture.store.images();
    for (count, (architecture, config, _)) in (1..).zip(&made) {
        let platform = oci::Platform::new("linux", architecture, "");
        images.load_platform(&mut &bytes[..], &platform, &mut |_| ()).unwrap();
        let found = images.resolve_for("example.org/x:1", Some(&platform)).unwrap();
        assert_eq!(found, digest(config));
        let mut saved = Vec::new();
        images.save(&["example.org/x:1".to_owned()], Some(&platform), &mut saved).unwrap();
        assert_eq!(Fixture::new().load(&saved).unwrap()[0].id, found);
        let target = images.target(&images.by_id(&found).unwrap()).unwrap().unwrap();
        assert_eq!(target.descriptor.digest, digest(&nested));
        let [first, second, statement] = &target.manifests[..] else { panic!("{target:?}") };
        let is_here = |entry: &&store::images::ManifestEntry| match &entry.kind {
            ManifestKind::Image { image, .. } => {
                image.is_some() == (entry.documents > 0) && image.is_some()
            }
            _ => false,
        };
        assert_eq!([first, second].into_iter().filter(is_here).count(), count);
        let of = digest(&made[0].2).to_string();
        assert!(matches!(&statement.kind, ManifestKind::Attestation { of: it } if *it == of));
    }
    let arm = oci::Platform::new("linux", "arm64", "");
    let said = images.resolve_for("example.org/x:1", Some(&arm)).unwrap_err().to_string();
    assert!(said.ends_with("does not provide the specified platform (linux/arm64)"), "{said}");
}

#[test]
fn the_older_of_two_images_with_one_name_loses_it() {
    let fixture = Fixture::new();
    let old = fixture.image(&[layer("a")]).unwrap();
    let mut renamed = None;
    let bytes = archive(&["test:latest"], &[layer("b")]);
    let mut watch = |event| {
        if let store::images::LoadEvent::Renamed { old, .. } = event {
            renamed = Some(old);
        }
    };
    fixture.store.images().load(&mut &bytes[..], &mut watch).unwrap();
    assert_eq!(renamed.as_ref(), Some(&old));
    assert!(fixture.store.images().by_id(&old).unwrap().is_dangling());
}

#[test]
fn no_name_outlives_an_image_that_is_named_while_it_is_removed() {
    let fixture = Fixture::new();
    let bytes = archive(&["test:latest"], &[layer("a")]);
    let id = fixture.load(&bytes).unwrap().remove(0).id;
    let images = fixture.store.images();
    let second = oci::Reference::parse("test:second").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..60).for_each(|_| drop(fixture.load(&bytes).unwrap())));
            // Refused while there is no image.
            scope.spawn(|| (0..200).for_each(|_| drop(images.tag("test:latest", &second))));
            scope.spawn(|| {
                let removal = Removal { force: true, prune: true };
                (0..200).for_each(|_| drop(images.remove(id.as_str(), removal, &[])));
                (0..200).for_each(|_| drop(images.remove("test:latest", removal, &[])));
            });
        }
    });
    let database = rusqlite::Connection::open(fixture.root.path().join("gantry.db")).unwrap();
    let lost = "SELECT count(*) FROM refs WHERE root NOT IN (SELECT root FROM roots)";
    let lost: u32 = database.query_row(lost, [], |row| row.get(0)).unwrap();
    assert_eq!(lost, 0);
}
