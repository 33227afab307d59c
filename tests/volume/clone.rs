//! `gantry volume clone`.

use testkit::engine::Engine;

use super::{names, sh};

#[test]
fn a_clone_is_a_volume_of_its_own() {
    let engine = Engine::with_busybox();
    sh(
        &engine,
        "data",
        "echo one >/v/file; ln /v/file /v/second; ln -s file /v/link; chown 7:8 /v",
    );
    assert_eq!(engine.gantry(&["volume", "clone", "data", "copy"]).ok(), "copy");
    sh(&engine, "data", "echo two >/v/file");
    let seen = sh(&engine, "copy", "cat /v/link; stat -c %h /v/second; stat -c %u:%g /v");
    assert_eq!(seen, "one\n2\n7:8");
    assert!(
        engine.gantry(&["volume", "clone", "data", "copy"]).fails(1).contains("already exists")
    );
    assert!(engine.gantry(&["volume", "clone", "none", "x1"]).fails(1).contains("no such volume"));
    assert!(
        engine.gantry(&["volume", "clone", "data", "a/b"]).fails(1).contains("invalid characters")
    );
    assert_eq!(names(&engine), ["copy", "data"]);
}
