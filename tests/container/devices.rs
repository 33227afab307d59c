//! Devices by path, by number, and by the names that the administrator's files give them.

use std::fs;

use testkit::engine::Engine;

const DESCRIPTION: &str = r#"{
    "cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
    "containerEdits": {"env": ["DRIVER=here"]},
    "devices": [{"name": "0", "containerEdits": {
        "env": ["NUMBER=0"],
        "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null", "permissions": "rw"}],
        "mounts": [{"hostPath": "SCRATCH/library", "containerPath": "/opt/library", "options": ["ro"]}],
        "hooks": [{"hookName": "createRuntime", "path": "/bin/sh", "args": ["sh", "-c", "cat > SCRATCH/hook"]}]
    }}]}"#;

/// An engine with one described device.
fn engine(dir: &std::path::Path) -> Engine {
    let text = DESCRIPTION.replace("SCRATCH", &dir.to_string_lossy());
    fs::create_dir(dir.join("cdi")).unwrap();
    fs::write(dir.join("cdi/gpu.json"), text).unwrap();
    // Of no writer, and no description.
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let fifo = dir.join("cdi/fifo.json");
    rustix::fs::mknodat(rustix::fs::CWD, fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    fs::write(dir.join("library"), "of the driver").unwrap();
    let engine = Engine::start_with(&["--cdi-spec-dir", &dir.join("cdi").to_string_lossy()]);
    engine.load("busybox");
    engine
}

#[test]
fn a_named_device_comes_with_its_files_variables_and_hooks() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    let script = "echo x > /dev/gpu0 && cat /opt/library && echo && echo $DRIVER $NUMBER";
    for flag in ["--device=nvidia.com/gpu=0", "--gpus=1", "--gpus=all", "--gpus=device=0"] {
        let args = ["run", "--rm", "--network", "none", flag, "busybox", "sh", "-c", script];
        assert_eq!(engine.gantry(&args).ok(), "of the driver\nhere 0", "{flag}");
    }
    let state = fs::read_to_string(dir.path().join("hook")).unwrap();
    assert!(state.contains("\"bundle\""), "a hook reads the container's state: {state}");
}

#[test]
fn a_device_that_nobody_describes_is_refused_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    let said = |flags: &[&str]| {
        engine.gantry(&[&["run", "--rm"], flags, &["busybox", "true"]].concat()).fails(125)
    };
    let missing = said(&["--device", "nvidia.com/gpu=7"]);
    assert!(missing.contains("unresolvable CDI devices nvidia.com/gpu=7"), "{missing}");
    let other = said(&["--gpus", "driver=other,count=all"]);
    let expected = "could not select device driver \"other\" with capabilities: [[gpu]]";
    assert!(other.contains(expected), "{other}");
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}

#[test]
fn an_image_or_a_label_names_no_device() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    let label = "cdi.k8s.io/x=nvidia.com/gpu=0";
    let script = "test ! -e /dev/gpu0 && echo $DRIVER-";
    let flags = ["run", "--rm", "--label", label, "--annotation", label, "-e"];
    let args =
        [&flags[..], &["NVIDIA_VISIBLE_DEVICES=all", "busybox", "sh", "-c", script]].concat();
    assert_eq!(engine.gantry(&args).ok(), "-");
}

