//! SIGTERM: containers go on, the next engine adopts them; with nothing running nothing stays in the kernel.

use std::path::Path;

use testkit::engine::Engine;

fn state(engine: &Engine, container: &str) -> String {
    engine.gantry(&["inspect", "-f", "{{.State.Status}} {{.State.Pid}}", container]).ok()
}

#[test]
fn containers_outlive_an_engine_that_is_told_to_stop() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    let before = state(&engine, "box");
    engine.stop();
    assert!(!engine.kernel_objects().is_empty(), "its network goes on");
    let pid = before.strip_prefix("running ").unwrap();
    assert!(Path::new("/proc").join(pid).exists());
    engine.launch();
    assert_eq!(state(&engine, "box"), before);
    assert_eq!(engine.gantry(&["exec", "box", "echo", "adopted"]).ok(), "adopted");
}

#[test]
fn an_engine_with_nothing_running_leaves_nothing_in_the_kernel() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["run", "--name", "box", "busybox", "true"]).ok();
    engine.stop();
    assert_eq!(engine.kernel_objects(), [""; 0]);
    assert!(!engine.exec_root().join("favordynmods").exists());
    // All of it is made again.
    engine.launch();
    engine.gantry(&["start", "box"]).ok();
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "0");
}

#[test]
fn a_second_engine_is_refused_while_containers_run() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    let before = state(&engine, "box");
    let refused = testkit::engine::finish(&mut engine.daemon_command());
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("another engine"), "{}", refused.stderr);
    assert_eq!(state(&engine, "box"), before);
    assert_eq!(engine.gantry(&["exec", "box", "echo", "fine"]).ok(), "fine");
}
