//! fd://: a service manager has bound the socket.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::engine::{Engine, binary, finish};

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