/// A device whose hooks each write a line: their kind, and what the container was.
fn engine_with_hooks(dir: &std::path::Path) -> Engine {
    let kinds =
        ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    let hook = |kind: &str| {
        let script = format!(
            "s=$(grep -o '\"status\":\"[a-z]*\"'); echo {kind} $s >> {}",
            dir.join("told").display()
        );
        // In the container's root there is only that of the image.
        let (path, arg0) = ("/bin/sh", "sh");
        serde_json::json!({ "hookName": kind, "path": path, "args": [arg0, "-c", script],
            "env": ["PATH=/bin:/usr/bin"] })
    };
    let mounts =
        serde_json::json!([{ "hostPath": dir, "containerPath": dir, "options": ["rbind"] }]);
    let device = |name: &str, hooks: Vec<serde_json::Value>| serde_json::json!({ "name": name, "containerEdits": { "hooks": hooks, "mounts": mounts } });
    let failing = |kind: &str| {
        serde_json::json!({ "hookName": kind, "path": "/bin/sh",
            "args": ["sh", "-c", "echo no luck >&2; exit 3"] })
    };
    let all: Vec<_> = kinds.map(hook).into();
    let with = |kind: &str| [all.clone(), vec![failing(kind)]].concat();
    let text = serde_json::json!({
        "cdiVersion": "0.6.0", "kind": "acme.com/x",
        "devices": [
            device("good", all.clone()),
            device("poststart", with("poststart")),
            device("create", with("createRuntime")),
        ],
    });
    fs::create_dir(dir.join("cdi")).unwrap();
    fs::write(dir.join("cdi/x.json"), text.to_string()).unwrap();
    let engine = Engine::start_with(&["--cdi-spec-dir", &dir.join("cdi").to_string_lossy()]);
    engine.load("busybox");
    engine
}

/// What the hooks have written since the last time.
fn told(dir: &std::path::Path) -> String {
    let path = dir.join("told");
    let text = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, "").unwrap();
    text.replace("\"status\":", "").replace('"', "")
}

const BEFORE: &str =
    "prestart creating\ncreateRuntime creating\ncreateContainer creating\nstartContainer created\n";

#[test]
fn hooks_run_at_every_point_of_a_container_s_life() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = engine_with_hooks(dir.path());
    let run = |engine: &Engine, flags: &[&str], command: &[&str]| {
        let device = ["run", "--network", "none"];
        engine.gantry(&[&device[..], flags, &["busybox"], command].concat())
    };
    run(&engine, &["--rm", "--device", "acme.com/x=good"], &["true"]).ok();
    let whole = format!("{BEFORE}poststart running\npoststop stopped\n");
    assert_eq!(told(dir.path()), whole);

    // A hook that fails ends the container, and what follows its end is run all the same.
    let said = run(&engine, &["--rm", "--device", "acme.com/x=poststart"], &["sleep", "100"]);
    let said = said.fails(125);
    assert!(said.contains("error running poststart hook #1") && said.contains("no luck"), "{said}");
    assert_eq!(told(dir.path()), whole);
    let said = run(&engine, &["--rm", "--device", "acme.com/x=create"], &["true"]).fails(125);
    assert!(said.contains("error running createRuntime hook #1"), "{said}");
    let (made, _) = BEFORE.split_at(BEFORE.find("createContainer").unwrap());
    assert_eq!(told(dir.path()), format!("{made}poststop stopped\n"));
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");

    // Killed with its monitor, its hooks are run by the engine: by the one that is there, or by the next.
    for engine_is_killed in [false, true] {
        run(&engine, &["-d", "--name", "box", "--device", "acme.com/x=good"], &["sleep", "100"])
            .ok();
        assert_eq!(told(dir.path()), format!("{BEFORE}poststart running\n"));
        if engine_is_killed {
            engine.kill();
        }
        kill_monitor(&engine);
        if engine_is_killed {
            engine.launch();
        }
        let ended = engine.gantry(&["wait", "box"]);
        assert!(ended.stderr.contains("the container"), "{ended:?}");
        let code = engine.gantry(&["inspect", "-f", "{{.State.ExitCode}}", "box"]).ok();
        assert_eq!(code, "255");
        assert_eq!(told(dir.path()), "poststop stopped\n");
        engine.gantry(&["rm", "box"]).ok();
    }
}

/// That of the one container there is.
fn kill_monitor(engine: &Engine) {
    let mut containers = fs::read_dir(engine.exec_root().join("c")).unwrap();
    let directory = containers.next().unwrap().unwrap().path();
    let text = fs::read_to_string(directory.join("monitor.pid")).unwrap();
    let identity: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pid = i32::try_from(identity["pid"].as_i64().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
