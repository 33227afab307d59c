//! What an engine makes of what it finds when it starts: monitors, what they left, and what somebody did to it.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use testkit::engine::Engine;

fn run(engine: &Engine, name: &str, flags: &[&str], command: &[&str]) -> String {
    let args = [&["run", "-d", "--name", name], flags, &["busybox"], command].concat();
    engine.gantry(&args).ok()
}

fn directory(engine: &Engine, id: &str) -> PathBuf {
    engine.exec_root().join("c").join(id)
}

fn monitor(engine: &Engine, id: &str) -> Pid {
    let text = fs::read(directory(engine, id).join("monitor.pid")).unwrap();
    let identity: serde_json::Value = serde_json::from_slice(&text).unwrap();
    Pid::from_raw(i32::try_from(identity["pid"].as_i64().unwrap()).unwrap()).unwrap()
}

fn init(engine: &Engine, container: &str) -> Pid {
    let pid = inspect(engine, container, "{{.State.Pid}}");
    Pid::from_raw(pid.parse().unwrap()).unwrap()
}

fn wait_for_end(engine: &mut Engine, pid: Pid) {
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    engine.wait_until("the process is gone", |_| !fs::exists(&process).unwrap());
}

fn inspect(engine: &Engine, container: &str, format: &str) -> String {
    engine.gantry(&["inspect", "-f", format, container]).ok()
}

fn status(engine: &Engine, container: &str) -> String {
    inspect(engine, container, "{{.State.Status}} {{.State.ExitCode}}")
}

fn events(engine: &Engine, container: &str, event: &str) -> Vec<String> {
    let filters = [format!("container={container}"), format!("event={event}")];
    let [container, event] = &filters;
    let range = ["events", "--since", "1h", "--until", "0s", "--format", "{{.TimeNano}}"];
    let args = [&range[..], &["--filter", container, "--filter", event]].concat();
    engine.gantry(&args).ok().lines().map(str::to_owned).collect()
}

/// Nine digits that no two moments share by chance.
fn nanoseconds(time: &serde_json::Value) -> &str {
    time.as_str().unwrap().strip_suffix('Z').unwrap().rsplit_once('.').unwrap().1
}

#[test]
fn an_end_while_no_engine_ran_is_told_once_with_its_real_time() {
    let mut engine = Engine::with_busybox();
    let id = run(&engine, "box", &[], &["sh", "-c", "sleep 0.3; exit 7"]);
    let monitor = monitor(&engine, &id);
    engine.kill();
    wait_for_end(&mut engine, monitor);
    let record = fs::read(directory(&engine, &id).join("exit.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    for _ in 0..3 {
        engine.launch();
        assert_eq!(status(&engine, "box"), "exited 7");
        assert_eq!(inspect(&engine, "box", "{{.State.FinishedAt}}"), record["finished_at"]);
        let died = events(&engine, "box", "die");
        assert_eq!(died.len(), 1);
        assert!(died[0].ends_with(nanoseconds(&record["finished_at"])), "{died:?} {record}");
        engine.kill();
    }
    engine.launch();
    assert!(!directory(&engine, &id).exists());
}

#[test]
fn a_container_that_removes_itself_is_removed_when_the_next_engine_finds_it_ended() {
    let mut engine = Engine::with_busybox();
    let id = run(&engine, "box", &["--rm"], &["sleep", "0.3"]);
    let monitor = monitor(&engine, &id);
    engine.kill();
    wait_for_end(&mut engine, monitor);
    engine.launch();
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
    assert!(!directory(&engine, &id).exists());
    assert!(!engine.data_root().join("containers").join(&id).exists());
    assert_eq!(events(&engine, &id, "destroy").len(), 1);
}

#[test]
fn a_container_that_removes_itself_and_never_ran_is_removed_by_the_next_engine() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["create", "--rm", "--name", "lost", "-v", "/own", "busybox", "true"]).ok();
    engine.gantry(&["create", "--name", "kept", "-v", "/own", "busybox", "true"]).ok();
    let lost = inspect(&engine, "lost", "{{.Id}}");
    engine.kill();
    engine.launch();
    assert_eq!(engine.gantry(&["ps", "-a", "--format", "{{.Names}}"]).ok(), "kept");
    assert_eq!(engine.gantry(&["volume", "ls", "-q"]).ok().lines().count(), 1);
    assert_eq!(events(&engine, &lost, "destroy").len(), 1);
    assert!(!engine.data_root().join("containers").join(&lost).exists());
    engine.gantry(&["start", "-a", "kept"]).ok();
}

