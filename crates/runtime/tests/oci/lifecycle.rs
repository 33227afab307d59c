//! create, start, state, kill, delete, pause, list, hooks.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use oci::runtime::{Hook, Hooks};
use rustix::process::{Pid, Signal};

use crate::bundle::Bundle;

#[test]
fn a_container_is_created_started_killed_and_deleted() {
    let Some(bundle) = Bundle::new("lifecycle", "echo up; exec sleep 100") else { return };
    bundle.create();
    assert_eq!(bundle.status(), "created");
    assert!(!fs::read_to_string(bundle.path().join("output")).unwrap().contains("up"));
    assert_eq!(bundle.command(&["start", &bundle.id]).status, 0);
    assert_eq!(bundle.status(), "running");
    let again = bundle.command(&["start", &bundle.id]);
    assert_eq!((again.status, again.err.trim()), (1, "cannot start an already running container"));
    let early = bundle.command(&["delete", &bundle.id]);
    assert!(early.err.contains("that is not stopped: running"), "{early:?}");
    assert_eq!(bundle.command(&["kill", &bundle.id, "KILL"]).status, 0);
    bundle.await_status("stopped");
    let late = bundle.command(&["start", &bundle.id]);
    assert_eq!(late.err.trim(), "cannot start a container that has stopped");
    assert_eq!(bundle.command(&["delete", &bundle.id]).status, 0);
    assert_eq!(bundle.command(&["state", &bundle.id]).err.trim(), "container does not exist");
}

#[test]
fn the_status_of_run_is_the_program_s() {
    let Some(bundle) = Bundle::new("run status", "echo out; echo err >&2; exit 7") else { return };
    let ran = bundle.run();
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (7, "out\n", "err\n"));
    let Some(killed) = Bundle::new("run signal", "kill -KILL $$; sleep 1; exit 3") else { return };
    // The first process of a pid namespace is not killed from inside.
    assert_eq!(killed.run().status, 3);
}

#[test]
fn nothing_is_left_after_a_container() {
    let Some(bundle) = Bundle::new("leftovers", "true") else { return };
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert_eq!(bundle.run().status, 0);
    assert_eq!(fs::read_dir(bundle.path().join("state")).unwrap().count(), 0);
    let after = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ours = |table: &str| table.matches(bundle.path().to_str().unwrap()).count();
    assert_eq!((ours(&before), ours(&after)), (0, 0));
    assert!(!cgroup_exists(&bundle.id));
}

#[test]
fn nothing_is_left_of_a_container_that_could_not_be_made() {
    let Some(mut bundle) = Bundle::new("failed create", "true") else { return };
    bundle.process().args = vec!["no-such-program".into()];
    let ran = bundle.run();
    assert_eq!(ran.status, 127);
    let words = "exec: \"no-such-program\": executable file not found in $PATH";
    assert!(ran.err.contains(words), "{ran:?}");
    assert_eq!(fs::read_dir(bundle.path().join("state")).unwrap().count(), 0);
    assert!(!cgroup_exists(&bundle.id));
}

fn cgroup_exists(id: &str) -> bool {
    let name = format!("gantry-test-{id}");
    ["", "memory", "pids", "unified"].iter().any(|hierarchy| {
        std::path::Path::new("/sys/fs/cgroup").join(hierarchy).join(&name).exists()
    })
}

#[test]
fn a_paused_container_stands_still_until_it_is_resumed() {
    let Some(bundle) = Bundle::new("pause", "exec sleep 100") else { return };
    bundle.start();
    assert_eq!(bundle.command(&["pause", &bundle.id]).status, 0);
    assert_eq!(bundle.status(), "paused");
    let refused = bundle.exec(&["true"]);
    assert!(refused.err.starts_with("cannot exec in a paused container"), "{refused:?}");
    assert_eq!(bundle.command(&["resume", &bundle.id]).status, 0);
    assert_eq!(bundle.exec(&["true"]).status, 0);
}

