//! `gantry volume snapshot`.

use testkit::engine::Engine;

use super::{names, sh};

#[test]
fn a_snapshot_is_kept_by_prune_and_found_by_its_label() {
    let engine = Engine::with_busybox();
    sh(&engine, "data", "echo then >/v/file");
    let snapshot = engine.gantry(&["volume", "snapshot", "data"]).ok();
    assert!(snapshot.starts_with("data-2"), "{snapshot}");
    let filter = "label=gantry.snapshot.of=data";
    assert_eq!(engine.gantry(&["volume", "ls", "-q", "--filter", filter]).ok(), snapshot);
    engine.gantry(&["volume", "prune", "-af"]).ok();
    assert_eq!(names(&engine), [snapshot]);
    engine.gantry(&["volume", "prune", "-af", "--filter", filter]).ok();
    assert!(names(&engine).is_empty());
}
