//! Mounts, and what an image or a running container puts in their way.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;
use testkit::engine::Engine;

use super::{Entry, load_hostile};

fn bind(source: &std::path::Path, target: &str) -> String {
    format!("{}:{target}", source.display())
}

#[test]
fn cve_2019_16884_no_volume_goes_over_proc() {
    let engine = Engine::with_busybox();
    let volume = engine.scratch().join("volume");
    fs::create_dir(&volume).unwrap();
    for target in ["/proc", "/proc/self", "/proc/sys", "/tmp/../proc/self/attr"] {
        let ran = engine.gantry(&["run", "--rm", "-v", &bind(&volume, target), "busybox", "true"]);
        assert_ne!(ran.code, 0, "{target}");
    }
    // The image's own wish for a volume counts no more.
    let config = json!({ "Volumes": { "/proc/self/attr": {}, "/proc": {} } });
    load_hostile(&engine, &[], config);
    assert_ne!(engine.gantry(&["run", "--rm", "hostile", "true"]).code, 0);
}

#[test]
fn cve_2023_27561_cve_2019_19921_proc_and_sys_as_links_lead_nowhere() {
    for (name, target) in [("proc", "/tmp/fake"), ("proc", "tmp"), ("sys", "/tmp/fake")] {
        let engine = Engine::start();
        let entries = [
            Entry::Directory("tmp/fake/"),
            Entry::Directory("tmp/fake/self/attr/"),
            Entry::Symlink(name, target),
        ];
        load_hostile(&engine, &entries, json!({}));
        let said = engine.gantry(&["run", "--rm", "hostile", "true"]);
        assert_ne!(said.code, 0, "{name} -> {target}");
        assert!(said.stderr.contains("must be mounted on ordinary directory"), "{said:?}");
    }
}

#[test]
fn cve_2025_62161_cve_2026_47766_dev_and_its_nodes_as_links_lead_nowhere() {
    let engine = Engine::start();
    let outside = engine.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    let secret = outside.join("secret");
    fs::write(&secret, "untouched").unwrap();
    let (outside, secret_path) = (outside.to_str().unwrap(), secret.to_str().unwrap());
    for entries in [
        &[Entry::Symlink("dev", outside)][..],
        &[Entry::Directory("dev/"), Entry::Symlink("dev/null", secret_path)],
        &[Entry::Directory("dev/"), Entry::Symlink("dev/pts", outside)],
        &[Entry::Directory("dev/"), Entry::Symlink("dev/console", secret_path)],
    ] {
        load_hostile(&engine, entries, json!({}));
        let script = "echo x > /dev/null; test -c /dev/null";
        engine.gantry(&["run", "--rm", "-t", "hostile", "sh", "-c", script]);
        engine.gantry(&["run", "--rm", "hostile", "sh", "-c", script]);
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "untouched");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1, "nothing was made on the host");
}

#[test]
fn cve_2021_30465_cve_2024_45310_mount_points_that_are_links_stay_inside() {
    let engine = Engine::start();
    let (outside, volume) = (engine.scratch().join("outside"), engine.scratch().join("volume"));
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("marker"), "").unwrap();
    let link = outside.to_str().unwrap();
    let up = format!("../../../../../../../..{link}");
    load_hostile(
        &engine,
        &[Entry::Symlink("data", link), Entry::Symlink("up", &up)],
        json!({ "Volumes": { "/data/image": {} } }),
    );
    for target in ["/data", "/data/a/b", "/up", "/up/a/b"] {
        engine.gantry(&["run", "--rm", "-v", &bind(&volume, target), "hostile", "true"]);
        assert!(!outside.exists(), "{target} was made on the host");
    }
    let files = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];
    let entries = files.map(|file| Entry::Symlink(file, link));
    load_hostile(&engine, &entries, json!({ "WorkingDir": "/data/work" }));
    engine.gantry(&["run", "--rm", "hostile", "true"]);
    assert!(!outside.exists());
}