#[test]
fn every_process_is_listed_and_signalled() {
    let Some(bundle) = Bundle::new("ps and kill --all", "sleep 100 & sleep 100") else { return };
    bundle.start();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let pids = || {
        let ran = bundle.command(&["ps", "--format", "json", &bundle.id]);
        serde_json::from_str::<Vec<i32>>(&ran.out).unwrap()
    };
    while pids().len() < 2 {
        assert!(std::time::Instant::now() < deadline, "{:?}", pids());
    }
    assert_eq!(bundle.command(&["kill", "--all", &bundle.id, "9"]).status, 0);
    bundle.await_status("stopped");
}

#[test]
fn hooks_run_in_their_order_and_see_the_state() {
    let Some(mut bundle) = Bundle::new("hooks", "true") else { return };
    let log = bundle.path().join("hooks.log");
    let hook = |name: &str| Hook {
        path: "/bin/sh".into(),
        args: [
            "sh".into(),
            "-c".into(),
            format!("grep -o '\"status\":\"[a-z]*\"' | sed s/^/{name}:/ >> {}", log.display()),
        ]
        .into(),
        env: vec!["PATH=/bin:/usr/bin".into()],
        timeout: Some(10),
    };
    bundle.spec.hooks = Some(Hooks {
        prestart: vec![hook("prestart")],
        create_runtime: vec![hook("createRuntime")],
        create_container: vec![hook("createContainer")],
        poststart: vec![hook("poststart")],
        poststop: vec![hook("poststop")],
        ..Hooks::default()
    });
    assert_eq!(bundle.run().status, 0);
    let text = fs::read_to_string(&log).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]);
    assert!(text.contains("poststop:\"status\":\"stopped\""), "{text}");
}

#[test]
fn a_failing_hook_stops_the_container() {
    let Some(mut bundle) = Bundle::new("failing hook", "echo ran") else { return };
    let hook = Hook { path: "/bin/false".into(), ..Hook::default() };
    bundle.spec.hooks = Some(Hooks { create_runtime: vec![hook], ..Hooks::default() });
    let ran = bundle.run();
    assert_eq!((ran.status, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("error running createRuntime hook #0"), "{ran:?}");
}

#[test]
fn a_container_s_id_is_used_once_and_is_a_plain_name() {
    let Some(bundle) = Bundle::new("ids", "exec sleep 100") else { return };
    bundle.start();
    let again = bundle.run();
    assert_eq!(
        again.err.trim().rsplit(": ").next(),
        Some("container with given ID already exists")
    );
    let path = bundle.path().to_str().unwrap();
    for id in ["../x", "a/b", &"a".repeat(300), "."] {
        let refused = bundle.command(&["create", "--bundle", path, id]);
        assert!(refused.err.contains("invalid container ID format"), "{refused:?}");
    }
}

#[test]
fn the_log_is_what_containerd_reads() {
    let Some(bundle) = Bundle::new("log", "true") else { return };
    let log = bundle.path().join("log.json");
    let output = bundle
        .base()
        .args(["--log", log.to_str().unwrap(), "--log-format", "json", "start", "nothing"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let entry: serde_json::Value = serde_json::from_str(&fs::read_to_string(log).unwrap()).unwrap();
    assert_eq!(entry["level"], "error");
    assert_eq!(entry["msg"], "container does not exist");
}

#[test]
fn a_malformed_configuration_is_named() {
    let Some(bundle) = Bundle::new("malformed", "true") else { return };
    fs::write(bundle.path().join("config.json"), "{\"process\": 3}").unwrap();
    let ran = bundle.command(&["create", "--bundle", bundle.path().to_str().unwrap(), &bundle.id]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("config.json"), "{ran:?}");
}

#[test]
fn signals_to_a_foreground_run_reach_the_program() {
    let script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done";
    let Some(bundle) = Bundle::new("forwarded signal", script) else { return };
    bundle.write();
    let mut command = bundle.base();
    command.args(["run", "--bundle", bundle.path().to_str().unwrap(), &bundle.id]);
    let mut run = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(run.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    await_blocked_signal(run.id(), libc::SIGTERM);
    rustix::process::kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(7));
}

/// The runtime takes signals as data: before it does, they end it.
fn await_blocked_signal(pid: u32, signal: i32) {
    let blocked = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t"));
        u64::from_str_radix(mask.expect("a mask"), 16).expect("hexadecimal") & 1 << (signal - 1)
            != 0
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while !blocked() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(1));
    }
}
