//! The engine and the monitors are killed; what was acknowledged is still there, and nothing is told twice.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testkit::engine::Engine;

const CONTAINERS: usize = 20;
const KILLS: usize = 10;
const LINES: usize = 400;

/// Every fourth container ends by itself meanwhile, with its number as exit code.
fn script(n: usize) -> String {
    if n.is_multiple_of(4) {
        format!(
            "i=0; while [ $i -lt {LINES} ]; do echo $i; i=$((i+1)); usleep 5000; done; exit {n}"
        )
    } else {
        "i=0; while :; do echo $i; i=$((i+1)); usleep 5000; done".to_owned()
    }
}

#[track_caller]
fn numbered_without_gap_or_double(log: &str) -> usize {
    for (expected, line) in log.lines().enumerate() {
        assert_eq!(line, expected.to_string());
    }
    log.lines().count()
}

#[test]
fn twenty_containers_outlive_ten_killed_engines() {
    let mut engine = Engine::with_busybox();
    for n in 0..CONTAINERS {
        let name = format!("box{n}");
        engine.gantry(&["run", "-d", "--name", &name, "busybox", "sh", "-c", &script(n)]).ok();
    }
    for kill in 0..KILLS {
        // Not the same moment each time: from within start-up to well into serving.
        std::thread::sleep(Duration::from_millis(37 * (kill as u64 * 7 % 10)));
        engine.kill();
        engine.launch();
    }
    for n in (0..CONTAINERS).step_by(4) {
        let name = format!("box{n}");
        assert_eq!(engine.gantry(&["wait", &name]).ok(), n.to_string());
        let log = engine.gantry(&["logs", &name]).ok();
        assert_eq!(numbered_without_gap_or_double(&log), LINES, "{name}");
        let filter = format!("container={name}");
        let args = [
            "events",
            "--since",
            "1h",
            "--until",
            "0s",
            "--filter",
            "event=die",
            "--filter",
            &filter,
        ];
        let deaths = engine.gantry(&args).ok();
        assert_eq!(deaths.lines().count(), 1, "{name} dies once:\n{deaths}");
    }
    let running = engine.gantry(&["ps", "-q"]).ok();
    assert_eq!(running.lines().count(), CONTAINERS - CONTAINERS.div_ceil(4));
    for id in running.lines() {
        engine.gantry(&["kill", id]).ok();
        numbered_without_gap_or_double(&engine.gantry(&["logs", id]).ok());
    }
}

#[test]
fn following_a_log_goes_on_in_the_next_engine() {
    let mut engine = Engine::with_busybox();
    let script = format!(
        "i=0; while [ $i -lt {LINES} ]; do echo $i; echo $i; i=$((i+1)); usleep 3000; done"
    );
    for (name, tty) in [("box", "--tty=false"), ("terminal", "--tty")] {
        let run = ["run", "-d", "--name", name, tty, "busybox", "sh", "-c", &script];
        engine.gantry(&run).ok();
    }
    let follow = |engine: &Engine, flags: &[&str], name: &str| {
        let args = [&["logs", "-f"], flags, &[name]].concat();
        engine.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let followers = ["box", "terminal"].map(|name| {
        let timed = follow(&engine, &["-t"], name);
        [(follow(&engine, &[], name), false), (timed, true)]
    });
    for kill in 0..4 {
        std::thread::sleep(Duration::from_millis(150 + 40 * kill));
        if kill % 2 == 0 {
            engine.kill()
        } else {
            engine.stop()
        }
        engine.launch();
    }
    let twice: String = (0..LINES).map(|i| format!("{i}\n{i}\n")).collect();
    for (follower, is_timed) in followers.into_iter().flatten() {
        let output = follower.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success());
        let mut text = String::from_utf8(output.stdout).unwrap();
        if is_timed {
            text = text.lines().map(|line| format!("{}\n", &line[31..])).collect();
        }
        assert_eq!(text.replace("\r\n", "\n"), twice);
    }
}

#[test]
fn an_attached_session_goes_on() {
    let mut engine = Engine::with_busybox();
    let mut session = engine.command(&["run", "-i", "--name", "box", "busybox", "cat"]);
    let mut session = session.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    engine.wait_until("it runs", |engine| {
        engine.gantry(&["inspect", "-f", "{{.State.Running}}", "box"]).stdout == "true\n"
    });
    engine.kill();
    session.stdin.as_mut().unwrap().write_all(b"still here\n").unwrap();
    let mut echoed = [0; 11];
    session.stdout.as_mut().unwrap().read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"still here\n");
    engine.launch();
    session.stdin.as_mut().unwrap().write_all(b"and now\n").unwrap();
    let mut echoed = [0; 8];
    session.stdout.as_mut().unwrap().read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"and now\n");
    engine.gantry(&["kill", "box"]).ok();
    assert_eq!(session.wait().unwrap().code(), Some(137));
}

