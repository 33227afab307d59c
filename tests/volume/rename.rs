//! `gantry volume rename`.

use testkit::engine::Engine;

use super::{names, sh};

#[test]
fn content_and_labels_go_along() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["volume", "create", "--label", "a=b", "old"]).ok();
    engine.gantry(&["volume", "create", "taken"]).ok();
    sh(&engine, "old", "echo text >/v/file");
    engine.gantry(&["create", "--name", "box", "-v", "old:/v", "busybox"]).ok();
    let said = engine.gantry(&["volume", "rename", "old", "new"]).fails(1);
    assert!(said.contains("rename old: volume is in use"), "{said}");
    engine.gantry(&["rm", "box"]).ok();
    assert_eq!(engine.gantry(&["volume", "rename", "old", "new"]).ok(), "new");
    let said = engine.gantry(&["volume", "rename", "new", "taken"]).fails(1);
    assert!(said.contains("already exists"), "{said}");
    engine.gantry(&["volume", "rename", "new", "../up"]).fails(1);
    engine.kill();
    engine.launch();
    assert_eq!(names(&engine), ["new", "taken"]);
    assert_eq!(sh(&engine, "new", "cat /v/file"), "text");
    assert_eq!(engine.gantry(&["volume", "inspect", "-f", "{{.Labels.a}}", "new"]).ok(), "b");
}
