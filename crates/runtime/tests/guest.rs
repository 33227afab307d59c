//! The built runtime on a host with cgroup v2.

use serde_json::{Value, json};
use testkit::guest::Guest;

/// A container of busybox whose process is `script`.
fn config(script: &str, resources: &Value) -> String {
    let namespaces =
        ["pid", "mount", "ipc", "uts", "network", "cgroup"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.2.0",
        "root": { "path": "rootfs" },
        "process": {
            "args": ["/bin/busybox", "sh", "-c", script],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "user": { "uid": 0, "gid": 0 },
        },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"] },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] },
            { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"] },
        ],
        "linux": { "namespaces": namespaces, "cgroupsPath": "/test/c", "resources": resources },
    })
    .to_string()
}

/// Runs each script in a container with these limits and returns the console.
fn run(resources: &Value, script: &str) -> Option<String> {
    let guest = match Guest::new() {
        Ok(guest) => guest,
        Err(reason) => {
            testkit::skip("runtime on cgroup v2", &reason);
            return None;
        }
    };
    let host = format!(
        "mkdir -p /b/rootfs/bin && cp /bin/busybox /b/rootfs/bin && /b/rootfs/bin/busybox --install -s /b/rootfs/bin
         cat >/b/config.json <<'END'\n{}\nEND
         /gantry-runtime --root /run/gantry-runtime run --bundle /b c; echo \"status $?\"
         ls -d /sys/fs/cgroup/test/c 2>/dev/null && echo left behind; true",
        config(script, resources)
    );
    let outcome = guest
        .file(env!("CARGO_BIN_EXE_gantry-runtime"), "/gantry-runtime")
        .run(&host)
        .expect("the guest boots");
    assert_eq!(outcome.status, Some(0), "{}", outcome.console);
    assert!(!outcome.console.contains("left behind"), "{}", outcome.console);
    Some(outcome.console)
}

#[test]
fn limits_are_those_of_the_container_s_own_cgroup() {
    let resources = json!({
        "memory": { "limit": 33_554_432, "swap": 33_554_432 },
        "cpu": { "quota": 50_000, "period": 100_000, "shares": 512 },
        "pids": { "limit": 20 },
    });
    let script = "cd /sys/fs/cgroup && cat cgroup.procs memory.max cpu.max cpu.weight pids.max && cat /proc/self/cgroup";
    let Some(console) = run(&resources, script) else { return };
    for line in ["1", "33554432", "50000 100000", "20", "20", "0::/", "status 0"] {
        assert!(console.lines().any(|l| l == line), "{line:?} is missing:\n{console}");
    }
}

#[test]
fn a_container_that_wants_too_much_memory_is_killed() {
    let resources = json!({ "memory": { "limit": 16_777_216, "swap": 16_777_216 } });
    let Some(console) = run(&resources, "exec tail /dev/zero") else { return };
    assert!(console.contains("status 137"), "{console}");
}

#[test]
fn devices_outside_the_rules_are_refused() {
    let resources = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    let script = "mknod /dev/kmsg2 c 1 11; (exec </dev/null) && echo null opens; (exec </dev/kmsg2) || echo kmsg does not";
    let Some(console) = run(&resources, script) else { return };
    assert!(console.contains("null opens") && console.contains("kmsg does not"), "{console}");
}
