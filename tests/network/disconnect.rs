//! `network disconnect`.

use testkit::engine::Engine;

use super::{exec, run};

#[test]
fn the_link_is_gone_and_the_network_can_be_removed() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "web"]).ok();
    run(&engine, "one", &["--network", "web"]);
    let said = engine.gantry(&["network", "rm", "web"]).fails(1);
    assert!(said.contains("has active endpoints"), "{said}");
    engine.gantry(&["network", "disconnect", "web", "one"]).ok();
    assert_eq!(exec(&engine, "one", &["ls", "/sys/class/net"]), "lo");
    let said = engine.gantry(&["network", "disconnect", "web", "one"]).fails(1);
    assert!(said.contains("is not connected to network web"), "{said}");
    engine.gantry(&["network", "rm", "web"]).ok();
}

#[test]
fn a_network_that_was_removed_meanwhile_is_let_go() {
    let engine = Engine::with_busybox();
    for network in ["stays", "goes"] {
        engine.gantry(&["network", "create", network]).ok();
    }
    let create = ["create", "--name", "web", "--network", "stays", "--network", "goes"];
    engine.gantry(&[&create[..], &["busybox", "sleep", "1000"]].concat()).ok();
    engine.gantry(&["network", "rm", "goes"]).ok();
    let said = engine.gantry(&["start", "web"]).fails(1);
    assert!(said.contains("network goes not found"), "{said}");
    engine.gantry(&["network", "disconnect", "goes", "web"]).ok();
    let said = engine.gantry(&["network", "disconnect", "goes", "web"]).fails(1);
    assert!(said.contains("is not connected to the network goes"), "{said}");
    engine.gantry(&["start", "web"]).ok();
    let said = engine.gantry(&["network", "disconnect", "goes", "web"]).fails(1);
    assert!(said.contains("network goes not found"), "{said}");
}
