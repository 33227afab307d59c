//! `gantry volume create`.

use testkit::engine::Engine;

use super::{names, sh};

#[test]
fn a_volume_outlives_the_engine_and_is_made_once() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["volume", "create", "--label", "a=b", "data"]).ok();
    sh(&engine, "data", "echo kept >/v/file");
    engine.kill();
    engine.launch();
    assert_eq!(engine.gantry(&["volume", "create", "--label", "a=c", "data"]).ok(), "data");
    let label = engine.gantry(&["volume", "inspect", "-f", "{{.Labels.a}}", "data"]).ok();
    assert_eq!(label, "b");
    assert_eq!(sh(&engine, "data", "cat /v/file"), "kept");
}

#[test]
fn of_many_who_make_one_name_at_once_all_get_the_same() {
    let engine = Engine::start();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| engine.gantry(&["volume", "create", "shared"]).ok());
        }
    });
    assert_eq!(names(&engine), ["shared"]);
    let events =
        engine.gantry(&["events", "--since", "1h", "--until", "0s", "--filter", "event=create"]);
    assert_eq!(events.ok().matches("volume create shared").count(), 1);
}

#[test]
fn cluster_flags_are_refused_by_name() {
    let engine = Engine::start();
    for flag in ["--group=g", "--scope=single", "--secret=a=b", "--limit-bytes=1m"] {
        let said = engine.gantry(&["volume", "create", flag, "data"]).fails(1);
        let name = flag.split('=').next().unwrap();
        assert!(said.starts_with(&format!("{name}: cluster volumes")), "{said}");
    }
    assert!(names(&engine).is_empty());
}

#[test]
fn options_are_mounted_with_the_first_and_unmounted_with_the_last_container() {
    let mut engine = Engine::with_busybox();
    let options = ["-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m"];
    engine.gantry(&[&["volume", "create"], &options[..], &["memory"]].concat()).ok();
    let data = engine.data_root().join("volumes/memory/_data");
    let is_mounted = || {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        table.contains(&*data.to_string_lossy())
    };
    assert!(!is_mounted());
    for name in ["one", "two"] {
        let words = ["run", "-d", "--name", name, "-v", "memory:/v", "busybox", "sleep", "300"];
        engine.gantry(&words).ok();
    }
    assert!(is_mounted());
    engine.gantry(&["exec", "one", "sh", "-c", "echo shared >/v/file"]).ok();
    engine.gantry(&["kill", "one"]).ok();
    assert_eq!(engine.gantry(&["exec", "two", "cat", "/v/file"]).ok(), "shared");
    // The next engine counts anew.
    engine.kill();
    engine.launch();
    assert!(is_mounted());
    engine.gantry(&["kill", "two"]).ok();
    engine.wait_until("the volume is unmounted", |_| !is_mounted());
    // And finds what ended while there was none.
    engine.gantry(&["start", "two"]).ok();
    let pid = engine.gantry(&["inspect", "-f", "{{.State.Pid}}", "two"]).ok();
    engine.kill();
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    engine.launch();
    engine.wait_until("the volume is unmounted", |_| !is_mounted());
    engine.gantry(&["rm", "one", "two"]).ok();
    engine.gantry(&["volume", "rm", "memory"]).ok();
}
