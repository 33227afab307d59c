//! `gantry volume import`.

use testkit::engine::Engine;

use super::{names, sh};

#[test]
fn an_archive_that_is_none_makes_nothing() {
    let engine = Engine::start();
    let said = engine
        .gantry_with_input(
            &["volume", "import", "-", "data"],
            b"no tar at all, but long enough to be looked at",
        )
        .fails(1);
    assert!(said.contains("Error response from daemon: "), "{said}");
    engine.gantry(&["volume", "import", "/nosuch.tar", "data"]).fails(1);
    assert!(names(&engine).is_empty());
    let staging = engine.data_root().join("staging");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
}

#[test]
fn a_name_that_is_taken_keeps_its_content() {
    let engine = Engine::with_busybox();
    sh(&engine, "data", "echo mine >/v/file");
    let tar = engine.scratch().join("data.tar");
    engine.gantry(&["volume", "export", "-o", tar.to_str().unwrap(), "data"]).ok();
    let said = engine.gantry(&["volume", "import", tar.to_str().unwrap(), "data"]).fails(1);
    assert!(said.contains("already exists"), "{said}");
    assert_eq!(sh(&engine, "data", "cat /v/file"), "mine");
}
