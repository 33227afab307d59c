//! The monitor with Gantry's own runtime, on the real kernel.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use runtime::monitor::protocol::{Command, ErrorKind, Message, State, Streams};

use crate::harness::{Harness, Monitor, error_kind, owned, process, streams};

#[test]
fn a_container_on_an_overlay_runs_and_leaves_no_mount() {
    let script = "echo from $$ in $(cat /proc/sys/kernel/hostname); echo kept > /kept; exit 3";
    let Some(harness) = Harness::container(script, false) else { return };
    let mut monitor = harness.spawn();
    assert_eq!(monitor.hello(), State::Created);
    monitor.start().unwrap();
    assert_eq!(monitor.wait_for_exit().status, 3);
    assert_eq!(monitor.log_entries(), [owned(("stdout", "from 1 in c\n"))]);
    let kept = std::fs::read_to_string(monitor.directory().join("upper/kept")).unwrap();
    assert_eq!(kept, "kept\n");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(monitor.directory().to_str().unwrap()));
    monitor.wait_for_end();
}

#[test]
fn a_program_that_is_not_there_is_told_from_one_that_may_not_run() {
    for (program, kind, status) in
        [("/bin/nope", ErrorKind::NotFound, 127), ("/proc", ErrorKind::Permission, 126)]
    {
        let Some(harness) = Harness::container("", false) else { return };
        harness.edit_spec(|spec| spec["process"]["args"] = [program].as_slice().into());
        let mut monitor = harness.spawn();
        monitor.hello();
        let failure = monitor.start().unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        monitor.wait_for_end();
        assert_eq!(monitor.exit_record().status, status);
    }
}

fn read_until(client: &mut UnixStream, wanted: &str) -> String {
    let mut received = String::new();
    let mut buffer = [0; 1024];
    while !received.contains(wanted) {
        let length = client.read(&mut buffer).unwrap();
        assert_ne!(length, 0, "the end before {wanted:?}, after {received:?}");
        received.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    received
}

fn terminal(script: &str) -> Option<Monitor> {
    let mut harness = Harness::container(script, true)?.stdin(true);
    harness.config.stdin_once = true;
    let mut monitor = harness.spawn();
    monitor.hello();
    Some(monitor)
}

#[test]
fn a_terminal_echoes_resizes_and_detaches() {
    let script = "stty size; read a; stty size; read b; echo got $a $b";
    let Some(mut monitor) = terminal(script) else { return };
    let mut client = monitor.attach(streams(true));
    monitor.request(Command::Start { console_size: Some([33, 111]) }, &[]).unwrap();
    read_until(&mut client, "33 111\r\n");
    monitor.request(Command::Resize { exec_id: None, height: 44, width: 122 }, &[]).unwrap();
    client.write_all(b"x\r").unwrap();
    read_until(&mut client, "44 122\r\n");

    client.write_all(b"y\x10\x11").unwrap();
    assert_eq!(monitor.next_event(), Message::Detached { exec_id: None });
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();

    let mut again = monitor.attach(Streams { detach_keys: Some(vec![]), ..streams(true) });
    again.write_all(b"z\r").unwrap();
    read_until(&mut again, "got x yz\r\n");
    assert_eq!(monitor.wait_for_exit().status, 0);
    assert!(monitor.log_entries().contains(&owned(("stdout", "44 122\r\n"))));
}

#[test]
fn an_exec_joins_the_container_with_and_without_a_terminal() {
    let Some(harness) = Harness::container("exec sleep 100", false) else { return };
    let mut monitor = harness.spawn();
    monitor.hello();
    monitor.start().unwrap();
    for (exec_id, tty, expected) in [("plain", false, "in c\n"), ("term", true, "in c\r\n")] {
        let script = "read line; echo in $(cat /proc/sys/kernel/hostname); exit 9";
        let path = monitor.directory().join(format!("exec/{exec_id}.json"));
        std::fs::write(path, process(script, tty).to_string()).unwrap();
        let (mut client, theirs) = UnixStream::pair().unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let command = Command::Exec {
            exec_id: exec_id.into(),
            streams: streams(true),
            tty,
            console_size: tty.then_some([20, 60]),
            detach: false,
        };
        monitor.request(command, &[theirs.into()]).unwrap();
        if tty {
            let resize = Command::Resize { exec_id: Some(exec_id.into()), height: 9, width: 9 };
            monitor.request(resize, &[]).unwrap();
        }
        client.write_all(b"\n").unwrap();
        read_until(&mut client, expected);
        let Message::ExecExited { record, .. } = monitor.next_event() else { panic!("no exit") };
        assert_eq!(record.status, 9);
    }
    let missing = monitor.directory().join("exec/none.json");
    let description = process("", false).to_string().replace("/bin/sh", "/bin/nope");
    std::fs::write(missing, description).unwrap();
    let command = Command::Exec {
        exec_id: "none".into(),
        streams: Streams::default(),
        tty: false,
        console_size: None,
        detach: true,
    };
    assert_eq!(error_kind(&monitor.request(command, &[])), Some(ErrorKind::NotFound));
    monitor.kill();
}

#[test]
fn the_death_of_init_ends_execs_first() {
    let Some(harness) = Harness::container("exec sleep 100", false) else { return };
    let mut monitor = harness.spawn();
    monitor.hello();
    monitor.start().unwrap();
    let path = monitor.directory().join("exec/e.json");
    std::fs::write(path, process("exec sleep 100", false).to_string()).unwrap();
    let command = Command::Exec {
        exec_id: "e".into(),
        streams: Streams::default(),
        tty: false,
        console_size: None,
        detach: true,
    };
    monitor.request(command, &[]).unwrap();
    monitor.request(Command::Signal { exec_id: None, signal: 9, group: false }, &[]).unwrap();
    let Message::ExecExited { record, .. } = monitor.next_event() else { panic!("init first") };
    assert_eq!(record.signal, Some(9));
    assert_eq!(monitor.wait_for_exit().status, 137);
    monitor.wait_for_end();
}

#[test]
fn a_container_survives_its_engine_and_is_adopted() {
    let Some(harness) = Harness::container("exec cat", false) else { return };
    let mut monitor = harness.stdin(true).spawn();
    monitor.hello();
    let mut client = monitor.attach(streams(true));
    let pid = monitor.start().unwrap();
    monitor.lose_engine();
    client.write_all(b"before\n").unwrap();
    read_until(&mut client, "before\n");
    monitor.adopt();
    assert_eq!(monitor.hello(), State::Running { pid });
    client.write_all(b"after\n").unwrap();
    read_until(&mut client, "after\n");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(monitor.wait_for_exit().status, 0);
    let lines = ["before\n", "after\n"].map(|line| owned(("stdout", line)));
    assert_eq!(monitor.log_entries(), lines);
}

#[test]
fn a_lack_of_memory_is_told_of_and_recorded() {
    let Some(harness) = Harness::container("tail /dev/zero; exit 5", false) else { return };
    harness.edit_spec(|spec| {
        let limit = 24 << 20;
        spec["linux"]["resources"] = serde_json::json!({"memory": {"limit": limit, "swap": limit}});
        spec["mounts"][1] = serde_json::json!(
            {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["bind"]}
        );
    });
    let mut monitor = harness.spawn();
    monitor.hello();
    monitor.start().unwrap();
    assert_eq!(monitor.next_event(), Message::Oom);
    let record = monitor.wait_for_exit();
    assert_eq!((record.status, record.oom_killed), (5, true));
}
