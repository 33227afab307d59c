//! The build cache: what it keeps, for how long, and what of it a crash takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use oci::Digest;
use store::builds::{
    CacheMount, CacheRecord, MountRequest, Policy, REGULAR, Rule, Sharing, Wanted,
};
use store::images::Removal;
use store::{Kind, Lease, Store};

use crate::fixture::{Fixture, Tar, config, digest};

fn tar(name: &str) -> Vec<u8> {
    Tar::new().file(name, vec![b'x'; 1000]).build()
}

/// A layer of a thousand bytes.
fn layer(store: &Store, name: &str, lease: &Lease<'_>) -> Digest {
    store.add_unsynced_layer(&mut &tar(name)[..], lease).unwrap().diff_id
}

fn record(name: &str, below: &[Digest], layer: Option<Digest>) -> CacheRecord {
    CacheRecord {
        key: key(name),
        below: below.to_vec(),
        layer,
        kind: REGULAR.into(),
        description: format!("RUN {name}"),
        created: Timestamp::from_second(1_700_000_000).unwrap(),
        cost: 10,
        parents: vec![key("base")],
        components: b"{}".to_vec(),
    }
}

fn key(name: &str) -> Digest {
    digest(name.as_bytes())
}

/// Records `a` and `b`: the layer of `a`, and of `b` on top of it.
fn two_records(store: &Store) -> [CacheRecord; 2] {
    let lease = store.lease("test");
    let (a, b) = (layer(store, "a", &lease), layer(store, "b", &lease));
    let records = [record("a", &[], Some(a.clone())), record("b", &[a], Some(b))];
    records.iter().for_each(|record| store.builds().put(record).unwrap());
    records
}

fn layers(root: &Path) -> usize {
    fs::read_dir(root.join("layers")).unwrap().count()
}

#[test]
fn what_is_put_is_got_and_counted() {
    let fixture = Fixture::new();
    let [a, b] = two_records(&fixture.store);
    let builds = fixture.store.builds();
    let lease = fixture.store.lease("build");
    assert_eq!(builds.get(&a.key, &lease).unwrap(), Some(a.clone()));
    assert_eq!(builds.get(&b.key, &lease).unwrap(), Some(b.clone()));
    assert_eq!(builds.get(&key("other"), &lease).unwrap(), None);
    builds.get(&a.key, &lease).unwrap();
    let all = builds.all().unwrap();
    let of = |record: &CacheRecord| all.iter().find(|one| one.record == *record).unwrap();
    assert_eq!((of(&a).uses, of(&b).uses), (2, 1));
    assert_eq!((of(&a).size, of(&b).size, of(&a).in_use, of(&a).shared), (1000, 1000, true, false));
    assert!(of(&a).last_used.is_some());
    assert_eq!(builds.size().unwrap(), 2000);
    drop(lease);
    assert!(builds.all().unwrap().iter().all(|one| !one.in_use));
}

#[test]
fn cached_layers_stay_when_images_go_and_each_byte_is_counted_once() {
    let fixture = Fixture::new();
    let [a, _] = two_records(&fixture.store);
    let config = config(&[tar("a")]);
    let name = oci::Reference::parse("built:1").unwrap();
    let layer = a.layer.clone().unwrap();
    let images = fixture.store.images();
    let id = images.put_built(&config, &[layer], &[name]).unwrap();
    let sizes = || (images.disk_usage().unwrap(), fixture.store.builds().size().unwrap());
    assert_eq!(sizes(), (1000, 1000));
    let shared = || fixture.store.builds().all().unwrap().iter().filter(|one| one.shared).count();
    assert_eq!(shared(), 1);
    images.remove("built:1", Removal::default(), &[]).unwrap();
    assert!(images.by_id(&id).is_err());
    assert_eq!((sizes(), shared(), layers(fixture.root.path())), ((0, 2000), 0, 2));
}

