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
