//! create, start, stop, kill, pause, wait, rename, rm, prune.

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
fn stop_asks_politely_first() {
    let engine = Engine::with_busybox();
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    engine.gantry(&["run", "-d", "--name", "polite", "busybox", "sh", "-c", script]).ok();
    let mut engine = engine;
    engine.wait_until("the trap is set", |engine| {
        engine.gantry(&["logs", "polite"]).stdout == "ready\n"
    });
    engine.gantry(&["stop", "polite"]).ok();
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.State.ExitCode}}", "polite"]).ok(), "3");
}

#[test]
fn wait_gives_the_exit_code() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sh", "-c", "sleep 0.2; exit 5"]).ok();
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "5");
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "5", "once it has ended, at once");
}

#[test]
fn kill_with_any_signal() {
    let engine = Engine::with_busybox();
    let script = "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done";
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sh", "-c", script]).ok();
    let mut engine = engine;
    engine.wait_until("the trap is set", |engine| {
        engine.gantry(&["logs", "box"]).stdout == "ready\n"
    });
    engine.gantry(&["kill", "-s", "USR1", "box"]).ok();
    engine.wait_until("the signal arrived", |engine| {
        engine.gantry(&["logs", "box"]).stdout == "ready\nusr1\n"
    });
    engine.gantry(&["kill", "box"]).ok();
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "137");
    let again = engine.gantry(&["kill", "box"]).fails(1);
    assert!(again.contains("is not running"), "{again}");
}

#[test]
fn rename_keeps_the_container() {
    let engine = Engine::with_busybox();
    let id = engine.gantry(&["create", "--name", "old", "busybox"]).ok();
    engine.gantry(&["create", "--name", "taken", "busybox"]).ok();
    engine.gantry(&["rename", "old", "new"]).ok();
    assert_eq!(
        engine.gantry(&["inspect", "-f", "{{.Id}} {{.Name}}", "new"]).ok(),
        format!("{id} /new")
    );
    let conflict = engine.gantry(&["rename", "new", "taken"]).fails(1);
    assert!(conflict.contains("is already in use"), "{conflict}");
}

#[test]
fn prune_removes_the_stopped_and_keeps_the_running() {
    let engine = Engine::with_busybox();
    let running = engine.gantry(&["run", "-d", "busybox", "sleep", "300"]).ok();
    let stopped = engine.gantry(&["create", "busybox"]).ok();
    assert!(engine.gantry(&["container", "prune", "-f"]).ok().contains(&stopped));
    assert_eq!(engine.gantry(&["ps", "-aq", "--no-trunc"]).ok(), running);
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

#[test]
fn two_removes_at_once_are_safe() {
    let engine = Engine::with_busybox();
    for _ in 0..10 {
        let id = engine.gantry(&["run", "-d", "busybox", "sleep", "300"]).ok();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| engine.gantry(&["rm", "-f", &id]));
            }
        });
        assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
    }
}
