//! A container from create to rm, and by which names it is found.

use testkit::engine::Engine;

fn state(engine: &Engine, name: &str) -> String {
    engine.gantry(&["inspect", "-f", "{{.State.Status}}", name]).ok()
}

#[test]
fn from_created_to_removed() {
    let engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "box", "busybox", "sleep", "300"]).ok();
    assert_eq!(state(&engine, "box"), "created");
    assert_eq!(engine.gantry(&["start", "box"]).ok(), "box");
    assert_eq!(state(&engine, "box"), "running");
    engine.gantry(&["pause", "box"]).ok();
    assert_eq!(state(&engine, "box"), "paused");
    engine.gantry(&["unpause", "box"]).ok();
    engine.gantry(&["stop", "-t", "0", "box"]).ok();
    assert_eq!(state(&engine, "box"), "exited");
    engine.gantry(&["start", "box"]).ok();
    let refused = engine.gantry(&["rm", "box"]).fails(1);
    assert!(
        refused
            .contains("container is running: stop the container before removing or force remove"),
        "{refused}"
    );
    engine.gantry(&["rm", "-f", "box"]).ok();
    let gone = engine.gantry(&["inspect", "box"]).fails(1);
    assert!(gone.contains("No such object: box"), "{gone}");
}

#[test]
fn files_written_survive_a_restart_of_the_container() {
    let engine = Engine::with_busybox();
    let script = "cat /mark 2>/dev/null; echo again >> /mark";
    engine.gantry(&["run", "--name", "box", "busybox", "sh", "-c", script]).ok();
    assert_eq!(engine.gantry(&["start", "-a", "box"]).ok(), "again");
    assert_eq!(engine.gantry(&["start", "-a", "box"]).ok(), "again\nagain");
}

#[test]
fn ids_may_be_shortened_but_not_ambiguous() {
    let engine = Engine::with_busybox();
    let id = engine.gantry(&["create", "busybox"]).ok();
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.Id}}", &id[..12]]).ok(), id);
    let none = engine.gantry(&["start", "feedfacefeed"]).fails(1);
    assert!(none.contains("No such container: feedfacefeed"), "{none}");
}
