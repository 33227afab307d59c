//! `gantry save` and `gantry load`.

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
