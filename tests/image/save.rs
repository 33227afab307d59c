//! `gantry save`.

use testkit::engine::Engine;

#[test]
fn an_image_is_saved_by_its_id_too() {
    let engine = Engine::with_busybox();
    let id = engine.gantry(&["image", "inspect", "-f", "{{.Id}}", "busybox"]).ok();
    let archive = engine.scratch().join("saved.tar");
    let archive = archive.to_string_lossy();
    engine.gantry(&["save", "-o", &archive, &id]).ok();
    engine.gantry(&["rmi", "busybox"]).ok();
    let loaded = engine.gantry(&["load", "-i", &archive]).ok();
    assert_eq!(loaded, format!("Loaded image ID: {id}"));
}
