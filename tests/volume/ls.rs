//! `gantry volume ls`, and volumes in `ps`.

use testkit::engine::Engine;

#[test]
fn containers_are_found_by_their_volumes() {
    let engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "box", "-v", "data:/v", "busybox"]).ok();
    let found = |filter: &str| {
        engine.gantry(&["ps", "-a", "--filter", filter, "--format", "{{.Names}} {{.Mounts}}"]).ok()
    };
    assert_eq!(found("volume=data"), "box data");
    assert_eq!(found("volume=/v"), "box data");
    assert_eq!(found("volume=other"), "");
}