#[test]
fn a_session_whose_container_removes_itself_while_no_engine_runs_has_its_exit_code() {
    let mut engine = Engine::with_busybox();
    let script = "read line; exit $line";
    let mut session =
        engine.command(&["run", "-i", "--rm", "--name", "box", "busybox", "sh", "-c", script]);
    let mut session = session.stdin(Stdio::piped()).spawn().unwrap();
    engine.wait_until("it runs", |engine| {
        engine.gantry(&["inspect", "-f", "{{.State.Running}}", "box"]).stdout == "true\n"
    });
    let id = engine.gantry(&["inspect", "-f", "{{.Id}}", "box"]).ok();
    let directory = engine.exec_root().join("c").join(id);
    engine.kill();
    session.stdin.take().unwrap().write_all(b"9\n").unwrap();
    engine.wait_until("it has ended", |_| directory.join("exit.json").exists());
    engine.launch();
    assert_eq!(session.wait().unwrap().code(), Some(9));
}

/// Its stream goes on, its exit code is known to the next engine, and both ends are told of once.
#[test]
fn exec_sessions_go_on() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    let script = "read line; echo heard $line; exit 7";
    let mut session = engine.command(&["exec", "-i", "box", "sh", "-c", script]);
    let mut session = session.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    engine.wait_until("it is listed", |engine| {
        engine.gantry(&["inspect", "-f", "{{.ExecIDs}}", "box"]).ok().len() > 64
            && engine.gantry(&["top", "box"]).ok().contains("read line")
    });
    // These end while no engine runs.
    let short = ["exec", "-d", "box", "sh", "-c", "sleep 0.3; exit 3"];
    engine.gantry(&short).ok();
    let exec_files = std::fs::read_dir(engine.exec_root().join("c")).unwrap().flatten();
    let exec_files = exec_files.map(|entry| entry.path().join("exec")).next().unwrap();
    engine.kill();
    engine.wait_until("the detached one has ended", |_| {
        let files = std::fs::read_dir(&exec_files).unwrap().flatten();
        files.filter(|f| f.file_name().to_string_lossy().ends_with("exit.json")).count() == 1
    });
    engine.launch();
    session.stdin.as_mut().unwrap().write_all(b"you\n").unwrap();
    let output = session.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "heard you\n");
    assert_eq!(output.status.code(), Some(7));
    let ends = ["events", "--since", "1h", "--until", "0s", "--filter", "event=exec_die"];
    let mut ends: Vec<String> =
        engine.gantry(&ends).ok().lines().map(|line| exit_code(line).to_owned()).collect();
    ends.sort();
    assert_eq!(ends, ["3", "7"]);
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.ExecIDs}}", "box"]).ok(), "[]");
}

fn exit_code(event: &str) -> &str {
    let (_, code) = event.split_once("exitCode=").unwrap();
    code.split(|c: char| !c.is_ascii_digit()).next().unwrap()
}

#[test]
fn a_dead_monitor_is_recorded_with_its_reason() {
    let mut engine = Engine::with_busybox();
    let id = engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    let pids = std::fs::read(engine.exec_root().join("c").join(&id).join("monitor.pid")).unwrap();
    let pids: serde_json::Value = serde_json::from_slice(&pids).unwrap();
    let pid = i32::try_from(pids["pid"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    engine.wait_until("its container is dead", |engine| {
        engine.gantry(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "box"]).ok()
            == "exited 255"
    });
    let reason = engine.gantry(&["inspect", "-f", "{{.State.Error}}", "box"]).ok();
    assert!(reason.contains("monitor"), "{reason}");
}

#[test]
fn restart_policies_apply_to_what_ended_while_no_engine_ran() {
    let mut engine = Engine::with_busybox();
    engine
        .gantry(&[
            "run",
            "-d",
            "--name",
            "always",
            "--restart",
            "always",
            "busybox",
            "sleep",
            "0.5",
        ])
        .ok();
    engine.gantry(&["run", "-d", "--name", "never", "busybox", "sleep", "0.5"]).ok();
    let pids = engine.gantry(&["inspect", "-f", "{{.State.Pid}}", "always", "never"]).ok();
    engine.kill();
    // The monitors tell no engine now: the processes are seen to end.
    testkit::engine::wait_for("both have ended", || {
        pids.lines().all(|pid| !Path::new("/proc").join(pid).exists())
    });
    engine.launch();
    engine.wait_until("it was started again", |engine| {
        engine.gantry(&["inspect", "-f", "{{.RestartCount}}", "always"]).ok() != "0"
    });
    assert_eq!(
        engine.gantry(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "never"]).ok(),
        "exited 0"
    );
}
