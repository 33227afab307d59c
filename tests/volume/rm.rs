//! `gantry volume rm`.

use std::fs;

use testkit::engine::Engine;

use super::{names, sh};

#[test]
fn what_a_container_has_stays() {
    let engine = Engine::with_busybox();
    let id = engine.gantry(&["create", "--name", "box", "-v", "data:/v", "busybox"]).ok();
    for words in [&["volume", "rm", "data"][..], &["volume", "rm", "-f", "data"]] {
        let said = engine.gantry(words).fails(1);
        assert_eq!(
            said,
            format!("Error response from daemon: remove data: volume is in use - [{id}]")
        );
    }
    engine.gantry(&["rm", "box"]).ok();
    engine.gantry(&["volume", "rm", "data"]).ok();
    assert!(names(&engine).is_empty());
    assert!(!engine.data_root().join("volumes/data").exists());
}

#[test]
fn a_removal_and_a_run_at_once_come_one_after_the_other() {
    let engine = Engine::with_busybox();
    for round in 0..10 {
        let volume = format!("data{round}");
        sh(&engine, &volume, "echo old >/v/file");
        let mount = format!("{volume}:/v");
        let seen = std::thread::scope(|scope| {
            let removal = scope.spawn(|| engine.gantry(&["volume", "rm", &volume]).code);
            let words = [
                "run",
                "--rm",
                "--network",
                "none",
                "-v",
                &mount,
                "busybox",
                "sh",
                "-c",
                "cat /v/file; touch /v/works",
            ];
            let seen = engine.gantry(&words);
            (removal.join().unwrap(), seen)
        });
        // Removed before, and made anew; or in use, and whole.
        match seen {
            (0, run) => assert!(run.code == 0 && (run.stdout.is_empty() || run.stdout == "old\n")),
            (_, run) => assert_eq!(run.ok(), "old"),
        }
    }
}

#[test]
fn a_bound_volume_is_removed_without_what_is_bound() {
    let mut engine = Engine::with_busybox();
    let precious = engine.scratch().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "here").unwrap();
    let device = format!("device={}", precious.display());
    let words = ["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", &device, "bound"];
    engine.gantry(&words).ok();
    assert_eq!(sh(&engine, "bound", "cat /v/file"), "here");
    // An engine that is killed leaves it mounted.
    engine
        .gantry(&["run", "-d", "--name", "box", "-v", "bound:/v", "busybox", "sleep", "300"])
        .ok();
    engine.kill();
    engine.launch();
    engine.gantry(&["rm", "-f", "box"]).ok();
    engine.gantry(&["volume", "rm", "bound"]).ok();
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "here");
}
