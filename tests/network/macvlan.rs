//! macvlan networks: containers on a link of the host, which reach one another where the mode says so.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use testkit::engine::{Engine, Output, finish, wait_for};

use super::{custom, endpoint, run};

#[track_caller]
fn ip(words: &str) {
    let Output { code, stderr, .. } = finish(Command::new("ip").args(words.split_whitespace()));
    assert_eq!(code, 0, "ip {words}: {stderr}");
}

/// A link of the host's own, whose other end is the wire.
struct Parent {
    name: String,
    wire: String,
}

impl Parent {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        // Tests may be threads of one process.
        let number = std::process::id() % 1_000_000 * 10 + MADE.fetch_add(1, Ordering::Relaxed);
        let parent = Self { name: format!("gmv{number}p"), wire: format!("gmv{number}w") };
        ip(&format!("link add name {} type veth peer name {}", parent.name, parent.wire));
        ip(&format!("link set {} up", parent.name));
        ip(&format!("link set {} up", parent.wire));
        parent
    }

    fn is_there(&self) -> bool {
        std::path::Path::new("/sys/class/net").join(&self.name).exists()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        finish(Command::new("ip").args(["link", "del", &self.name]));
    }
}

fn create(engine: &Engine, parent: &Parent, mode: &str) {
    let on =
        ["-d", "macvlan", "--subnet", "10.217.0.0/24", "-o", &format!("parent={}", parent.name)];
    let mode = ["-o", &format!("macvlan_mode={mode}"), "lan"];
    engine.gantry(&[&["network", "create"], &on[..], &mode].concat()).ok();
}

fn reaches(engine: &Engine, from: &str, to: &str) -> bool {
    engine.gantry(&["exec", from, "ping", "-c", "1", "-W", "1", to]).code == 0
}

#[test]
fn containers_on_one_link_reach_each_other_where_the_mode_says_so() {
    let engine = Engine::with_busybox();
    let parent = Parent::new();
    for (mode, is_reached) in [("bridge", true), ("private", false), ("vepa", false)] {
        create(&engine, &parent, mode);
        run(&engine, "one", &["--network", "lan", "--ip", "10.217.0.11"]);
        run(&engine, "two", &["--network", "lan", "--ip", "10.217.0.12"]);
        let details = finish(Command::new("ip").args(["-d", "link", "show", &parent.name]));
        assert!(details.stdout.contains("promiscuity"), "{}", details.stdout);
        match is_reached {
            // The first question for an address may be lost while the links come up.
            true => wait_for("one reaches two", || reaches(&engine, "one", "10.217.0.12")),
            false => assert!(!reaches(&engine, "one", "10.217.0.12"), "{mode}"),
        }
        assert_eq!(reaches(&engine, "two", "10.217.0.11"), is_reached, "{mode}");
        engine.gantry(&["rm", "-f", "one", "two"]).ok();
        engine.gantry(&["network", "rm", "lan"]).ok();
        assert!(parent.is_there(), "it is the host's");
    }
}

#[test]
fn vepa_leaves_it_to_the_switch_and_private_to_nobody() {
    let engine = Engine::with_busybox();
    let parent = Parent::new();
    // A switch that sends frames back to where they came from.
    let switch = format!("{}s", &parent.wire);
    ip(&format!("link add name {switch} type bridge"));
    ip(&format!("link set {} master {switch}", parent.wire));
    ip(&format!("link set {} type bridge_slave hairpin on", parent.wire));
    ip(&format!("link set {switch} up"));
    for (mode, is_reached) in [("vepa", true), ("private", false)] {
        create(&engine, &parent, mode);
        run(&engine, "one", &["--network", "lan"]);
        run(&engine, "two", &["--network", "lan"]);
        let two = endpoint(&engine, "two", "lan", "{{.IPAddress}}");
        match is_reached {
            true => wait_for("one reaches two by the switch", || reaches(&engine, "one", &two)),
            false => assert!(!reaches(&engine, "one", &two), "{mode}"),
        }
        engine.gantry(&["rm", "-f", "one", "two"]).ok();
        engine.gantry(&["network", "rm", "lan"]).ok();
    }
    ip(&format!("link del {switch}"));
}

#[test]
fn passthru_gives_the_link_to_one_container_alone() {
    let engine = Engine::with_busybox();
    let parent = Parent::new();
    create(&engine, &parent, "passthru");
    run(&engine, "one", &["--network", "lan"]);
    let second = engine.gantry(&["run", "--rm", "--network", "lan", "busybox", "true"]);
    assert_eq!(second.code, 125, "{}", second.stderr);
    engine.gantry(&["rm", "-f", "one"]).ok();
    // The link is another's once the first one's is gone.
    wait_for("another gets it", || {
        engine.gantry(&["run", "--rm", "--network", "lan", "busybox", "true"]).code == 0
    });
    engine.gantry(&["network", "rm", "lan"]).ok();
}

#[test]
fn a_killed_engine_leaves_containers_on_the_link_and_nothing_once_they_are_gone() {
    let mut engine = Engine::with_busybox();
    let parent = Parent::new();
    // Its cgroup is there from the first one on. A link of it would go behind the answer, and be counted.
    engine.gantry(&["run", "--rm", "--network", "none", "busybox", "true"]).ok();
    let before = engine.kernel_objects();
    create(&engine, &parent, "bridge");
    run(&engine, "one", &["--network", "lan"]);
    run(&engine, "two", &["--network", "lan"]);
    let of = |engine: &Engine, name: &str| {
        endpoint(engine, name, "lan", "{{.IPAddress}} {{.MacAddress}}")
    };
    let (one, two) = (of(&engine, "one"), of(&engine, "two"));
    engine.kill();
    engine.launch();
    assert_eq!((of(&engine, "one"), of(&engine, "two")), (one, two.clone()));
    let (address, _) = two.split_once(' ').expect("two words");
    wait_for("one still reaches two", || reaches(&engine, "one", address));
    // Killed while containers come and go.
    for moment in 0..4 {
        let mut start = engine.command(&["run", "-d", "--network", "lan", "busybox", "sleep", "9"]);
        let mut start = start.stdout(std::process::Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(std::time::Duration::from_millis(5 + moment * 15));
        engine.kill();
        engine.launch();
        start.wait().expect("it ends");
    }
    let all = engine.gantry(&["ps", "-aq"]).ok();
    engine.gantry(&[&["rm", "-f"], &all.lines().collect::<Vec<_>>()[..]].concat()).ok();
    engine.gantry(&["network", "rm", "lan"]).ok();
    assert!(custom(&engine).is_empty() && parent.is_there());
    wait_for("nothing is left", || engine.kernel_objects() == before);
    let children = finish(Command::new("ip").args(["-o", "link", "show", "type", "macvlan"]));
    assert!(!children.stdout.contains(&parent.name), "{}", children.stdout);
}
