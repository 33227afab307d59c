//! `gantry rmi` and `image prune`.

use testkit::engine::Engine;

#[test]
fn untags_first_and_deletes_last() {
    let engine = Engine::with_busybox();
    assert_eq!(engine.gantry(&["rmi", "alpine"]).ok(), "Untagged: alpine:latest");
    let last = engine.gantry(&["rmi", "busybox"]).ok();
    assert!(last.starts_with("Untagged: busybox:latest\nDeleted: sha256:"), "{last}");
    let none = engine.gantry(&["rmi", "busybox"]).fails(1);
    assert!(none.contains("No such image: busybox:latest"), "{none}");
}

#[test]
fn an_image_in_use_is_kept() {
    let engine = Engine::with_busybox();
    engine.gantry(&["rmi", "alpine"]).ok();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    let id = engine.gantry(&["inspect", "-f", "{{.Id}}", "busybox"]).ok();
    let refused = engine.gantry(&["rmi", "busybox"]).fails(1);
    assert!(
        refused
            .contains("conflict: unable to remove repository reference \"busybox\" (must force)"),
        "{refused}"
    );
    let refused = engine.gantry(&["rmi", "-f", &id]).fails(1);
    assert!(refused.contains("(cannot be forced)"), "{refused}");
    assert_eq!(engine.gantry(&["exec", "box", "echo", "still here"]).ok(), "still here");
}

#[test]
fn prune_takes_dangling_images_only_unless_all() {
    let engine = Engine::with_busybox();
    assert_eq!(engine.gantry(&["image", "prune", "-f"]).ok(), "Total reclaimed space: 0B");
    let all = engine.gantry(&["image", "prune", "-af"]).ok();
    assert!(all.contains("deleted: sha256:"), "{all}");
    assert_eq!(engine.gantry(&["images", "-q"]).ok(), "");
}