#[test]
fn an_image_is_built_twice_and_is_one() {
    let fixture = Fixture::new();
    let [a, b] = two_records(&fixture.store);
    let layers = [a.layer.unwrap(), b.layer.unwrap()];
    let config = config(&[tar("a"), tar("b")]);
    let names = ["built:1", "built:2"].map(|name| oci::Reference::parse(name).unwrap());
    let images = fixture.store.images();
    let id = images.put_built(&config, &layers, &names).unwrap();
    assert_eq!(images.put_built(&config, &layers, &names).unwrap(), id);
    assert_eq!(images.put_built(&config, &layers, &names[..1]).unwrap(), id);
    let image = images.get("built:2").unwrap();
    assert_eq!((image.id.clone(), image.tags.len(), image.layers.len()), (id.clone(), 2, 2));
    // A name that moves leaves the other without.
    let other = crate::fixture::config_with(&[tar("a")], serde_json::json!({ "User": "me" }));
    let other = images.put_built(&other, &layers[..1], &names).unwrap();
    assert_eq!(images.resolve("built:1").unwrap(), other);
    assert!(images.by_id(&id).unwrap().is_dangling());
    let wrong = images.put_built(&config, &layers[..1], &names).unwrap_err();
    assert_eq!(wrong.kind(), Kind::Invalid);
    let missing = crate::fixture::config(&[tar("never")]);
    let missing = images.put_built(&missing, &[digest(&tar("never"))], &[]).unwrap_err();
    assert_eq!(missing.kind(), Kind::Invalid);
}

#[test]
fn a_record_of_a_missing_layer_is_refused() {
    let fixture = Fixture::new();
    let error = fixture.store.builds().put(&record("a", &[], Some(key("x")))).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(fixture.store.builds().all().unwrap().is_empty());
}

#[test]
fn what_a_build_has_got_stays_until_it_ends() {
    let fixture = Fixture::new();
    let [a, b] = two_records(&fixture.store);
    let builds = fixture.store.builds();
    let everything = Wanted { all: true, ..Wanted::default() };
    let lease = fixture.store.lease("build");
    builds.get(&a.key, &lease).unwrap();
    let pruned = builds.prune(&everything).unwrap();
    assert_eq!((pruned.removed, pruned.reclaimed), (vec![b.key], 1000));
    // Replaced by another build, the layers are still there for the one that has got them.
    let other = fixture.store.lease("other");
    let new = layer(&fixture.store, "new", &other);
    builds.put(&record("a", &[], Some(new))).unwrap();
    drop(other);
    assert!(fixture.store.layer(a.layer.as_ref().unwrap()).unwrap().is_some());
    drop(lease);
    assert!(fixture.store.layer(a.layer.as_ref().unwrap()).unwrap().is_none());
    let pruned = builds.prune(&everything).unwrap();
    assert_eq!((pruned.removed.len(), pruned.reclaimed), (1, 1000));
    assert_eq!(layers(fixture.root.path()), 0);
}

#[test]
fn prune_takes_what_its_conditions_name() {
    let fixture = Fixture::new();
    let builds = fixture.store.builds();
    let keys = |wanted: Wanted| {
        let all = builds.all().unwrap();
        let matching = all.iter().filter(|one| wanted.matches(one));
        matching.map(|one| one.record.description.clone()).collect::<Vec<_>>()
    };
    let [a, _] = two_records(&fixture.store);
    let config = config(&[tar("a")]);
    fixture.store.images().put_built(&config, &[a.layer.unwrap()], &[]).unwrap();
    builds.put(&CacheRecord { kind: "internal".into(), ..record("c", &[], None) }).unwrap();
    let some = Wanted::default();
    assert_eq!(keys(some.clone()), ["RUN b"]);
    let all = Wanted { all: true, ..some };
    assert_eq!(keys(all.clone()).len(), 3);
    assert_eq!(keys(Wanted { kinds: vec!["internal".into()], ..all.clone() }), ["RUN c"]);
    assert_eq!(keys(Wanted { ids: vec![key("b").hex()[..12].into()], ..all.clone() }), ["RUN b"]);
    assert_eq!(keys(Wanted { parents: vec![key("base").hex().into()], ..all.clone() }).len(), 3);
    assert_eq!(keys(Wanted { shared: Some(true), ..all.clone() }), ["RUN a"]);
    assert_eq!(keys(Wanted { descriptions: vec!["N b".into()], ..all.clone() }), ["RUN b"]);
    let long_ago = Timestamp::from_second(1_600_000_000).unwrap();
    assert_eq!(keys(Wanted { unused_since: Some(long_ago), ..all.clone() }), [""; 0]);
    let pruned = builds.prune(&Wanted { keep: 1000, ..all.clone() }).unwrap();
    assert_eq!(pruned.reclaimed, 0, "an image has the other thousand");
    assert_eq!(builds.prune(&all).unwrap().reclaimed, 1000);
}

