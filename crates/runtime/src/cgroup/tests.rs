//! On the running kernel's own hierarchies, below /gantry-test-*: on the host those of its layout, and
//! by [`all_of_these_on_cgroup_v2`] on v2.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use oci::runtime::{Cpu, DeviceRule, Memory, Pids, Resources};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Cgroup, Driver, Layout, layout};

/// Set in the guest, whose only cgroup hierarchy is of version 2.
const IN_GUEST: &str = "GANTRY_IN_GUEST";

struct Scratch {
    cgroup: Cgroup,
    children: Vec<Child>,
}

impl Scratch {
    fn new(name: &str, resources: &Resources) -> Self {
        let path = format!("/gantry-test-{name}-{}", std::process::id());
        let mut cgroup = Cgroup::open(Driver::Cgroupfs, &path, "unused").unwrap();
        cgroup.create(resources).unwrap();
        Self { cgroup, children: Vec::new() }
    }

    fn run(&mut self, script: &str) -> ExitStatus {
        self.spawn(script);
        self.children.last_mut().unwrap().wait().unwrap()
    }

    fn spawn(&mut self, script: &str) -> i32 {
        // Waits for a line, so that it is in the cgroup before it does anything.
        let child = Command::new("/bin/sh")
            .args(["-c", &format!("read go; {script}")])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        self.children.push(child);
        self.cgroup.add(pid).unwrap();
        use std::io::Write;
        let stdin = self.children.last_mut().unwrap().stdin.as_mut().unwrap();
        stdin.write_all(b"go\n").unwrap();
        pid
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = self.cgroup.kill();
        for child in &mut self.children {
            let _ = child.wait();
        }
        let deleted = self.cgroup.delete();
        if !std::thread::panicking() {
            deleted.unwrap();
            assert!(!self.cgroup.exists());
        }
    }
}

#[test]
fn limits_are_in_the_files_and_in_the_stats() {
    let resources = Resources {
        memory: Some(Memory { limit: Some(64 << 20), swap: Some(64 << 20), ..Memory::default() }),
        cpu: Some(Cpu {
            shares: Some(512),
            quota: Some(50_000),
            period: Some(100_000),
            cpus: String::from("0"),
            ..Cpu::default()
        }),
        pids: Some(Pids { limit: Some(7) }),
        ..Resources::default()
    };
    let mut scratch = Scratch::new("limits", &resources);
    let pid = scratch.spawn("sleep 60; true");
    let stats = scratch.cgroup.stats().unwrap();
    assert_eq!(stats.memory.limit, 64 << 20);
    assert_eq!(stats.pids.limit, Some(7));
    assert!(stats.pids.current >= 1);
    let anonymous = if layout() == Layout::V2 { "anon" } else { "rss" };
    assert!(stats.memory.stat.contains_key(anonymous));
    assert!(scratch.cgroup.pids().unwrap().contains(&pid));
    let allowed = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(allowed.contains("Cpus_allowed_list:\t0\n"), "{allowed}");

    let memory = Memory { limit: Some(128 << 20), swap: Some(256 << 20), ..Memory::default() };
    scratch.cgroup.update(&Resources { memory: Some(memory), ..Resources::default() }).unwrap();
    assert_eq!(scratch.cgroup.stats().unwrap().memory.limit, 128 << 20);
    let memory = Memory { limit: Some(32 << 20), swap: Some(32 << 20), ..Memory::default() };
    scratch.cgroup.update(&Resources { memory: Some(memory), ..Resources::default() }).unwrap();
    assert_eq!(scratch.cgroup.stats().unwrap().memory.limit, 32 << 20);
}

/// Of the host's it would show all CPUs, and everybody's groups.
#[test]
fn a_container_has_a_cpuset_of_its_own() {
    let mut scratch = Scratch::new("own-cpuset", &Resources::default());
    let pid = scratch.spawn("sleep 60; true");
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let mut cpusets = groups.lines().filter(|line| line.contains("cpuset:"));
    assert!(cpusets.all(|line| line.contains("/gantry-test-own-cpuset-")), "{groups}");
}

#[test]
fn a_cpuset_asked_for_later_takes_the_processes_along() {
    let mut scratch = Scratch::new("cpuset", &Resources::default());
    let pid = scratch.spawn("sleep 60; true");
    let cpu = Cpu { cpus: String::from("0"), ..Cpu::default() };
    scratch.cgroup.update(&Resources { cpu: Some(cpu), ..Resources::default() }).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
}

#[test]
fn freeze_stops_and_kill_ends_frozen_processes() {
    let mut scratch = Scratch::new("freeze", &Resources::default());
    scratch.spawn("while :; do (exit 0); done");
    scratch.cgroup.freeze().unwrap();
    assert!(scratch.cgroup.is_frozen().unwrap());
    let before = scratch.cgroup.stats().unwrap().cpu.total;
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(scratch.cgroup.stats().unwrap().cpu.total, before, "frozen processes do not run");
    scratch.cgroup.kill().unwrap();
    let status = scratch.children[0].wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
}

#[test]
fn kill_ends_those_that_fork_without_pause() {
    let resources = Resources { pids: Some(Pids { limit: Some(50) }), ..Resources::default() };
    let mut scratch = Scratch::new("forks", &resources);
    scratch.spawn("exec 2>/dev/null; f() { f & f & }; f; wait");
    scratch.cgroup.kill().unwrap();
    assert_eq!(scratch.children[0].wait().unwrap().signal(), Some(libc::SIGKILL));
    scratch.cgroup.delete().unwrap();
    assert!(!scratch.cgroup.exists(), "nobody was left");
}