#[test]
fn cve_2021_30465_a_shared_volume_with_swapping_links_makes_nothing_on_the_host() {
    let engine = Engine::with_busybox();
    let (outside, volume) = (engine.scratch().join("outside"), engine.scratch().join("volume"));
    fs::create_dir(&volume).unwrap();
    let (shared, inside) = (bind(&volume, "/shared"), bind(&volume, "/shared/point/deeper"));
    let script = format!(
        "cd /shared; while true; do ln -s {} point; rm -rf point; mkdir -p point; rm -rf point; done 2>/dev/null",
        outside.display()
    );
    let swapper = ["run", "-d", "--name", "swapper", "-v", &shared, "busybox", "sh", "-c", &script];
    engine.gantry(&swapper).ok();
    for _ in 0..15 {
        let args = ["run", "--rm", "-v", &shared, "-v", &inside, "busybox", "true"];
        engine.gantry(&args);
    }
    assert!(!outside.exists());
}

#[test]
fn cve_2025_31133_masked_and_read_only_paths_are_so() {
    let engine = Engine::with_busybox();
    let script = "for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/sched_debug; do \
                  [ ! -e $f ] || [ $(head -c 1 $f 2>/dev/null | wc -c) = 0 ] || echo $f; done; \
                  for d in /proc/acpi /proc/scsi /proc/asound /sys/firmware /sys/devices/virtual/powercap; do ls -A $d 2>/dev/null; done; \
                  for d in bus fs irq sys; do touch /proc/$d/x 2>/dev/null && echo $d; done; \
                  echo 1 2>/dev/null > /proc/sys/kernel/panic && echo sys; \
                  echo h 2>/dev/null > /proc/sysrq-trigger && echo sysrq; true";
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "sh", "-c", script]).ok(), "");
    let caps = ["run", "--rm", "--cap-add", "ALL", "busybox", "sh", "-c", script];
    assert_eq!(engine.gantry(&caps).ok(), "", "with every capability");
}

#[test]
fn cve_2025_52881_masked_paths_cannot_be_swapped_by_the_image() {
    let engine = Engine::start();
    // What the image puts where proc goes is under the mount, and never looked at.
    let entries = [Entry::Directory("proc/"), Entry::Symlink("proc/keys", "/etc/hostname")];
    load_hostile(&engine, &entries, json!({}));
    let said = engine.gantry(&["run", "--rm", "hostile", "stat", "-c", "%F", "/proc/keys"]);
    assert_eq!(said.ok(), "character special file");
}

#[test]
fn cve_2022_0811_a_sysctl_smuggles_no_other() {
    let engine = Engine::with_busybox();
    let core_pattern = || fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let before = core_pattern();
    for sysctl in [
        "kernel.core_pattern=|/evil",
        "net.ipv4.ip_forward=1+kernel.core_pattern=|/evil",
        "kernel.shm_rmid_forced/../core_pattern=|/evil",
        "net/../kernel/core_pattern=|/evil",
        "net...kernel.core_pattern=|/evil",
    ] {
        let ran = engine.gantry(&["run", "--rm", "--sysctl", sysctl, "busybox", "true"]);
        assert_ne!(ran.code, 0, "{sysctl}: {ran:?}");
        assert_eq!(core_pattern(), before, "{sysctl}");
    }
    // A value of two lines is one value.
    let lines = "net.ipv4.ip_forward=1\nkernel.core_pattern=|/evil";
    engine.gantry(&["run", "--rm", "--sysctl", lines, "busybox", "true"]);
    assert_eq!(core_pattern(), before);
}

#[test]
fn cve_2022_0492_no_release_agent_is_within_reach() {
    let engine = Engine::with_busybox();
    let script = "for f in $(find /sys/fs/cgroup -name release_agent 2>/dev/null); do echo /evil 2>/dev/null > $f && echo $f; done; \
                  mkdir /tmp/c; mount -t cgroup -o rdma cgroup /tmp/c 2>/dev/null && echo mounted; \
                  unshare -Ur mount -t cgroup -o rdma cgroup /tmp/c 2>/dev/null && echo mounted; \
                  mkdir /sys/fs/cgroup/x 2>/dev/null && echo made; true";
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "sh", "-c", script]).ok(), "");
}

