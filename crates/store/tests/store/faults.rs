//! Death in the middle and disks that are full.

use std::io::Read;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use store::Store;
use store::images::{Filter, LoadEvent};

use crate::fixture::{Fixture, Tar, archive, config, digest};

const CHILD_ROOT: &str = "GANTRY_TEST_LOAD_ROOT";
const CHILD_BYTES: &str = "GANTRY_TEST_LOAD_BYTES";

fn layers() -> Vec<Vec<u8>> {
    let layer = |n: u8| {
        (0..40).fold(Tar::new(), |tar, file| tar.file(&format!("f{n}-{file}"), vec![n; 20_000]))
    };
    (1..=4).map(|n| layer(n).build()).collect()
}

/// Gives so many bytes, then ends the process as a kill would.
struct Deadly<R>(R);

impl<R: Read> Read for Deadly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => std::process::abort(),
            count => Ok(count),
        }
    }
}

/// Not a test of its own: what the killed process does.
#[test]
fn child_that_dies_while_loading() {
    let (Ok(root), Ok(bytes)) = (std::env::var(CHILD_ROOT), std::env::var(CHILD_BYTES)) else {
        return;
    };
    let archive = archive(&["test:latest"], &layers());
    let store = Store::open(root.as_ref()).unwrap();
    let cut = &archive[..bytes.parse::<usize>().unwrap()];
    let _ = store.images().load(&mut Deadly(cut), &mut |_| ());
}

