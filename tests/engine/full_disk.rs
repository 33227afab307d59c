//! A data root that is full, or cannot be written: a clear error, the engine goes on, and so does what runs.

use std::fs;
use std::path::PathBuf;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use testkit::engine::Engine;

/// A small file system with an engine's data root in it.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn new() -> Self {
        let dir = tempfile::TempDir::with_prefix("gantry-test-disk-").unwrap();
        mount("gantry-test", dir.path(), "tmpfs", MountFlags::empty(), c"size=24m").unwrap();
        Self { dir }
    }

    fn data_root(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn filler(&self) -> PathBuf {
        self.dir.path().join("filler")
    }

    /// Until not one byte fits any more.
    fn fill(&self) {
        let piece = vec![1; 64 * 1024];
        let mut file = fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        while std::io::Write::write_all(&mut file, &piece).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What holds it open has ended with the engine, which is dropped first.
        let _ = unmount(self.dir.path(), UnmountFlags::DETACH);
    }
}

/// The engine is the second, so that it is dropped first.
fn engine() -> (SmallDisk, Engine) {
    let disk = SmallDisk::new();
    let engine = Engine::start_with(&["--data-root", &disk.data_root()]);
    engine.load("busybox");
    (disk, engine)
}

fn log_lines(engine: &Engine, container: &str) -> usize {
    engine.gantry(&["logs", container]).ok().lines().count()
}

#[test]
fn a_full_disk_is_said_and_the_engine_goes_on() {
    let (disk, mut engine) = engine();
    let script = "i=0; while :; do echo $i; i=$((i+1)); usleep 2000; done";
    engine.gantry(&["run", "-d", "--name", "talker", "busybox", "sh", "-c", script]).ok();
    engine.gantry(&["create", "--name", "waiting", "busybox", "sleep", "300"]).ok();
    engine.wait_until("it talks", |engine| log_lines(engine, "talker") > 10);
    let write = "head -c 2000000 /dev/urandom > /large";
    engine.gantry(&["exec", "talker", "sh", "-c", write]).ok();
    disk.fill();

    let created = engine.gantry(&["create", "--name", "late", "busybox", "true"]).fails(1);
    assert!(created.contains("No space left") || created.contains("full"), "{created}");
    let loaded = engine
        .gantry(&["load", "-i", &testkit::engine::image_archive("hello-world").to_string_lossy()])
        .fails(1);
    assert!(loaded.contains("No space left") || loaded.contains("full"), "{loaded}");
    let committed = engine.gantry(&["commit", "talker"]).fails(1);
    assert!(committed.contains("No space left"), "{committed}");
    // It may be started or not; whoever asks is told.
    let started = engine.gantry(&["start", "waiting"]);
    if started.code != 0 {
        assert!(started.stderr.contains("No space left") || started.stderr.contains("full"));
    }
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.State.Running}}", "talker"]).ok(), "true");
    assert_eq!(engine.gantry(&["exec", "talker", "echo", "here"]).ok(), "here");

    disk.free();
    let before = log_lines(&engine, "talker");
    engine.wait_until("its log goes on", |engine| log_lines(engine, "talker") > before + 10);
    engine.gantry(&["run", "--rm", "busybox", "true"]).ok();
    assert_eq!(engine.gantry(&["ps", "-a", "--filter", "name=late", "-q"]).ok(), "");
}

/// What fills a disk is taken away with the engine, also by one that starts on it.
#[test]
fn a_full_disk_is_emptied_by_what_removes() {
    let (disk, mut engine) = engine();
    engine.load("hello-world");
    for (name, program) in [("running", "sleep"), ("ended", "true"), ("later", "true")] {
        engine.gantry(&["run", "-d", "--name", name, "busybox", program, "300"]).ok();
    }
    engine.gantry(&["wait", "ended", "later"]).ok();
    engine.gantry(&["volume", "create", "data"]).ok();
    engine.gantry(&["network", "create", "net"]).ok();
    let removals: &[&[&str]] = &[
        &["rm", "-f", "running"],
        &["rm", "ended"],
        &["network", "rm", "net"],
        &["rmi", "hello-world"],
        &["volume", "rm", "data"],
    ];
    for removal in removals {
        disk.fill();
        engine.gantry(removal).ok();
    }
    disk.fill();
    engine.stop();
    disk.fill();
    engine.launch();
    for prune in ["container", "volume", "network", "image", "system"] {
        disk.fill();
        engine.gantry(&[prune, "prune", "-f"]).ok();
    }
    disk.fill();
    engine.gantry(&["system", "prune", "-af"]).ok();
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
    assert_eq!(engine.gantry(&["images", "-q"]).ok(), "");
    disk.free();
    engine.load("busybox");
    engine.gantry(&["run", "--rm", "busybox", "true"]).ok();
}

#[test]
fn a_container_that_ends_on_a_full_disk_has_ended_after_a_crash_too() {
    let (disk, mut engine) = engine();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    disk.fill();
    engine.gantry(&["kill", "box"]).ok();
    let status = ["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "box"];
    assert_eq!(engine.gantry(&status).ok(), "exited 137");
    engine.kill();
    disk.free();
    engine.launch();
    assert_eq!(engine.gantry(&status).ok(), "exited 137");
}

#[test]
fn a_read_only_data_root_is_said() {
    let (disk, mut engine) = engine();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    engine.kill();
    // Not a remount: the engine's and the monitor's files are open for writing.
    let data_root = disk.data_root();
    mount_bind(&*data_root, &*data_root).unwrap();
    let read_only = MountFlags::BIND | MountFlags::RDONLY;
    mount_remount(&*data_root, read_only, c"").unwrap();
    let refused = engine.daemon_command().output();
    unmount(&*data_root, UnmountFlags::DETACH).unwrap();
    let refused = refused.unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("Read-only file system") && said.contains(&data_root), "{said}");
    engine.launch();
    assert_eq!(engine.gantry(&["exec", "box", "echo", "here"]).ok(), "here");
}
