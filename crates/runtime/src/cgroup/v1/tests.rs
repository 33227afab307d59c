//! On the host's own hierarchies, below /gantry-test-*.

use std::process::{Child, Command};

use oci::runtime::{Cpu, Memory, Resources};

use crate::cgroup::{Cgroup, Driver, Layout, layout};

struct Scratch {
    cgroup: Cgroup,
    children: Vec<Child>,
}

impl Scratch {
    fn new(name: &str, resources: &Resources) -> Option<Self> {
        if layout() == Layout::V2 {
            println!("skipped: this host's controllers are of cgroup v2");
            return None;
        }
        let path = format!("/gantry-test-{name}-{}", std::process::id());
        let mut cgroup = Cgroup::open(Driver::Cgroupfs, &path, "unused").unwrap();
        cgroup.create(resources).unwrap();
        Some(Self { cgroup, children: Vec::new() })
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
        pids: Some(oci::runtime::Pids { limit: Some(7) }),
        ..Resources::default()
    };
    let Some(mut scratch) = Scratch::new("limits", &resources) else { return };
    let pid = scratch.spawn("sleep 60; true");
    let stats = scratch.cgroup.stats().unwrap();
    assert_eq!(stats.memory.limit, 64 << 20);
    assert_eq!(stats.pids.limit, Some(7));
    assert!(stats.pids.current >= 1);
    assert!(stats.memory.stat.contains_key("rss"));
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

#[test]
fn a_cpuset_asked_for_later_takes_the_processes_along() {
    let Some(mut scratch) = Scratch::new("cpuset", &Resources::default()) else { return };
    let pid = scratch.spawn("sleep 60; true");
    let cpu = Cpu { cpus: String::from("0"), ..Cpu::default() };
    scratch.cgroup.update(&Resources { cpu: Some(cpu), ..Resources::default() }).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
}

#[test]
fn freeze_stops_and_kill_ends_frozen_processes() {
    let Some(mut scratch) = Scratch::new("freeze", &Resources::default()) else { return };
    scratch.spawn("while :; do (exit 0); done");
    scratch.cgroup.freeze().unwrap();
    assert!(scratch.cgroup.is_frozen().unwrap());
    let before = scratch.cgroup.stats().unwrap().cpu.total;
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(scratch.cgroup.stats().unwrap().cpu.total, before, "frozen processes do not run");
    scratch.cgroup.kill().unwrap();
    let status = scratch.children[0].wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
}

#[test]
fn a_kill_for_want_of_memory_is_counted_and_signalled() {
    let memory = Memory { limit: Some(8 << 20), swap: Some(8 << 20), ..Memory::default() };
    let resources = Resources { memory: Some(memory), ..Resources::default() };
    let Some(mut scratch) = Scratch::new("oom", &resources) else { return };
    let events = scratch.cgroup.oom_events().unwrap();
    assert_eq!(scratch.cgroup.oom_kills().unwrap(), 0);
    scratch.spawn("exec tail /dev/zero");
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let limit = Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(&events, PollFlags::IN)], Some(&limit)), Ok(1));
    scratch.children[0].wait().unwrap();
    assert_eq!(scratch.cgroup.oom_kills().unwrap(), 1);
    assert_eq!(scratch.cgroup.stats().unwrap().memory.oom_kills, 1);
    events.drain();
}

#[test]
fn deleting_twice_and_deleting_what_was_never_made() {
    let Some(scratch) = Scratch::new("delete", &Resources::default()) else { return };
    scratch.cgroup.delete().unwrap();
    scratch.cgroup.delete().unwrap();
}