#[test]
fn a_link_in_place_of_dev_shm_lends_nothing_of_the_host() {
    let engine = Engine::with_busybox();
    let outside = engine.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "").unwrap();
    let script =
        format!("rmdir /dev/shm; ln -s {} /dev/shm && echo set; sleep 60", outside.display());
    for mode in ["none", "private"] {
        let flags = ["run", "-d", "--name", mode, "--ipc", mode, "busybox", "sh", "-c", &script];
        engine.gantry(&flags).ok();
        let join = format!("container:{mode}");
        let said = engine.gantry(&["run", "--rm", "--ipc", &join, "busybox", "ls", "/dev/shm"]);
        assert_eq!(said.stdout, "");
        assert!(said.fails(125).contains("non-shareable IPC"));
    }
}

#[test]
fn directories_without_end_neither_end_the_engine_nor_stay() {
    let mut engine = Engine::start();
    engine.load("debian");
    let nest = "for(1..30000){mkdir 'dd'; chdir 'dd' or die}";
    for (name, flags) in [("root", &[][..]), ("shm", &["--ipc=shareable", "-w", "/dev/shm"])] {
        let args = [&["run", "--name", name][..], flags, &["debian", "perl", "-e", nest]].concat();
        engine.gantry(&args).ok();
    }
    let pid = engine.daemon_pid();
    engine.gantry(&["diff", "root"]).fails(1);
    engine.gantry(&["commit", "root", "deep"]).fails(1);
    let tar = engine.scratch().join("root.tar");
    engine.gantry(&["export", "-o", tar.to_str().unwrap(), "root"]).fails(1);
    engine.gantry(&["ps", "-as"]).ok();
    engine.gantry(&["rm", "root", "shm"]).ok();
    assert_eq!(engine.daemon_pid(), pid);
    let trash = engine.data_root().join("trash");
    engine.wait_until("the trash is empty", |_| fs::read_dir(&trash).unwrap().count() == 0);
    engine.gantry(&["run", "--rm", "debian", "true"]).ok();
}

#[test]
fn a_deep_image_fills_a_volume_or_is_refused_but_ends_no_engine() {
    let engine = Engine::start();
    engine.load("busybox");
    let layer = engine.scratch().join("deep-layer.tar");
    let mut tar = tar::Builder::new(fs::File::create(&layer).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o755);
    tar.append_data(&mut header, format!("v/{}", "d/".repeat(2000)), std::io::empty()).unwrap();
    tar.finish().unwrap();
    let image = testkit::archive::Image {
        tags: vec!["deep:latest".into()],
        layers: vec![super::busybox_layer(&engine), layer],
        config: json!({ "Volumes": { "/v": {} } }),
        created: "2026-01-01T00:00:00Z".into(),
    };
    let path = engine.scratch().join("deep.tar");
    testkit::archive::write(&image, &path).unwrap();
    engine.gantry(&["load", "-q", "-i", path.to_str().unwrap()]).ok();
    engine.gantry(&["run", "--rm", "deep", "true"]);
    engine.gantry(&["create", "--name", "one", "deep", "true"]).ok();
    engine.gantry(&["export", "-o", "/dev/null", "one"]);
    engine.gantry(&["rm", "-v", "one"]).ok();
    engine.gantry(&["rmi", "deep"]).ok();
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "echo", "fine"]).ok(), "fine");
}

#[test]
fn cve_2024_45310_a_bind_s_source_made_on_the_host_is_the_only_thing_made() {
    let engine = Engine::with_busybox();
    let (real, outside) = (engine.scratch().join("real"), engine.scratch().join("outside"));
    fs::create_dir(&real).unwrap();
    symlink(&outside, real.join("dangling")).unwrap();
    let source = bind(&real.join("dangling"), "/data");
    engine.gantry(&["run", "--rm", "-v", &source, "busybox", "true"]);
    assert!(!outside.exists(), "a dangling link was followed");
}