#[test]
fn a_kill_while_loading_leaves_nothing_half_made() {
    let whole = archive(&["test:latest"], &layers());
    for part in 1..8 {
        let root = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults::child_that_dies_while_loading"])
            .env(CHILD_ROOT, root.path())
            .env(CHILD_BYTES, (whole.len() * part / 8).to_string())
            .output()
            .unwrap()
            .status;
        assert!(!status.success(), "the child was to die");
        let fixture = Fixture { store: Store::open(root.path()).unwrap(), root };
        fixture.assert_empty();
        fixture.load(&whole).unwrap();
        assert_eq!(fixture.store.images().resolve("test").unwrap(), digest(&config(&layers())));
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = c"size=2m";
    let flags = rustix::mount::MountFlags::empty();
    if let Err(error) = rustix::mount::mount("tmpfs", directory.path(), "tmpfs", flags, options) {
        testkit::skip("a_full_disk_is_told_and_leaves_nothing", &format!("mount: {error}"));
        return;
    }
    let store = Store::open(directory.path()).unwrap();
    let error =
        store.images().load(&mut &archive(&["a:1"], &layers())[..], &mut |_| ()).unwrap_err();
    let staged = std::fs::read_dir(directory.path().join("staging")).unwrap().count();
    let listed = store.images().list(&Filter::default()).unwrap().len();
    let small = store
        .images()
        .load(&mut &archive(&["a:1"], &[Tar::new().file("f", "x").build()])[..], &mut |_| ());
    drop(store);
    rustix::mount::unmount(directory.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert_eq!((staged, listed), (0, 0));
    assert!(small.is_ok(), "what fits is loaded afterwards");
}

/// What fills a disk can be removed from it.
#[test]
fn a_full_disk_can_be_emptied() {
    const NAME: &str = "a_full_disk_can_be_emptied";
    let directory = tempfile::tempdir().unwrap();
    let flags = rustix::mount::MountFlags::empty();
    if let Err(error) = rustix::mount::mount("tmpfs", directory.path(), "tmpfs", flags, c"size=16m")
    {
        testkit::skip(NAME, &format!("mount: {error}"));
        return;
    }
    let store = Store::open(directory.path()).unwrap();
    let loaded = store
        .images()
        .load(&mut &archive(&["a:1"], &[Tar::new().file("f", "x").build()])[..], &mut |_| ());
    assert!(loaded.is_ok());
    let image = store.images().resolve("a:1").unwrap();
    let record = store::Record { id: "c".into(), name: "c".into(), document: b"{}".into() };
    let new = store.snapshots().make("c", store::snapshots::Base::Image(&image)).unwrap();
    let upper = new.keep(&record, &[]).unwrap().directory().join("diff");
    let mut file = std::fs::File::create(upper.join("all")).unwrap();
    while std::io::Write::write(&mut file, &[1; 4096]).is_ok() {}
    let removed = store.snapshots().remove("c", &[]).map(|()| store.containers().all());
    drop((file, store));
    rustix::mount::unmount(directory.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    let left = removed.expect("it is removed").expect("it is read");
    assert!(left.is_empty());
}

#[test]
fn garbage_collection_spares_what_a_load_still_needs() {
    let fixture = Fixture::new();
    let bytes = archive(&["slow:1"], &layers());
    std::thread::scope(|scope| {
        let load = scope.spawn(|| fixture.store.images().load(&mut Slow(&bytes), &mut |_| ()));
        while !load.is_finished() {
            let other = Tar::new().file("x", "y").build();
            fixture.load(&archive(&["other:1"], &[other])).unwrap();
            fixture.store.images().remove("other:1", Default::default(), &[]).unwrap();
        }
        assert!(load.join().unwrap().is_ok());
    });
    assert_eq!(fixture.store.images().get("slow:1").unwrap().layers.len(), 4);
}

struct Slow<'b>(&'b [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(Duration::from_micros(200));
        let length = buffer.len().min(8192);
        self.0.read(&mut buffer[..length])
    }
}

/// As `save` writes it: each layer under its digest.
fn saved(name: &str) -> Vec<u8> {
    let fixture = Fixture::new();
    fixture.load(&archive(&[name], &layers())).unwrap();
    let mut bytes = Vec::new();
    fixture.store.images().save(&[name.to_owned()], None, &mut bytes).unwrap();
    bytes
}

#[test]
fn two_loads_of_one_image_unpack_it_once() {
    let fixture = Fixture::new();
    let bytes = saved("twice:1");
    let (started, unpacked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let count = |event: LoadEvent| {
        if matches!(event, LoadEvent::Layer { current, total, .. } if current == total) {
            unpacked.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let mut source = Waiting { bytes: &bytes, until: &started };
            fixture.store.images().load(&mut source, &mut |event| count(event))
        });
        let mut source = Telling { bytes: &bytes, start: &started };
        let second = fixture.store.images().load(&mut source, &mut |event| count(event));
        assert_eq!(first.join().unwrap().unwrap(), second.unwrap());
    });
    assert_eq!(unpacked.into_inner(), layers().len());
}

#[test]
fn a_layer_that_is_not_what_its_path_says_spoils_no_other_load() {
    let fixture = Fixture::new();
    let honest = saved("honest:1");
    let claimed = format!("blobs/sha256/{}", digest(&layers()[0]).hex());
    let content = Tar::new().file("x", vec![b'x'; 100_000]).build();
    let lie = Tar::new().file(&claimed, content).build();
    let started = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let liar = scope.spawn(|| {
            let mut source = Waiting { bytes: &lie, until: &started };
            fixture.store.images().load(&mut source, &mut |_| ())
        });
        let mut source = Telling { bytes: &honest, start: &started };
        fixture.store.images().load(&mut source, &mut |_| ()).unwrap();
        assert!(liar.join().unwrap().is_err());
    });
    assert_eq!(fixture.store.images().get("honest:1").unwrap().layers.len(), 4);
}

/// Stops in the middle of a layer until the other load has begun.
struct Waiting<'b> {
    bytes: &'b [u8],
    until: &'b AtomicBool,
}

impl Read for Waiting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(8192);
        let count = self.bytes.read(&mut buffer[..length])?;
        while self.bytes.len() < 64 << 10 && !self.until.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        Ok(count)
    }
}

struct Telling<'b> {
    bytes: &'b [u8],
    start: &'b AtomicBool,
}

impl Read for Telling<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.start.store(true, Ordering::Relaxed);
        self.bytes.read(buffer)
    }
}