#[test]
fn the_cache_keeps_to_its_limit_by_itself() {
    let fixture = Fixture::new();
    let builds = fixture.store.builds();
    builds.set_policy(Policy::Worth(Some(5000)));
    for number in 0..20 {
        let name = number.to_string();
        let lease = fixture.store.lease("step");
        let layer = layer(&fixture.store, &name, &lease);
        let cost = if number == 0 { 60_000 } else { 1 };
        builds.put(&CacheRecord { cost, ..record(&name, &[], Some(layer)) }).unwrap();
    }
    while builds.size().unwrap() > 5000 {
        builds.touch(&key("none"));
        std::thread::yield_now();
    }
    assert!(builds.find(&key("0")).unwrap().is_some(), "it was costly");
}

#[test]
fn rules_say_what_goes_by_itself() {
    let fixture = Fixture::new();
    let builds = fixture.store.builds();
    for (name, kind) in [("source", "source.local"), ("step", REGULAR)] {
        let lease = fixture.store.lease("step");
        let layer = layer(&fixture.store, name, &lease);
        builds.put(&CacheRecord { kind: kind.into(), ..record(name, &[], Some(layer)) }).unwrap();
    }
    let size = builds.size().unwrap();
    let wanted = Wanted { kinds: vec!["source.local".into()], keep: 1, ..Wanted::default() };
    let old = Some(jiff::SignedDuration::from_hours(1));
    let rules = [(wanted.clone(), old), (wanted, None)];
    let rules = rules.map(|(wanted, unused_for)| Rule { wanted, unused_for });
    builds.set_policy(Policy::Rules(vec![rules[0].clone()]));
    builds.set_policy(Policy::Rules(rules.to_vec()));
    while builds.find(&key("source")).unwrap().is_some() {
        builds.touch(&key("none"));
        std::thread::yield_now();
    }
    assert!(builds.find(&key("step")).unwrap().is_some());
    assert!(builds.size().unwrap() < size);
}

#[test]
fn a_kill_loses_nothing_and_a_loss_of_power_nothing_that_an_image_has() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let [a, b] = two_records(&store);
    let (a_layer, b_layer) = (a.layer.clone().unwrap(), b.layer.clone().unwrap());
    let lease = store.lease("step");
    let snapshot = store.snapshots();
    let id = store::Record { id: "step".into(), name: "step".into(), document: Vec::new() };
    let below = [a_layer.clone(), b_layer.clone()];
    let new = snapshot.make("step", store::snapshots::Base::Layers(&below)).unwrap();
    new.keep(&id, &[]).unwrap();
    drop(lease);
    drop(store);
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.builds().find(&b.key).unwrap(), Some(b.clone()));
    drop(store);
    // The host went down in between.
    let goes_down = || fs::write(root.path().join("last-boot"), "another").unwrap();
    goes_down();
    let store = Store::open(root.path()).unwrap();
    assert_eq!((store.builds().all().unwrap(), layers(root.path())), (vec![], 0));
    assert!(store.snapshots().all().unwrap().is_empty());
    assert_eq!(store.containers().get("step").unwrap(), None);
    two_records(&store);
    let config = config(&[tar("a"), tar("b")]);
    let built = store.images().put_built(&config, &[a_layer, b_layer], &[]).unwrap();
    let lease = store.lease("step");
    let lost = layer(&store, "lost", &lease);
    store.builds().put(&record("lost", &[], Some(lost))).unwrap();
    drop(lease);
    drop(store);
    goes_down();
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.builds().all().unwrap().len(), 2);
    assert_eq!(store.images().by_id(&built).unwrap().layers.len(), 2);
}

#[test]
fn what_was_left_unsynced_is_synced_once_nothing_happens() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    two_records(&store);
    store.rest();
    // Its thread ends what it was asked for.
    drop(store);
    fs::write(root.path().join("last-boot"), "another").unwrap();
    assert_eq!(Store::open(root.path()).unwrap().builds().all().unwrap().len(), 2);
}

fn request(id: &str, sharing: Sharing) -> MountRequest<'_> {
    MountRequest { id, sharing, base: &[], owner: (0, 0), mode: 0o755 }
}

fn mount(store: &Store, id: &str, sharing: Sharing) -> CacheMount {
    store.builds().cache_mount(&request(id, sharing), || ()).unwrap().expect("free")
}

fn place(mount: &CacheMount) -> PathBuf {
    mount.directory().to_owned()
}

