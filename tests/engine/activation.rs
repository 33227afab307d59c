//! Sockets: several, from the file, and with a service manager, which may have bound one (fd://) and is told of start and
//! end.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::engine::{Engine, PATIENCE, binary, finish, wait_for};

/// As a service manager hands it over: descriptor 3, and its number and the receiver in the environment.
const HAND_OVER: &str = r#"export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&0 </dev/null"#;

#[test]
fn an_inherited_socket_is_served_and_left_in_place() {
    let mut engine = Engine::start();
    engine.stop();
    let path = engine.scratch().join("activated");
    let listener = UnixListener::bind(&path).unwrap();
    let daemon = engine.daemon_command();
    let mut activated = Command::new("sh")
        .args(["-c", HAND_OVER, "sh"])
        .arg(daemon.get_program())
        .args(daemon.get_args())
        .args(["-H", "fd://"])
        .stdin(OwnedFd::from(listener))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The connection waits in the socket's queue until the engine is there.
    let host = format!("unix://{}", path.display());
    let version = finish(Command::new(binary("gantry")).args([
        "-H",
        &host,
        "version",
        "--format",
        "{{.Server.Version}}",
    ]));
    kill_process(Pid::from_child(&activated), Signal::TERM).unwrap();
    activated.wait().unwrap();
    assert_eq!(version.ok(), env!("CARGO_PKG_VERSION"));
    assert!(path.exists());
}

#[test]
fn without_a_socket_it_is_refused() {
    let mut engine = Engine::start();
    engine.stop();
    let refused = finish(engine.daemon_command().args(["-H", "fd://"])).fails(1);
    assert!(refused.contains("fd:// was given, but no socket was passed"), "{refused}");
}

/// What a service manager is told, message by message.
#[test]
fn the_service_manager_hears_of_start_reload_and_end() {
    let mut engine = Engine::start();
    engine.stop();
    let path = engine.scratch().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = || {
        let mut buffer = [0; 512];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let mut daemon = engine.daemon_command();
    let mut daemon = daemon.env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(hear(), "READY=1");
    kill_process(Pid::from_child(&daemon), Signal::HUP).unwrap();
    let reloading = hear();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(hear(), "READY=1");
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    assert_eq!(hear(), "STOPPING=1");
    assert!(daemon.wait().unwrap().success());
}

/// Two of ours, one of them IPv6 loopback, and one that the file names.
#[test]
fn several_sockets_are_served_at_once() {
    let port = TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("second");
    // Left by an engine that was killed.
    drop(UnixListener::bind(&socket).unwrap());
    let hosts = [format!("unix://{}", socket.display()), format!("tcp://[::1]:{port}")];
    let engine =
        Engine::start_with(&["-H", &hosts[0], "-H", &hosts[1], "--tlsverify=false", "-G", "65534"]);
    for host in [engine.host(), hosts[0].clone(), hosts[1].clone()] {
        let asked =
            finish(Command::new(binary("gantry")).args(["-H", &host, "info", "-f", "{{.ID}}"]));
        assert_eq!(asked.ok(), engine.gantry(&["info", "-f", "{{.ID}}"]).ok(), "{host}");
    }
    let found = std::fs::metadata(&socket).unwrap();
    assert_eq!((found.gid(), found.mode() & 0o777), (65534, 0o660));
    let warned = engine.gantry(&["info", "-f", "{{json .Warnings}}"]).ok();
    assert!(warned.contains("without encryption"), "{warned}");
    drop(engine);
    assert!(!socket.exists());
}

#[test]
fn hosts_may_be_in_the_file_instead() {
    let mut engine = Engine::start();
    engine.stop();
    let file = engine.scratch().join("daemon.json");
    let socket = engine.scratch().join("from-file");
    let text = format!(
        r#"{{"hosts": ["unix://{}"], "data-root": "{}", "exec-root": "{}", "group": ""}}"#,
        socket.display(),
        engine.data_root().display(),
        engine.exec_root().display()
    );
    std::fs::write(&file, text).unwrap();
    let mut daemon = Command::new(binary("gantryd"))
        .arg("--config-file")
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("it serves", || socket.exists());
    let host = format!("unix://{}", socket.display());
    finish(Command::new(binary("gantry")).args(["-H", &host, "version"])).ok();
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn the_units_are_what_systemd_understands() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    let folder = tempfile::tempdir().unwrap();
    for unit in ["gantry.service", "gantry.socket"] {
        let text = std::fs::read_to_string(units.join(unit)).unwrap();
        // Where the packages put it, which systemd looks for.
        let text = text.replace("/usr/local/bin/gantryd", binary("gantryd").to_str().unwrap());
        std::fs::write(folder.path().join(unit), text).unwrap();
    }
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["verify", "--man=no", "--recursive-errors=no"]);
    analyze.args(["gantry.service", "gantry.socket"].map(|unit| folder.path().join(unit)));
    match analyze.output() {
        Err(_) => testkit::skip("the systemd units", "there is no systemd-analyze"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.contains("gantry."), "{said}");
        }
    }
}
