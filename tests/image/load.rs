//! load, save, tag, history, import, export.

use testkit::engine::Engine;

#[test]
fn saved_and_loaded_again_it_is_the_same_image() {
    let engine = Engine::with_busybox();
    let id = engine.gantry(&["inspect", "-f", "{{.Id}}", "busybox"]).ok();
    let tar = engine.scratch().join("saved.tar");
    engine.gantry(&["save", "-o", tar.to_str().unwrap(), "busybox", "alpine"]).ok();
    engine.gantry(&["rmi", "-f", "busybox", "alpine"]).ok();
    assert_eq!(engine.gantry(&["images", "-q"]).ok(), "");
    let loaded = engine.gantry(&["load", "-i", tar.to_str().unwrap()]).ok();
    assert!(
        loaded.contains("Loaded image: alpine:latest")
            && loaded.contains("Loaded image: busybox:latest"),
        "{loaded}"
    );
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.Id}}", "busybox"]).ok(), id);
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "echo", "again"]).ok(), "again");
}

#[test]
fn tags_are_names_of_one_image() {
    let engine = Engine::with_busybox();
    engine.gantry(&["tag", "busybox", "mine/tool:1"]).ok();
    let ids = engine.gantry(&["images", "-q", "--no-trunc"]).ok();
    let mut ids: Vec<&str> = ids.lines().collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let bad = engine.gantry(&["tag", "busybox", "UPPER"]).fails(1);
    assert!(bad.contains("must be lowercase"), "{bad}");
}

#[test]
fn history_has_a_row_for_each_layer() {
    let engine = Engine::with_busybox();
    let history = engine.gantry(&["history", "--format", "{{.CreatedBy}}", "busybox"]).ok();
    assert_eq!(history, "xtask images");
}

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