#[test]
fn a_kill_for_want_of_memory_is_counted_and_signalled() {
    let memory = Memory { limit: Some(8 << 20), swap: Some(8 << 20), ..Memory::default() };
    let resources = Resources { memory: Some(memory), ..Resources::default() };
    let mut scratch = Scratch::new("oom", &resources);
    let events = scratch.cgroup.oom_events().unwrap();
    assert_eq!(scratch.cgroup.oom_kills().unwrap(), 0);
    scratch.spawn("exec tail /dev/zero");
    let limit = Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(&events, PollFlags::IN)], Some(&limit)), Ok(1));
    scratch.children[0].wait().unwrap();
    assert_eq!(scratch.cgroup.oom_kills().unwrap(), 1);
    assert_eq!(scratch.cgroup.stats().unwrap().memory.oom_kills, 1);
    events.drain();
}

#[test]
fn deleting_twice_and_deleting_what_was_never_made() {
    let scratch = Scratch::new("delete", &Resources::default());
    scratch.cgroup.delete().unwrap();
    scratch.cgroup.delete().unwrap();
}

#[test]
fn devices_that_no_rule_allows_cannot_be_opened() {
    let open_kmsg = "(exec </dev/null) && (exec </dev/kmsg) 2>/dev/null";
    assert!(std::fs::File::open("/dev/kmsg").is_ok(), "outside it can be opened");
    let mut scratch = Scratch::new("devices", &Resources::default());
    assert!(scratch.run("(exec </dev/null)").success());
    assert!(!scratch.run(open_kmsg).success());
    let kmsg = DeviceRule {
        allow: true,
        kind: String::from("c"),
        major: Some(1),
        minor: Some(11),
        access: String::from("r"),
    };
    scratch.cgroup.update(&Resources { devices: vec![kmsg], ..Resources::default() }).unwrap();
    assert!(scratch.run(open_kmsg).success());
    assert!(!scratch.run("(exec >/dev/kmsg) 2>/dev/null").success(), "read is not write");
}

#[test]
fn processes_beyond_the_limit_are_not_made() {
    let resources = Resources { pids: Some(Pids { limit: Some(3) }), ..Resources::default() };
    let mut scratch = Scratch::new("pids", &resources);
    assert!(scratch.run("sleep 0.01 & wait").success());
    let beyond = "for i in 1 2 3 4 5; do sleep 5 & done 2>/dev/null; kill $(jobs -p)";
    assert!(!scratch.run(beyond).success());
}

#[test]
fn a_busy_process_is_throttled_to_its_quota() {
    let cpu = Cpu { quota: Some(10_000), period: Some(100_000), ..Cpu::default() };
    let mut scratch = Scratch::new("quota", &Resources { cpu: Some(cpu), ..Resources::default() });
    scratch.spawn("while :; do :; done");
    std::thread::sleep(Duration::from_millis(500));
    let cpu = scratch.cgroup.stats().unwrap().cpu;
    assert!(cpu.throttled_periods > 0 && cpu.throttled_time > 0, "{cpu:?}");
    assert!(cpu.total < 400_000_000, "{cpu:?}");
}

#[test]
fn files_of_version_2_by_name() {
    let unified = |name: &str, value: &str| Resources {
        unified: [(name.to_owned(), value.to_owned())].into(),
        ..Resources::default()
    };
    let scratch = Scratch::new("unified", &Resources::default());
    if layout() != Layout::V2 {
        assert!(scratch.cgroup.update(&unified("memory.high", "1048576")).is_err());
        return;
    }
    scratch.cgroup.update(&unified("memory.max", "67108864")).unwrap();
    assert_eq!(scratch.cgroup.stats().unwrap().memory.limit, 64 << 20);
    for name in ["../memory.max", "sub/memory.max", "", "no.such.file"] {
        assert!(scratch.cgroup.update(&unified(name, "1")).is_err(), "{name:?}");
    }
}

#[test]
fn cgroups_that_the_container_made_are_counted_killed_and_deleted_too() {
    let mut scratch = Scratch::new("nested", &Resources::default());
    if layout() != Layout::V2 {
        return testkit::skip("nested cgroups", "this host's controllers are of cgroup v1");
    }
    let inner = format!("/sys/fs/cgroup/{}/inner", scratch.cgroup.path());
    let pid = scratch.spawn(&format!(
        "mkdir {inner} && echo $$ >{inner}/cgroup.procs; touch /tmp/moved; sleep 60; true"
    ));
    while !std::path::Path::new("/tmp/moved").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(scratch.cgroup.pids().unwrap().contains(&pid));
}

/// Runs this very binary in the guest.
#[test]
fn all_of_these_on_cgroup_v2() {
    if std::env::var_os(IN_GUEST).is_some() {
        return;
    }
    let guest = match testkit::guest::Guest::new() {
        Ok(guest) => guest.file(std::env::current_exe().unwrap(), "/tests"),
        Err(reason) => return testkit::skip("cgroup v2", &reason),
    };
    let script = format!("{IN_GUEST}=1 /tests --nocapture cgroup::");
    let outcome = guest.run(&script).unwrap();
    assert_eq!(outcome.status, Some(0), "{}", outcome.console);
    assert!(!outcome.console.contains("skipped:"), "{}", outcome.console);
}
