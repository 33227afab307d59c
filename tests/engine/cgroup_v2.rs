//! The whole engine on a host with cgroup v2, in the guest.

use std::time::Duration;

use testkit::engine::{binary, image_archive};
use testkit::guest::Guest;

pub(crate) const START: &str = r#"
start() {
    /gantryd --data-root /data --exec-root /run/gantry -H unix:///socket >/gantryd.log 2>&1 &
    engine=$!
    tries=0
    until /gantry -H unix:///socket version >/dev/null 2>&1; do
        tries=$((tries+1)); [ $tries -gt 300 ] && cat /gantryd.log && exit 9
        sleep 0.1
    done
}
start
g() { /gantry -H unix:///socket "$@"; }
g load -q -i /busybox.tar
"#;

/// Runs a script in a guest in which `g` is `gantry`, and returns the console.
fn with_engine(script: &str) -> Option<String> {
    Some(run(guest("the engine on cgroup v2")?, &format!("{START}{script}")))
}

/// A guest with the programs and the image busybox in its root directory.
pub(crate) fn guest(test: &str) -> Option<Guest> {
    let guest = match Guest::new() {
        Ok(guest) => guest,
        Err(reason) => {
            testkit::skip(test, &reason);
            return None;
        }
    };
    let guest = ["gantry", "gantryd", "gantry-runtime"]
        .into_iter()
        .fold(guest, |guest, name| guest.file(binary(name), &format!("/{name}")));
    Some(guest.file(image_archive("busybox"), "/busybox.tar").memory(1024))
}

/// Returns the console of a script that ends well.
pub(crate) fn run(guest: Guest, script: &str) -> String {
    let outcome = guest.limit(Duration::from_secs(300)).run(script).expect("the guest boots");
    assert_eq!(outcome.status, Some(0), "{}", outcome.console);
    outcome.console
}

#[track_caller]
pub(crate) fn shows(console: &str, line: &str) {
    assert!(
        console.lines().any(|shown| shown.trim_end() == line),
        "no line {line:?} in\n{console}"
    );
}

#[test]
fn limits_are_enforced_and_running_out_of_memory_is_reported() {
    let script = r#"
echo "memory $(g run --rm --memory 32m busybox cat /sys/fs/cgroup/memory.max)"
echo "cpu $(g run --rm --cpus 0.5 busybox cat /sys/fs/cgroup/cpu.max)"
echo "pids $(g run --rm --pids-limit 20 busybox cat /sys/fs/cgroup/pids.max)"
g run --rm --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done' 2>&1 | grep -c "can't fork" | sed 's/^/refused forks /'
g run --name glutton --memory 16m --memory-swap 16m busybox sh -c 'x=a; while :; do x=$x$x; done'
echo "glutton $? $(g inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' glutton)"
g run --rm busybox sh -c 'mknod /disk b 1 0; head -c1 /disk' 2>&1 | sed 's/^/device: /'
g run --rm --device-cgroup-rule 'b 1:0 r' busybox sh -c 'mknod /disk b 1 0; head -c1 /disk >/dev/null' 2>&1 | sed 's/^/allowed: /'
g run -d --name box busybox sleep 60 >/dev/null; g pause box >/dev/null
echo "frozen $(g inspect -f '{{.State.Status}}' box)"; g unpause box >/dev/null; g rm -f box >/dev/null
echo "driver $(g info --format '{{.CgroupVersion}}')"
head -c 8388608 /dev/zero >/disk.img; losetup /dev/loop0 /disk.img
throttles="--device-write-bps /dev/loop0:1mb --device-read-iops /dev/loop0:100"
echo "throttled $(g run --rm $throttles busybox cat /sys/fs/cgroup/io.max)"
weight='cat /sys/fs/cgroup/io.bfq.weight 2>/dev/null || cat /sys/fs/cgroup/io.weight'
echo "weight $(g run --rm --blkio-weight 300 busybox sh -c "$weight" 2>&1)"
g run --rm --cpu-rt-runtime 1000 busybox true 2>&1 | sed 's/^/realtime: /'
g run --rm --cpu-rt-period 1000000 busybox true 2>&1 | sed 's/^/realtime period: /'
g run --rm --memory-swappiness 10 busybox true 2>&1 | sed 's/^/swappiness: /'
"#;
    let Some(console) = with_engine(script) else { return };
    shows(&console, "memory 33554432");
    shows(&console, "cpu 50000 100000");
    shows(&console, "pids 20");
    assert!(!console.contains("refused forks 0"), "{console}");
    shows(&console, "glutton 137 true 137");
    shows(&console, "device: head: /disk: Operation not permitted");
    assert!(!console.contains("allowed: head: /disk: Operation not permitted"), "{console}");
    shows(&console, "frozen paused");
    shows(&console, "driver 2");
    shows(&console, "throttled 7:0 rbps=max wbps=1048576 riops=100 wiops=max");
    shows(&console, "weight default 2930");
    for option in ["realtime", "realtime period"] {
        let refusal =
            "Error response from daemon: Your kernel does not support CPU real-time scheduler.";
        shows(&console, &format!("{option}: gantry: {refusal}"));
    }
    shows(
        &console,
        "swappiness: WARNING: Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.",
    );
}
