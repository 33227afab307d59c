//! `gantry inspect`: the fields that scripts read.

use serde_json::Value;
use testkit::engine::Engine;

#[test]
fn the_settings_come_back_as_given() {
    let engine = Engine::with_busybox();
    let flags = [
        "create",
        "--name",
        "box",
        "-m",
        "64m",
        "--cpus",
        "0.5",
        "-e",
        "A=b",
        "-l",
        "k=v",
        "--restart",
        "always",
    ];
    let mut args = flags.to_vec();
    args.extend(["--cap-add", "SYS_TIME", "busybox", "sleep", "1"]);
    engine.gantry(&args).ok();
    let inspect: Value = serde_json::from_str(&engine.gantry(&["inspect", "box"]).ok()).unwrap();
    let container = &inspect[0];
    assert_eq!(container["HostConfig"]["Memory"], 67_108_864);
    assert_eq!(container["HostConfig"]["NanoCpus"], 500_000_000);
    assert_eq!(container["HostConfig"]["RestartPolicy"]["Name"], "always");
    assert_eq!(container["HostConfig"]["CapAdd"], serde_json::json!(["SYS_TIME"]));
    assert_eq!(container["Config"]["Labels"]["k"], "v");
    assert_eq!(container["Path"], "sleep");
    assert_eq!(container["Args"], serde_json::json!(["1"]));
    assert_eq!(container["State"]["Status"], "created");
}

#[test]
fn a_running_container_shows_its_address() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    let address = engine.gantry(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "box"]).ok();
    let inside = engine.gantry(&["exec", "box", "ip", "-4", "addr", "show", "eth0"]).ok();
    assert!(!address.is_empty() && inside.contains(&address), "{address} in {inside}");
}
