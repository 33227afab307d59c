//! Addresses that are given, given back, and kept by the next engine.

use testkit::engine::{Engine, wait_for};

use super::{endpoint, exec, run};

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
