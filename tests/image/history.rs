//! `gantry history`.

use testkit::engine::Engine;

#[test]
fn history_has_a_row_for_each_layer() {
    let engine = Engine::with_busybox();
    let history = engine.gantry(&["history", "--format", "{{.CreatedBy}}", "busybox"]).ok();
    assert_eq!(history, "xtask images");
}
