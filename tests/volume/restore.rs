//! `gantry volume restore`.

use testkit::engine::Engine;

use super::sh;

#[test]
fn the_content_is_the_snapshots_again() {
    let engine = Engine::with_busybox();
    sh(&engine, "data", "echo then >/v/file");
    engine.gantry(&["volume", "snapshot", "data", "before"]).ok();
    sh(&engine, "data", "echo now >/v/file; touch /v/more");
    engine.gantry(&["run", "-d", "--name", "box", "-v", "data:/v", "busybox", "sleep", "300"]).ok();
    let said = engine.gantry(&["volume", "restore", "data", "before"]).fails(1);
    assert!(said.contains("a running container has the volume"), "{said}");
    engine.gantry(&["kill", "box"]).ok();
    assert_eq!(engine.gantry(&["volume", "restore", "data", "before"]).ok(), "data");
    engine.gantry(&["start", "box"]).ok();
    assert_eq!(
        engine.gantry(&["exec", "box", "sh", "-c", "ls /v; cat /v/file"]).ok(),
        "file\nthen"
    );
    assert!(
        engine.gantry(&["volume", "restore", "data", "none"]).fails(1).contains("no such volume")
    );
}
