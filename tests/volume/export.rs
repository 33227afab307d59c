//! `gantry volume export`.

use testkit::engine::Engine;

use super::sh;

#[test]
fn what_is_exported_comes_back_by_import() {
    let engine = Engine::with_busybox();
    sh(
        &engine,
        "data",
        "mkdir /v/sub; echo text >/v/sub/file; ln /v/sub/file /v/.wh.name; ln -s sub /v/link; chown -R 7:8 /v; chmod 750 /v",
    );
    let tar = engine.scratch().join("data.tar");
    let tar = tar.to_str().unwrap();
    engine.gantry(&["volume", "export", "-o", tar, "data"]).ok();
    assert_eq!(
        engine.gantry(&["volume", "import", "--label", "from=tar", tar, "back"]).ok(),
        "back"
    );
    let script = "cat /v/link/file; stat -c %h /v/.wh.name; stat -c '%a %u:%g' /v";
    assert_eq!(sh(&engine, "back", script), "text\n2\n750 7:8");
    assert_eq!(engine.gantry(&["volume", "inspect", "-f", "{{.Labels.from}}", "back"]).ok(), "tar");
    assert!(engine.gantry(&["volume", "export", "none"]).fails(1).contains("no such volume"));
}