#[test]
fn a_monitor_that_is_killed_takes_its_paused_container_with_it() {
    let mut engine = Engine::with_busybox();
    let id = run(&engine, "box", &[], &["sleep", "300"]);
    engine.gantry(&["pause", "box"]).ok();
    kill_process(monitor(&engine, &id), Signal::KILL).unwrap();
    engine.wait_until("its container is dead", |engine| status(engine, "box") == "exited 255");
    assert!(inspect(&engine, "box", "{{.State.Error}}").contains("monitor was killed"));
    assert_eq!(events(&engine, "box", "die").len(), 1);
}

#[test]
fn monitor_and_engine_killed_together() {
    let mut engine = Engine::with_busybox();
    let id = run(&engine, "box", &[], &["sleep", "300"]);
    let init = init(&engine, "box");
    let monitor = monitor(&engine, &id);
    kill_process(monitor, Signal::KILL).unwrap();
    engine.kill();
    wait_for_end(&mut engine, monitor);
    engine.launch();
    assert_eq!(status(&engine, "box"), "exited 255");
    wait_for_end(&mut engine, init);
    assert_eq!(events(&engine, "box", "die").len(), 1);
    engine.gantry(&["start", "box"]).ok();
}

/// The record is written atomically, so that this takes more than a crash.
#[test]
fn an_exit_record_that_does_not_read_is_an_unknown_end() {
    for garbage in ["", "{\"status\":", "\0\0\0\0", "[]"] {
        let mut engine = Engine::with_busybox();
        let id = run(&engine, "box", &[], &["sleep", "0.2"]);
        let monitor = monitor(&engine, &id);
        engine.kill();
        wait_for_end(&mut engine, monitor);
        fs::write(directory(&engine, &id).join("exit.json"), garbage).unwrap();
        engine.launch();
        assert_eq!(status(&engine, "box"), "exited 255", "{garbage:?}");
    }
}

/// What a restart of the host looks like: no monitor of this boot, and restart policies apply.
#[test]
fn after_a_restart_of_the_host_what_ran_is_255_and_policies_apply() {
    let mut engine = Engine::with_busybox();
    let plain = run(&engine, "plain", &[], &["sleep", "300"]);
    let always = run(&engine, "always", &["--restart", "always"], &["sleep", "300"]);
    let stopped = ["--restart", "unless-stopped"];
    run(&engine, "stopped", &stopped, &["sleep", "300"]);
    engine.gantry(&["kill", "stopped"]).ok();
    restart_host(&mut engine, &[&plain, &always]);
    assert_eq!(status(&engine, "plain"), "exited 255");
    engine.wait_until("it was started again", |engine| status(engine, "always") == "running 0");
    assert_eq!(status(&engine, "stopped"), "exited 137");
}

/// Containers come back after those of the services that theirs depend on, though not before these are healthy.
#[test]
fn after_a_restart_of_the_host_services_come_back_in_their_order() {
    let mut engine = Engine::with_busybox();
    let label = |key: &str, value: &str| format!("--label=com.docker.compose.{key}={value}");
    let service = |name: &str, more: &[&str]| {
        let labels = [label("project", "p"), label("service", name)];
        let options = ["--restart", "always", &labels[0], &labels[1]];
        run(&engine, name, &[&options, more].concat(), &["sleep", "300"])
    };
    let check = [
        "--health-cmd",
        "test -e /ready",
        "--health-interval",
        "100ms",
        "--health-retries",
        "9999",
    ];
    let web = service("web", &[&label("depends_on", "db:service_healthy:false")]);
    let db = service("db", &check);
    restart_host(&mut engine, &[&web, &db]);
    engine.wait_until("the database is there", |engine| status(engine, "db") == "running 0");
    let before =
        engine.gantry(&["exec", "db", "sh", "-c", "date -u +%Y-%m-%dT%H:%M:%S; touch /ready"]).ok();
    engine.wait_until("what needs it is there", |engine| status(engine, "web") == "running 0");
    let started = engine.gantry(&["inspect", "-f", "{{.State.StartedAt}}", "web"]).ok();
    assert!(started >= before, "{started} {before}");
}

