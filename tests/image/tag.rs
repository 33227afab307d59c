//! `gantry tag`.

use testkit::engine::Engine;

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
