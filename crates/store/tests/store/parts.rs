//! Layers that lie over others.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use oci::Digest;
use store::builds::{CacheRecord, REGULAR, Wanted};
use store::images::Removal;
use store::{Layer, Lease, Store};

use crate::fixture::{Fixture, Tar, config, digest};

const NOTE: &[u8] = b"what it holds";

/// `same` and `own`, and another content of the second.
fn tar(own: &str) -> Vec<u8> {
    Tar::new().directory("d").file("d/own", own.repeat(10)).file("d/same", vec![b's'; 1000]).build()
}

fn whole(store: &Store, lease: &Lease<'_>) -> Layer {
    store.add_noted_layer(&mut &tar("before")[..], NOTE, lease).unwrap()
}

fn over(store: &Store, own: &str, base: &Digest, lease: &Lease<'_>) -> Layer {
    let base = store.base(base, lease).unwrap().expect("it was noted");
    assert_eq!(base.note, NOTE);
    let same = HashSet::from([PathBuf::from("d/same")]);
    store.add_layer_over(&mut &tar(own)[..], &base, &same, lease).unwrap()
}

fn record(name: &str, layer: &Digest) -> CacheRecord {
    CacheRecord {
        key: digest(name.as_bytes()),
        below: Vec::new(),
        layer: Some(layer.clone()),
        kind: REGULAR.into(),
        description: "COPY . /".into(),
        created: Timestamp::from_second(1_700_000_000).unwrap(),
        cost: 10,
        parents: Vec::new(),
        components: b"{}".to_vec(),
    }
}

fn shown(store: &Store, layers: &[Digest]) -> [String; 2] {
    let root = store.snapshots().of_layers(layers).unwrap().mount().unwrap();
    let root = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&root)));
    ["d/own", "d/same"].map(|path| fs::read_to_string(root.join(path)).unwrap())
}

fn directories(root: &Path) -> usize {
    fs::read_dir(root.join("layers")).unwrap().count()
}

#[test]
fn two_directories_are_shown_and_written_as_one() {
    let Fixture { store, root } = Fixture::new();
    let lease = store.lease("test");
    let base = whole(&store, &lease);
    let layer = over(&store, "after", &base.diff_id, &lease);
    assert_eq!((layer.size, layer.over), (1050, Some(base.number)));
    let same = "s".repeat(1000);
    assert_eq!(
        shown(&store, std::slice::from_ref(&layer.diff_id)),
        ["after".repeat(10), same.clone()]
    );
    let mut written = Vec::new();
    store.write_layer_tar(&layer, &mut written).unwrap();
    assert_eq!(written, tar("after"));
    let own = root.path().join(format!("layers/{}/diff/d", layer.number));
    assert!(own.join("own").exists() && !own.join("same").exists());
    // One over the other, and the base above both.
    let of =
        |layers: &[&Layer]| layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>();
    let later = over(&store, "later", &layer.diff_id, &lease);
    assert_eq!(later.over, Some(base.number), "nothing is two deep");
    assert_eq!(shown(&store, &of(&[&base, &layer, &later]))[0], "later".repeat(10));
    assert_eq!(shown(&store, &of(&[&later, &layer]))[0], "after".repeat(10));
    assert_eq!(shown(&store, &of(&[&layer, &base])), ["before".repeat(10), same]);
}

#[test]
fn what_a_layer_lies_over_stays_and_goes_with_it() {
    let Fixture { store, root } = Fixture::new();
    let lease = store.lease("test");
    let base = whole(&store, &lease);
    let layer = over(&store, "after", &base.diff_id, &lease);
    let builds = store.builds();
    builds.put(&record("before", &base.diff_id)).unwrap();
    builds.put(&record("after", &layer.diff_id)).unwrap();
    drop(lease);
    // Each byte once, the note's too.
    let (base_size, own) = (1060 + NOTE.len() as u64, 50);
    assert_eq!(builds.size().unwrap(), base_size + own);
    let before =
        Wanted { ids: vec![digest(b"before").hex().into()], all: true, ..Wanted::default() };
    let pruned = builds.prune(&before).unwrap();
    assert_eq!((pruned.removed.len(), pruned.reclaimed), (1, 0));
    assert_eq!((directories(root.path()), builds.size().unwrap()), (2, base_size + own));
    assert_eq!(builds.all().unwrap()[0].size, base_size + own);
    let id = store.images().put_built(
        &config(&[tar("after")]),
        std::slice::from_ref(&layer.diff_id),
        &[],
    );
    let id = id.unwrap();
    assert_eq!(store.images().by_id(&id).unwrap().size(), 1050);
    assert_eq!(store.images().disk_usage().unwrap(), base_size + own);
    assert_eq!((builds.size().unwrap(), builds.all().unwrap()[0].size), (0, 0));
    builds.prune(&Wanted { all: true, ..Wanted::default() }).unwrap();
    assert_eq!(shown(&store, &[layer.diff_id])[1], "s".repeat(1000));
    store.images().remove(id.as_str(), Removal::default(), &[]).unwrap();
    assert_eq!((directories(root.path()), store.images().disk_usage().unwrap()), (0, 0));
}

#[test]
fn a_loss_of_power_takes_both_or_neither() {
    let root = tempfile::tempdir().unwrap();
    let goes_down = || fs::write(root.path().join("last-boot"), "another").unwrap();
    let make = |store: &Store| {
        let lease = store.lease("test");
        let base = whole(store, &lease);
        let layer = over(store, "after", &base.diff_id, &lease).diff_id;
        store.builds().put(&record("before", &base.diff_id)).unwrap();
        store.builds().put(&record("after", &layer)).unwrap();
        layer
    };
    let store = Store::open(root.path()).unwrap();
    make(&store);
    drop(store);
    goes_down();
    let store = Store::open(root.path()).unwrap();
    assert_eq!((store.builds().all().unwrap().len(), directories(root.path())), (0, 0));
    let layer = make(&store);
    let id = store
        .images()
        .put_built(&config(&[tar("after")]), std::slice::from_ref(&layer), &[])
        .unwrap();
    drop(store);
    goes_down();
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.images().by_id(&id).unwrap().layers.len(), 1);
    assert_eq!(shown(&store, &[layer])[1], "s".repeat(1000));
}

#[test]
fn nothing_lies_over_what_was_not_noted() {
    let fixture = Fixture::new();
    let lease = fixture.store.lease("test");
    let plain = fixture.store.add_unsynced_layer(&mut &tar("plain")[..], &lease).unwrap();
    assert!(fixture.store.base(&plain.diff_id, &lease).unwrap().is_none());
    assert!(fixture.store.base(&digest(b"gone"), &lease).unwrap().is_none());
}

#[test]
fn the_newest_results_of_a_step_are_found_by_its_description() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let lease = store.lease("test");
    let layers = ["a", "b", "c"]
        .map(|own| store.add_unsynced_layer(&mut &tar(own)[..], &lease).unwrap().diff_id);
    for (number, layer) in layers.iter().enumerate() {
        let mut record = record(&number.to_string(), layer);
        record.created = Timestamp::from_second(1_700_000_000 + number as i64).unwrap();
        store.builds().put(&record).unwrap();
    }
    let [_, b, c] = layers;
    assert_eq!(store.builds().made_by("COPY . /", 2).unwrap(), [c, b]);
    assert_eq!(store.builds().made_by("COPY x /", 2).unwrap(), []);
}
