//! `network rm`.

use testkit::engine::Engine;

use super::{custom, run};

#[test]
fn a_bridge_removed_by_hand_does_not_keep_its_network_from_going() {
    let engine = Engine::with_busybox();
    let name = ["-o", "com.docker.network.bridge.name=gtest-rm0"];
    engine.gantry(&[&["network", "create"], &name[..], &["web"]].concat()).ok();
    run(&engine, "one", &["--network", "web"]);
    std::process::Command::new("ip").args(["link", "del", "gtest-rm0"]).status().expect("run ip");
    run(&engine, "two", &["--network", "web"]);
    engine.gantry(&["rm", "-f", "one", "two"]).ok();
    engine.gantry(&["network", "rm", "web"]).ok();
    assert!(custom(&engine).is_empty());
}

#[test]
fn a_container_misses_the_network_that_was_removed() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "web"]).ok();
    run(&engine, "one", &["--network", "web"]);
    engine.gantry(&["stop", "-t", "0", "one"]).ok();
    engine.gantry(&["network", "rm", "web"]).ok();
    let said = engine.gantry(&["start", "one"]).fails(1);
    assert!(said.contains("network ") && said.contains(" not found"), "{said}");
    for name in ["bridge", "host", "none"] {
        let said = engine.gantry(&["network", "rm", name]).fails(1);
        assert!(said.contains("is a pre-defined network and cannot be removed"), "{said}");
    }
}
