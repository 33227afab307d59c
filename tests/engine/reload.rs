//! SIGHUP: what the configuration file says now, without a restart.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;
use testkit::engine::{Engine, finish};

/// An engine with a configuration file, and the file.
fn configured(text: &str) -> (Engine, NamedTempFile) {
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    (Engine::start_with(&["--config-file", file.path().to_str().unwrap()]), file)
}

fn reload(engine: &mut Engine, file: &NamedTempFile, text: &str, sign: &str) {
    fs::write(file, text).unwrap();
    let before = engine.log().matches(sign).count();
    let pid = Pid::from_raw(engine.daemon_pid().cast_signed()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    engine.wait_until(sign, |engine| engine.log().matches(sign).count() > before);
}

fn events(engine: &Engine) -> String {
    let args = ["events", "--since", "1h", "--until", "0s", "--filter", "type=daemon"];
    engine.gantry(&args).ok()
}

#[test]
fn what_docker_reloads_is_reloaded_and_told() {
    let (mut engine, file) = configured(r#"{"labels": ["a=1"]}"#);
    let text = r#"{"labels": ["b=2", "a=1"], "debug": true, "shutdown-timeout": 7, "bip": "10.99.0.1/24",
        "runtimes": {"foo": {"path": "/bin/foo"}}, "default-runtime": "foo", "features": {"x": true},
        "insecure-registries": ["reg:5000"], "max-concurrent-downloads": 9}"#;
    reload(&mut engine, &file, text, "Reloaded configuration");
    let info = [
        "info",
        "--format",
        "{{json .Labels}} {{.Debug}} {{.DefaultRuntime}} {{json .Runtimes.foo}}",
    ];
    assert_eq!(engine.gantry(&info).ok(), r#"["b=2","a=1"] true foo {"path":"/bin/foo"}"#);
    let told = events(&engine);
    assert_eq!(told.lines().count(), 1, "{told}");
    for attribute in [
        " daemon reload ",
        "debug=true",
        "default-runtime=foo",
        "features=map[x:true]",
        "insecure-registries=[\"reg:5000\"]",
        "labels=[\"b=2\",\"a=1\"]",
        "max-concurrent-downloads=9",
        "runtimes=foo:/bin/foo",
        "shutdown-timeout=7",
    ] {
        assert!(told.contains(attribute), "{attribute}: {told}");
    }
    assert!(engine.log().contains("takes a restart"), "the bridge's address does not change");
    // Debug messages come now, and go again.
    engine.gantry(&["inspect", "no-such-thing"]).fails(1);
    assert!(engine.log().contains("level=debug"), "{}", engine.log());
    reload(&mut engine, &file, r#"{"log-level": "error"}"#, "Got signal to reload");
    engine.wait_until("labels are gone", |engine| {
        engine.gantry(&["info", "--format", "{{json .Labels}} {{.Debug}}"]).ok() == "[] false"
    });
}

#[test]
fn a_bad_file_changes_nothing_and_the_log_says_why() {
    let (mut engine, file) = configured(r#"{"labels": ["a=1"], "log-format": "json"}"#);
    for (text, why) in [
        (r#"{"labels": ["a=2"], "nope": 1}"#, "don't match any configuration option: nope"),
        (r#"{"labels": ["a=2"]"#, "unexpected end of JSON input"),
        (
            r#"{"labels": ["a=2"], "hosts": ["unix:///x"]}"#,
            "specified both as a flag and in the configuration file: hosts",
        ),
    ] {
        reload(&mut engine, &file, text, why);
        assert_eq!(engine.gantry(&["info", "--format", "{{json .Labels}}"]).ok(), r#"["a=1"]"#);
    }
    assert_eq!(events(&engine), "");
    let log = engine.log();
    assert!(log.lines().all(|line| line.starts_with("{\"level\":\"")), "{log}");
}

#[test]
fn validation_touches_nothing() {
    let mut engine = Engine::start();
    engine.stop();
    let (data, exec) = (engine.data_root(), engine.exec_root());
    fs::remove_dir_all(&data).unwrap();
    let valid = finish(engine.daemon_command().arg("--validate"));
    assert_eq!(
        (valid.code, valid.stdout.as_str(), valid.stderr.as_str()),
        (0, "", "configuration OK\n")
    );
    for (flag, why) in [
        ("--bip=x", "invalid --bip"),
        ("--host=tcp://1.2.3.4:5", "refusing to serve TCP"),
        ("--host=unix://relative", "the path must be absolute"),
        ("--tlsverify", "TLS needs --tlscacert"),
        ("--selinux-enabled", "selinux-enabled is not supported"),
    ] {
        let said = finish(engine.daemon_command().args(["--validate", flag])).fails(1);
        assert!(said.contains(why), "{flag}: {said}");
    }
    assert!(!data.exists() && exec.exists(), "the exec root was there before");
    engine.launch();
}
