//! `gantry export` and `gantry import`.

use testkit::engine::Engine;

#[test]
fn an_exported_root_can_be_imported() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&["run", "--name", "box", "busybox", "sh", "-c", "echo kept > /kept; rm /bin/vi"])
        .ok();
    let tar = engine.scratch().join("root.tar");
    engine.gantry(&["export", "-o", tar.to_str().unwrap(), "box"]).ok();
    engine
        .gantry(&["import", "-c", "CMD [\"cat\", \"/kept\"]", tar.to_str().unwrap(), "flat:1"])
        .ok();
    assert_eq!(engine.gantry(&["run", "--rm", "flat:1"]).ok(), "kept");
    assert_eq!(engine.gantry(&["run", "--rm", "flat:1", "ls", "/bin/vi"]).code, 1);
}
