//! Addresses that are given, given back, and kept by the next engine.

use testkit::engine::{Engine, wait_for};

use super::kernel::{self, Lines, assert_same};
use super::{endpoint, exec, run};
use crate::engine::random::Random;

#[test]
fn an_address_that_was_given_back_is_not_the_next_ones_and_none_is_given_twice() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "--subnet", "10.220.0.0/29", "few"]).ok();
    let address = |engine: &Engine, name: &str| endpoint(engine, name, "few", "{{.IPAddress}}");
    run(&engine, "first", &["--network", "few"]);
    let first = address(&engine, "first");
    engine.gantry(&["rm", "-f", "first"]).ok();
    run(&engine, "second", &["--network", "few"]);
    assert_ne!(address(&engine, "second"), first, "somebody may still send to it");
    run(&engine, "fixed", &["--network", "few", "--ip", "10.220.0.6"]);
    engine.kill();
    engine.launch();
    let mut given = vec![address(&engine, "second"), address(&engine, "fixed")];
    for name in ["third", "fourth", "fifth"] {
        run(&engine, name, &["--network", "few"]);
        given.push(address(&engine, name));
    }
    given.sort();
    let expected: Vec<String> = (2..=6).map(|last| format!("10.220.0.{last}")).collect();
    assert_eq!(given, expected, "the gateway's is nobody's");
    let none = engine.gantry(&["run", "--rm", "--network", "few", "busybox", "true"]).fails(125);
    assert!(none.contains("no available IPv4 addresses on this network's address pools"), "{none}");
    let gateway = ["run", "--rm", "--network", "few", "--ip", "10.220.0.1", "busybox", "true"];
    assert!(engine.gantry(&gateway).fails(125).contains("Address already in use"));
    engine.gantry(&["rm", "-f", "fifth"]).ok();
    wait_for("what is given back can be had again", || {
        engine.gantry(&["run", "--rm", "--network", "few", "busybox", "true"]).code == 0
    });
}

#[test]
fn link_local_addresses_are_there_besides_and_outlive_the_engine() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "--subnet", "10.221.0.0/24", "lan"]).ok();
    for (name, address) in [("one", "169.254.7.1"), ("two", "169.254.7.2")] {
        run(&engine, name, &["--network", "lan", "--link-local-ip", address]);
        assert!(exec(&engine, name, &["ip", "addr"]).contains(&format!("inet {address}/16")));
    }
    let shown = |engine: &Engine| endpoint(engine, "one", "lan", "{{json .IPAMConfig}}");
    let before = shown(&engine);
    assert!(before.contains("169.254.7.1"), "{before}");
    engine.kill();
    engine.launch();
    assert_eq!(shown(&engine), before);
    exec(&engine, "one", &["ping", "-c", "1", "-W", "5", "169.254.7.2"]);
    engine.gantry(&["restart", "-t", "0", "one"]).ok();
    assert!(exec(&engine, "one", &["ip", "addr"]).contains("inet 169.254.7.1/16"));
}

/// What containers are made of in the test below: networks to choose from, and ports that need each of the ways there
/// are to lead to one.
const NETWORKS: [(&str, &[&str]); 4] = [
    ("plain", &["--subnet", "10.223.0.0/24"]),
    ("both", &["--subnet", "10.223.1.0/24", "--ipv6", "--subnet", "fd00:223::/64"]),
    ("closed", &["--subnet", "10.223.2.0/24", "--internal"]),
    ("apart", &["--subnet", "10.223.3.0/24", "-o", "com.docker.network.bridge.enable_icc=false"]),
];
const PORTS: [&str; 8] = [
    "80",
    "127.0.0.1::81",
    "[::1]::82",
    "53/udp",
    "23000-23099:100-199",
    "23100-23199:23100-23199",
    "127.0.0.1:23200-23209:200-209/udp",
    "132/sctp",
];

/// Any container with any of them; each port for one of them at most.
fn run_any(engine: &Engine, random: &mut Random, number: usize, ports: &mut Vec<&str>) {
    let mut flags = Vec::new();
    for _ in 0..random.below(3) {
        let name = NETWORKS[random.below(NETWORKS.len())].0;
        if !flags.contains(&name) {
            flags.extend(["--network", name]);
        }
    }
    if flags.is_empty() && random.below(2) == 0 {
        flags.extend(["--mac-address", "02:42:ac:de:ad:01"]);
    }
    for _ in 0..random.below(4).min(ports.len()) {
        flags.extend(["-p", ports.swap_remove(random.below(ports.len()))]);
    }
    if random.below(4) == 0 {
        flags.extend(["--cap-add", "NET_ADMIN"]);
    }
    let name = format!("c{number}");
    run(engine, &name, &flags);
    if random.below(4) == 0 {
        // It has a port and goes, so that not all there was is in use.
        engine.gantry(&["rm", "-f", &name]).ok();
    }
}

/// What `inspect` shows of all networks and containers, and what they see themselves.
fn told(engine: &Engine) -> Lines {
    let mut lines = Lines::new();
    for name in engine.gantry(&["ps", "--format", "{{.Names}}"]).ok().lines() {
        let settings = engine.gantry(&["inspect", "-f", "{{json .NetworkSettings}}", name]).ok();
        lines.insert(format!("{name} has {settings}"));
        let script = "ip -o addr | sed 's/ tentative//; s/valid_lft.*//'; ip route; ip -6 route; cat /etc/hosts";
        for line in exec(engine, name, &["sh", "-c", script]).lines() {
            lines.insert(format!("{name} sees {line}"));
        }
    }
    for (name, _) in NETWORKS {
        lines.insert(engine.gantry(&["network", "inspect", name]).ok());
    }
    lines
}

#[test]
fn whatever_there_is_is_the_same_after_a_kill() {
    let mut engine = Engine::with_busybox();
    let mut random = Random::new();
    for (name, flags) in NETWORKS {
        engine.gantry(&[&["network", "create"], flags, &[name]].concat()).ok();
    }
    let mut ports = PORTS.to_vec();
    for round in 0..4 {
        for number in 0..3 {
            run_any(&engine, &mut random, round * 3 + number, &mut ports);
        }
        let (kernel, shown) = (kernel::settled(&engine), told(&engine));
        engine.kill();
        assert_same(&kernel, &kernel::seen(&engine), "without an engine");
        engine.launch();
        assert_same(&kernel, &kernel::seen(&engine), "with the next engine");
        assert_same(&shown, &told(&engine), "as it is told");
    }
}
