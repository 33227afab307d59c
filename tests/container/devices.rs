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
