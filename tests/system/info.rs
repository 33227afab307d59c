//! version and info, and what the command line says when something is wrong.

use testkit::engine::{Engine, binary, finish};

#[test]
fn version_shows_client_and_server() {
    let engine = Engine::start();
    let version =
        engine.gantry(&["version", "--format", "{{.Client.Version}} {{.Server.Version}}"]).ok();
    let (client, server) = version.split_once(' ').unwrap();
    assert_eq!(client, server);
    let minimum = engine.gantry(&["version", "--format", "{{.Server.MinAPIVersion}}"]).ok();
    assert_eq!(minimum, "1.24");
}

#[test]
fn info_counts_containers_and_images() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "busybox", "sleep", "300"]).ok();
    engine.gantry(&["create", "busybox"]).ok();
    let counts = engine
        .gantry(&["info", "--format", "{{.Containers}} {{.ContainersRunning}} {{.Images}}"])
        .ok();
    assert_eq!(counts, "2 1 1");
}

#[test]
fn an_unknown_command_is_named() {
    let out = finish(std::process::Command::new(binary("gantry")).arg("frobnicate")).fails(1);
    assert!(out.contains("'frobnicate' is not a gantry command"), "{out}");
}

#[test]
fn a_socket_nobody_listens_on() {
    let out = finish(std::process::Command::new(binary("gantry")).args([
        "-H",
        "unix:///nonexistent/s",
        "ps",
    ]))
    .fails(1);
    assert!(out.contains("Cannot connect to the"), "{out}");
}
