//! `network prune`.

use testkit::engine::Engine;

use super::{custom, run};

#[test]
fn what_nobody_has_joined_goes() {
    let engine = Engine::with_busybox();
    for name in ["used", "left", "labelled"] {
        let label = if name == "labelled" { "keep" } else { "x" };
        engine.gantry(&["network", "create", "--label", label, name]).ok();
    }
    // Others are made after it.
    engine.gantry(&["network", "create", "--config-only", "--subnet", "10.97.0.0/24", "made"]).ok();
    run(&engine, "web", &["--network", "used"]);
    let filter = ["network", "prune", "-f", "--filter", "label!=keep"];
    assert_eq!(engine.gantry(&filter).ok(), "Deleted Networks:\nleft\n");
    assert_eq!(custom(&engine), ["labelled", "made", "used"]);
}