#[test]
fn steps_share_a_mount_as_they_ask_for_it() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let (first, second) = (mount(store, "x", Sharing::Shared), mount(store, "x", Sharing::Shared));
    assert_eq!(place(&first), place(&second));
    let private = mount(store, "x", Sharing::Private);
    assert_ne!(place(&first), place(&private));
    assert_ne!(place(&first), place(&mount(store, "y", Sharing::Shared)));
    fs::write(first.directory().join("kept"), "x").unwrap();
    let kept = place(&first);
    drop((first, second, private));
    assert_eq!(place(&mount(store, "x", Sharing::Private)), kept);
    assert!(kept.join("kept").exists());
}

#[test]
fn a_locked_mount_is_one_s_at_a_time_and_who_waits_is_told() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let locked = request("x", Sharing::Locked);
    let told = Arc::new(AtomicUsize::new(0));
    let tell = || {
        let told = Arc::clone(&told);
        move || {
            told.fetch_add(1, Ordering::Relaxed);
        }
    };
    let first = store.builds().cache_mount(&locked, tell()).unwrap().expect("free");
    for _ in 0..2 {
        assert!(store.builds().cache_mount(&locked, tell()).unwrap().is_none());
    }
    assert_eq!(told.load(Ordering::Relaxed), 0);
    let was = place(&first);
    drop(first);
    assert_eq!(told.load(Ordering::Relaxed), 2);
    assert_eq!(place(&mount(store, "x", Sharing::Locked)), was);
}

#[test]
fn a_new_mount_is_as_it_was_asked_for() {
    use std::os::unix::fs::MetadataExt;
    let fixture = Fixture::new();
    let builds = fixture.store.builds();
    let wanted = MountRequest { owner: (7, 8), mode: 0o700, ..request("a", Sharing::Shared) };
    let plain = builds.cache_mount(&wanted, || ()).unwrap().unwrap();
    let stat = fs::metadata(plain.directory()).unwrap();
    assert_eq!((stat.uid(), stat.gid(), stat.mode() & 0o7777), (7, 8, 0o700));
    let lease = fixture.store.lease("test");
    let base = [layer(&fixture.store, "seed", &lease)];
    let filled = MountRequest { base: &base, ..request("a", Sharing::Shared) };
    let filled = builds.cache_mount(&filled, || ()).unwrap().unwrap();
    assert!(filled.directory().join("seed").exists());
    assert_ne!(place(&plain), place(&filled));
}

#[test]
fn cve_2024_9675_a_mount_s_id_leads_nowhere_else() {
    let fixture = Fixture::new();
    let long = "x".repeat(10_000);
    for id in ["../../etc", "/etc", "", ".", "a\0b", &long] {
        let mount = mount(&fixture.store, id, Sharing::Shared);
        let parent = mount.directory().parent().unwrap();
        assert_eq!(parent, fixture.store.data_root().join("build-cache"));
    }
}

#[test]
fn mounts_are_records_that_are_pruned_unless_a_step_has_them() {
    let fixture = Fixture::new();
    let builds = fixture.store.builds();
    let used = mount(&fixture.store, "x", Sharing::Shared);
    let idle = mount(&fixture.store, "y", Sharing::Shared);
    fs::write(idle.directory().join("file"), vec![0; 5000]).unwrap();
    let gone = place(&idle);
    drop(idle);
    let all = builds.all().unwrap();
    assert!(all.iter().all(|one| one.record.kind == "exec.cachemount"));
    assert_eq!(all.iter().map(|one| one.size).collect::<Vec<_>>(), [0, 5000]);
    let pruned = builds.prune(&Wanted::default()).unwrap();
    assert_eq!((pruned.removed.len(), pruned.reclaimed), (1, 5000));
    assert!(used.directory().exists() && !gone.exists());
}

#[test]
fn mounts_outlive_the_engine_and_what_is_half_made_does_not() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let mounted = mount(&store, "x", Sharing::Shared);
    fs::write(mounted.directory().join("file"), "x").unwrap();
    let was = place(&mounted);
    drop(mounted);
    drop(store);
    let half_made = root.path().join("build-cache/77");
    fs::create_dir(&half_made).unwrap();
    let store = Store::open(root.path()).unwrap();
    assert!(!half_made.exists());
    assert_eq!(place(&mount(&store, "x", Sharing::Shared)), was);
    assert!(was.join("file").exists());
}
