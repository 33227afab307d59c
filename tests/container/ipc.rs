//! `--ipc` and `--shm-size`.

use std::fs;

use testkit::engine::Engine;

/// Mounts on the host that belong to an engine's containers.
fn mounts(engine: &Engine) -> usize {
    let ours = engine.exec_root().join("c").to_string_lossy().into_owned();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.contains(&ours)).count()
}

#[test]
fn a_lent_dev_shm_has_its_size_and_is_one_for_all_who_join() {
    let mut engine = Engine::with_busybox();
    let lend = ["run", "-d", "--name", "lender", "--network", "none", "--ipc", "shareable"];
    engine.gantry(&[&lend[..], &["--shm-size", "8m", "busybox", "sleep", "300"]].concat()).ok();
    let join = |engine: &Engine, script: &str| {
        let flags = ["run", "--rm", "--network", "none", "--ipc", "container:lender"];
        let command = ["--shm-size", "64m", "busybox", "sh", "-c", script];
        engine.gantry(&[&flags[..], &command].concat())
    };
    let place = "grep ' /dev/shm ' /proc/mounts";
    let own = engine.gantry(&["exec", "lender", "sh", "-c", place]).ok();
    assert_eq!(own, "shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=8192k 0 0");
    assert_eq!(join(&engine, &format!("{place}; echo written > /dev/shm/a")).ok(), own);
    assert_eq!(engine.gantry(&["exec", "lender", "cat", "/dev/shm/a"]).ok(), "written");
    let full = join(&engine, "dd if=/dev/zero of=/dev/shm/b bs=1M count=9 2>&1; rm /dev/shm/b");
    assert!(full.stdout.contains("No space left on device"), "{full:?}");

    engine.kill();
    engine.launch();
    assert_eq!(join(&engine, "cat /dev/shm/a").ok(), "written");
    // Who joined keeps what was lent; the next run of the lender has a new one.
    let stay = ["run", "-d", "--name", "joined", "--network", "none", "--ipc", "container:lender"];
    engine.gantry(&[&stay[..], &["busybox", "sleep", "300"]].concat()).ok();
    engine.gantry(&["restart", "-t", "0", "lender"]).ok();
    assert_eq!(engine.gantry(&["exec", "joined", "cat", "/dev/shm/a"]).ok(), "written");
    assert_eq!(engine.gantry(&["exec", "lender", "ls", "/dev/shm"]).ok(), "");
    assert_eq!(mounts(&engine), 1);
    engine.gantry(&["kill", "lender"]).ok();
    engine.gantry(&["wait", "lender"]).ok();
    engine.wait_until("nothing is mounted any more", |engine| mounts(engine) == 0);
    let refused = join(&engine, "true").fails(125);
    assert!(refused.contains("failed to join IPC namespace: container "), "{refused}");
}