/// What one looks like: no monitor of this boot is left.
fn restart_host(engine: &mut Engine, ids: &[&str]) {
    let monitors: Vec<_> = ids.iter().map(|id| monitor(engine, id)).collect();
    engine.kill();
    for pid in monitors {
        kill_process(pid, Signal::KILL).unwrap();
        wait_for_end(engine, pid);
    }
    for id in ids {
        let path = directory(engine, id).join("monitor.pid");
        let mut identity: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        identity["boot_id"] = "another boot".into();
        // Any process of this boot may have got the number.
        identity["pid"] = 1.into();
        fs::write(&path, identity.to_string()).unwrap();
    }
    engine.launch();
}

#[test]
fn an_exec_root_that_was_wiped_leaves_no_container_without_a_keeper() {
    let mut engine = Engine::with_busybox();
    let id = run(&engine, "box", &[], &["sleep", "300"]);
    let init = init(&engine, "box");
    let monitor = monitor(&engine, &id);
    engine.kill();
    // A mount may be in it.
    for entry in fs::read_dir(engine.exec_root()).unwrap().flatten() {
        if entry.file_name() != "favordynmods" {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
    engine.launch();
    assert_eq!(status(&engine, "box"), "exited 255");
    wait_for_end(&mut engine, init);
    wait_for_end(&mut engine, monitor);
    engine.gantry(&["start", "box"]).ok();
    assert_eq!(engine.gantry(&["exec", "box", "echo", "again"]).ok(), "again");
}

/// An engine that was killed in the middle of a start told nobody that the container runs.
#[test]
fn a_container_whose_start_nobody_was_told_of_is_ended() {
    let mut engine = Engine::with_busybox();
    let id = run(&engine, "box", &[], &["sleep", "300"]);
    let init = init(&engine, "box");
    let monitor = monitor(&engine, &id);
    // The database as it was before the start.
    let other = engine.gantry(&["create", "--name", "other", "busybox", "sleep", "300"]).ok();
    engine.kill();
    fs::rename(directory(&engine, &id), directory(&engine, &other)).unwrap();
    engine.launch();
    wait_for_end(&mut engine, monitor);
    wait_for_end(&mut engine, init);
    assert!(!directory(&engine, &other).exists());
    assert_eq!(status(&engine, "other"), "created 0");
    engine.gantry(&["start", "other"]).ok();
}

#[test]
fn a_container_that_was_held_for_a_commit_goes_on_when_the_engine_is_killed_in_it() {
    let mut engine = Engine::with_busybox();
    let script = "head -c 300000000 /dev/urandom >/big; echo ready; sleep 300";
    run(&engine, "box", &["--network", "none"], &["sh", "-c", script]);
    engine
        .wait_until("it has written", |engine| !engine.gantry(&["logs", "box"]).stdout.is_empty());
    run(&engine, "still", &["--network", "none"], &["sleep", "300"]);
    engine.gantry(&["pause", "still"]).ok();
    let mut commit = engine.command(&["commit", "box", "half:1"]);
    let mut commit = commit.stderr(std::process::Stdio::null()).spawn().unwrap();
    engine.wait_until("it is paused", |engine| status(engine, "box") == "paused 0");
    engine.kill();
    assert!(!commit.wait().unwrap().success(), "it was to be cut off");
    engine.launch();
    assert_eq!(status(&engine, "box"), "running 0");
    assert_eq!(engine.gantry(&["exec", "box", "echo", "alive"]).ok(), "alive");
    assert_eq!(status(&engine, "still"), "paused 0", "who asked for a pause has it");
    engine.gantry(&["unpause", "still"]).ok();
}
