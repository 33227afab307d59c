//! What a container may take of the host's memory and of the engine's.

use serde_json::json;
use testkit::engine::Engine;

use super::load_hostile;

pub(super) fn memory_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_line_without_end_takes_no_memory_of_the_engine() {
    let engine = Engine::with_busybox();
    let script = "head -c 60000000 /dev/zero | tr '\\0' x";
    engine.gantry(&["run", "--name", "long", "busybox", "sh", "-c", script]).ok();
    let before = memory_of(engine.daemon_pid());
    assert_eq!(engine.gantry(&["logs", "long"]).ok().len(), 60_000_000);
    let grown = memory_of(engine.daemon_pid()).saturating_sub(before);
    assert!(grown < 48 << 20, "it grew by {grown} bytes");
}

#[test]
fn a_giant_hosts_file_of_another_container_is_read_to_a_bound() {
    let engine = Engine::with_busybox();
    let script = "head -c 80000000 /dev/zero | tr '\\0' '\\n' >> /etc/hosts; echo filled; sleep 60";
    engine.gantry(&["run", "-d", "--name", "owner", "busybox", "sh", "-c", script]).ok();
    let mut engine = engine;
    engine.wait_until("the file is filled", |engine| {
        engine.gantry(&["logs", "owner"]).ok() == "filled"
    });
    let before = memory_of(engine.daemon_pid());
    let join = ["run", "--rm", "--network", "container:owner", "busybox", "echo", "in"];
    assert_eq!(engine.gantry(&join).ok(), "in");
    let grown = memory_of(engine.daemon_pid()).saturating_sub(before);
    assert!(grown < 48 << 20, "it grew by {grown} bytes");
}

#[test]
fn a_giant_configuration_is_carried_or_refused_and_the_engine_goes_on() {
    let engine = Engine::start();
    let env: Vec<String> =
        (0..20_000).map(|n| format!("VARIABLE_{n}={}", "x".repeat(50))).collect();
    load_hostile(&engine, &[], json!({ "Env": env, "Cmd": ["true"] }));
    engine.gantry(&["run", "--rm", "hostile"]);
    load_hostile(&engine, &[], json!({ "Cmd": ["true"] }));
    engine.gantry(&["run", "--rm", "hostile"]).ok();
}
