//! The real monitor, driven by its protocol.
//!
//! Containers are made by `fake-runtime.sh`, a runtime of a few lines that contains nothing: what is
//! tested here is everything around a process, not its isolation. `container` has real ones.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod container;
mod harness;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use harness::{Harness, error_kind, streams};
use runtime::monitor::adopt;
use runtime::monitor::log::json_file;
use runtime::monitor::protocol::{Command, ErrorKind, Message, Outcome, State, Streams};

#[test]
fn a_container_runs_to_its_end_and_leaves_a_record() {
    let mut monitor = Harness::new("echo out; echo err >&2; exit 3").spawn();
    assert_eq!(monitor.hello(), State::Created);
    let pid = monitor.start().unwrap();
    let record = monitor.wait_for_exit();
    assert_eq!((record.status, record.signal, record.oom_killed), (3, None, false));
    assert_eq!(record.log_end, std::fs::metadata(monitor.log_path()).unwrap().len());
    assert_eq!(monitor.exit_record(), record);
    let mut lines = monitor.log_entries();
    lines.sort();
    assert_eq!(lines, [("stderr", "err\n"), ("stdout", "out\n")].map(harness::owned));
    let identity = adopt::Identity::read(monitor.directory()).unwrap();
    assert!(identity.init.is_none_or(|init| init.pid == pid));
    monitor.wait_for_end();
}

#[test]
fn a_signal_is_part_of_the_record() {
    let mut monitor = Harness::new("exec sleep 100").spawn();
    monitor.hello();
    monitor.start().unwrap();
    monitor.request(Command::Signal { exec_id: None, signal: 9, group: false }, &[]).unwrap();
    let record = monitor.wait_for_exit();
    assert_eq!((record.status, record.signal), (137, Some(9)));
    let gone = monitor.request(Command::Signal { exec_id: None, signal: 9, group: false }, &[]);
    assert!(gone.is_err());
}

#[test]
fn sockets_that_are_held_are_lent_again() {
    let mut monitor = Harness::new("exec sleep 100").spawn();
    monitor.hello();
    let names = |name: &str| vec![name.to_owned()];
    let hold = |held: UnixStream, monitor: &mut harness::Monitor| {
        monitor.request(Command::Hold { names: names("dns udp") }, &[held.into()]).unwrap();
    };
    let (mut first, held) = UnixStream::pair().unwrap();
    hold(held, &mut monitor);
    monitor.start().unwrap();
    for _ in 0..2 {
        monitor.request(Command::Lend { names: names("dns udp") }, &[]).unwrap();
        let lent = std::mem::take(&mut monitor.lent);
        let [lent] = <[_; 1]>::try_from(lent).unwrap();
        first.write_all(b"x").unwrap();
        UnixStream::from(lent).read_exact(&mut [0]).unwrap();
    }
    let unknown = monitor.request(Command::Lend { names: names("other") }, &[]).unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    assert!(monitor.lent.is_empty());
    // Another under its name takes its place.
    let (_second, held) = UnixStream::pair().unwrap();
    hold(held, &mut monitor);
    assert_eq!(first.read(&mut [0]).unwrap(), 0, "the first one is closed");
}

#[test]
fn a_client_attached_before_start_gets_everything_in_frames() {
    let mut monitor = Harness::new("echo out; echo err >&2").spawn();
    monitor.hello();
    let mut client = monitor.attach(Streams { multiplexed: true, ..streams(false) });
    monitor.start().unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    let (out, err) = (b"\x01\0\0\0\0\0\0\x04out\n".as_slice(), b"\x02\0\0\0\0\0\0\x04err\n");
    let either = [[out, err].concat(), [err, out].concat()];
    assert!(either.contains(&received), "{received:?}");
}

#[test]
fn with_stdin_once_the_end_of_a_clients_input_ends_stdin() {
    let mut monitor = Harness::new("exec cat").stdin(true).spawn();
    monitor.hello();
    let mut client = monitor.attach(streams(true));
    monitor.start().unwrap();
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "hello");
    assert_eq!(monitor.wait_for_exit().status, 0);
}

#[test]
fn without_stdin_once_stdin_outlives_its_clients() {
    let mut monitor = Harness::new("exec cat").stdin(false).spawn();
    monitor.hello();
    monitor.start().unwrap();
    for round in ["one\n", "two\n"] {
        let mut client = monitor.attach(streams(true));
        client.write_all(round.as_bytes()).unwrap();
        let mut echo = [0; 4];
        client.read_exact(&mut echo).unwrap();
        assert_eq!(echo, round.as_bytes());
        client.shutdown(Shutdown::Write).unwrap();
        // As in Docker, the session ends with its input.
        assert_eq!(client.read(&mut echo).unwrap(), 0);
    }
    monitor.kill();
}

#[test]
fn the_last_words_of_a_dead_client_reach_the_container() {
    let mut monitor = Harness::new("sleep 0.3; exec wc -c").stdin(true).spawn();
    monitor.hello();
    let mut client = monitor.attach(streams(true));
    let mut watcher = monitor.attach(streams(false));
    client.write_all(&vec![b'x'; 150_000]).unwrap();
    drop(client);
    monitor.start().unwrap();
    let mut received = String::new();
    watcher.read_to_string(&mut received).unwrap();
    assert_eq!(received.trim(), "150000");
}

#[test]
fn the_loss_of_an_engine_closes_no_stdin() {
    let mut monitor = Harness::new("exec cat").stdin(true).spawn();
    monitor.hello();
    let relay = monitor.attach(Streams { relayed: true, ..streams(true) });
    monitor.start().unwrap();
    drop(relay);
    monitor.lose_engine();
    monitor.adopt();
    assert!(matches!(monitor.hello(), State::Running { .. }));
    let mut client = monitor.attach(streams(true));
    client.write_all(b"still here").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "still here");
    assert_eq!(monitor.wait_for_exit().status, 0);
}

#[test]
fn what_happens_while_no_engine_is_there_is_in_the_record() {
    let mut monitor = Harness::new("sleep 0.2; echo late; exit 7").spawn();
    monitor.hello();
    monitor.start().unwrap();
    monitor.lose_engine();
    monitor.wait_for_end();
    assert_eq!(monitor.exit_record().status, 7);
    assert_eq!(monitor.log_entries(), [harness::owned(("stdout", "late\n"))]);
    assert!(matches!(adopt::verify(monitor.directory()), Err(adopt::AdoptError::Gone(_))));
}

#[test]
fn without_an_engine_what_was_never_started_ends() {
    let mut monitor = Harness::new("exit 0").spawn();
    monitor.hello();
    let mut client = monitor.attach(streams(false));
    monitor.lose_engine();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    monitor.wait_for_end();
    assert!(!monitor.directory().join("exit.json").exists());
}

#[test]
fn what_is_never_told_to_begin_leaves_nothing() {
    let mut monitor = Harness::new("exit 0").spawn_early();
    let before = monitor.files();
    monitor.lose_engine();
    monitor.wait_for_end();
    assert_eq!(monitor.files(), before);
}

/// Its directory may still be in the making.
#[test]
fn files_are_read_once_they_are_there() {
    let mut monitor = Harness::new("exit 3").spawn_early();
    let description = monitor.directory().join("monitor.json");
    let text = std::fs::read(&description).unwrap();
    std::fs::write(&description, &text[..text.len() / 2]).unwrap();
    monitor.wait_until_idle();
    std::fs::write(&description, &text).unwrap();
    monitor.connection.begin().unwrap();
    monitor.hello();
    monitor.start().unwrap();
    assert_eq!(monitor.wait_for_exit().status, 3);
}

/// Without end into a client that reads nothing: the container is held up; the death of another client, a
/// request and a kill are not.
#[test]
fn a_slow_client_holds_up_output_and_nothing_else() {
    let mut monitor = Harness::new("exec yes 0123456789012345678901234567890").spawn();
    monitor.hello();
    let slow = monitor.attach(streams(false));
    let mut other = monitor.attach(streams(false));
    monitor.start().unwrap();
    other.read_exact(&mut [0; 1000]).unwrap();
    drop(other);
    monitor.wait_until_log_stops_growing();
    let log_size = std::fs::metadata(monitor.log_path()).unwrap().len();
    assert!(log_size < 32 << 20, "the container was not held up: {log_size}");

    // The client reads nothing until the exit is known: it cannot have been waited for.
    monitor.request(Command::Signal { exec_id: None, signal: 9, group: false }, &[]).unwrap();
    assert_eq!(monitor.wait_for_exit().status, 137);

    let mut slow = slow;
    let mut received = Vec::new();
    slow.read_to_end(&mut received).unwrap();
    let logged: usize = monitor.log_entries().iter().map(|(_, text)| text.len()).sum();
    assert_eq!(received.len(), logged, "the client and the log differ");
    monitor.wait_for_end();
}

#[test]
fn a_client_that_never_reads_is_given_up_in_the_end() {
    let mut monitor = Harness::new("exec yes").spawn();
    monitor.hello();
    let _slow = monitor.attach(streams(false));
    monitor.start().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    monitor.request(Command::Signal { exec_id: None, signal: 9, group: false }, &[]).unwrap();
    monitor.wait_for_exit();
    monitor.wait_for_end();
}

#[test]
fn an_exec_has_its_own_stdio_and_record() {
    let mut monitor = Harness::new("exec sleep 100").spawn();
    monitor.hello();
    monitor.start().unwrap();
    std::fs::write(monitor.directory().join("exec/e1.json"), "cat; echo oops >&2; exit 5").unwrap();
    let (mut client, theirs) = UnixStream::pair().unwrap();
    let exec = |exec_id: &str| Command::Exec {
        exec_id: exec_id.into(),
        streams: streams(true),
        tty: false,
        console_size: None,
        detach: false,
    };
    monitor.request(exec("e1"), &[theirs.into()]).unwrap();
    client.write_all(b"typed ").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "typed oops\n");
    let Message::ExecExited { exec_id, record } = monitor.next_event() else {
        panic!("no exec_exited")
    };
    assert_eq!((exec_id.as_str(), record.status), ("e1", 5));
    let path = monitor.directory().join("exec/e1.exit.json");
    let on_disk: runtime::monitor::protocol::ExitRecord =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(on_disk, record);
    assert!(monitor.log_entries().is_empty(), "an exec's output is not logged");

    let climbing = monitor.request(exec("../e1"), &[]);
    assert_eq!(error_kind(&climbing), Some(ErrorKind::Invalid));
    let unknown = Command::Resize { exec_id: Some("e1".into()), height: 1, width: 1 };
    assert_eq!(error_kind(&monitor.request(unknown, &[])), Some(ErrorKind::NotFound));
    monitor.kill();
}

#[test]
fn a_start_that_fails_is_answered_recorded_and_final() {
    let mut monitor = Harness::new("unused").spawn();
    monitor.hello();
    std::fs::write(
        monitor.directory().join("fail"),
        "exec: nope: executable file not found in $PATH",
    )
    .unwrap();
    let mut client = monitor.attach(streams(false));
    let failed = monitor.start().unwrap_err();
    assert_eq!(failed.kind, ErrorKind::NotFound);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0, "the client learns that it is over");
    monitor.wait_for_end();
    let record = monitor.exit_record();
    assert_eq!(record.status, 127);
    assert!(record.error.unwrap().contains("nope"));
}

#[test]
fn a_process_left_behind_with_the_pipes_delays_the_end_only_a_moment() {
    let mut monitor = Harness::new("sleep 60 & echo $!").spawn();
    monitor.hello();
    monitor.start().unwrap();
    assert_eq!(monitor.wait_for_exit().status, 0);
    // Still there, so that its end is not what ended the container.
    let left_behind = monitor.log_entries()[0].1.trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(left_behind).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    monitor.wait_for_end();
}

#[test]
fn requests_that_make_no_sense_are_refused_and_change_nothing() {
    let mut monitor = Harness::new("exec sleep 100").spawn();
    monitor.hello();
    let no_socket = monitor.request(Command::Attach(streams(true)), &[]);
    assert_eq!(error_kind(&no_socket), Some(ErrorKind::Invalid));
    let early = monitor.request(Command::Signal { exec_id: None, signal: 15, group: false }, &[]);
    assert_eq!(error_kind(&early), Some(ErrorKind::Gone));
    // A file cannot be waited for; whoever sends one is no client, and harms nobody.
    let file = std::fs::File::open("/dev/null").unwrap();
    monitor.request(Command::Attach(streams(true)), &[file.into()]).unwrap();
    monitor.start().unwrap();
    assert_eq!(monitor.start().unwrap_err().kind, ErrorKind::Invalid);
    // As with Docker, there is nothing to resize and nothing wrong.
    let no_terminal = Command::Resize { exec_id: None, height: 1, width: 1 };
    monitor.request(no_terminal, &[]).unwrap();
    // An engine that speaks something else is let go; the next is served.
    rustix::net::send(&monitor.connection, b"not json", rustix::net::SendFlags::NOSIGNAL).unwrap();
    assert!(monitor.connection.recv().unwrap().is_none());
    monitor.adopt();
    assert!(matches!(monitor.hello(), State::Running { .. }));
    monitor.kill();
}

/// The next engine may have looked before, and seen no container.
#[test]
fn what_a_dead_engine_asked_to_start_is_not_started() {
    let mut monitor = Harness::new("exec sleep 100").spawn();
    assert_eq!(monitor.hello(), State::Created);
    monitor.die_starting();
    monitor.wait_for_end();
    assert_eq!(adopt::Identity::read(monitor.directory()).unwrap().init, None);
}

#[test]
fn a_full_log_is_an_event_and_the_container_goes_on() {
    let mut harness = Harness::new("echo lost; sleep 0.1; echo lost too; exit 4");
    harness.config.log.path = "/dev/full".into();
    let mut monitor = harness.spawn();
    monitor.hello();
    monitor.start().unwrap();
    let Message::LogError { message } = monitor.next_event() else { panic!("no log_error") };
    assert!(message.contains("No space left"), "{message}");
    assert_eq!(monitor.wait_for_exit().status, 4);
}

/// CVE-2020-15257: the socket is a file of ours alone, not an abstract name.
#[test]
fn cve_2020_15257_the_socket_is_private() {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let mut monitor = Harness::new("exec sleep 100").spawn();
    monitor.hello();
    let socket = std::fs::metadata(monitor.directory().join("monitor.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.mode() & 0o7777, 0o600);
    monitor.start().unwrap();
    monitor.kill();
}

/// CVE-2016-9962: nothing that the engine had open is open in what the monitor starts.
#[test]
fn cve_2016_9962_no_descriptor_is_inherited() {
    let (_held, inherited) = UnixStream::pair().unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let mut monitor = Harness::new("ls /proc/$$/fd").spawn();
    monitor.hello();
    monitor.start().unwrap();
    monitor.wait_for_exit();
    let open: Vec<String> = monitor.log_entries().into_iter().map(|(_, text)| text).collect();
    let mut open: Vec<i32> = open.iter().map(|fd| fd.trim().parse().unwrap()).collect();
    // The shell keeps its script open as one from 10 on.
    open.retain(|fd| *fd < 10 || *fd > 12);
    open.sort();
    assert_eq!(open, [0, 1, 2]);
    drop(inherited);
}

#[test]
fn a_log_that_rotates_under_load_loses_nothing() {
    let mut harness = Harness::new("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done");
    (harness.config.log.max_size, harness.config.log.max_file) = (Some(20_000), 100);
    let mut monitor = harness.spawn();
    monitor.hello();
    monitor.start().unwrap();
    monitor.wait_for_exit();
    let log = monitor.log_path();
    let mut files: Vec<_> = (1..100)
        .map(|n| runtime::monitor::log::rotate::rotated(&log, n))
        .take_while(|path| path.exists())
        .collect();
    files.reverse();
    files.push(log);
    assert!(files.len() > 5);
    let all: Vec<u8> = files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let lines: Vec<String> = all
        .split_inclusive(|&b| b == b'\n')
        .map(|line| json_file::decode(line).unwrap().log.into_owned())
        .collect();
    let expected: Vec<String> = (0..3000).map(|n| format!("line {n}\n")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn an_outcome_is_sent_to_who_asked_and_events_to_all() {
    let mut monitor = Harness::new("exec sleep 100").spawn();
    monitor.hello();
    monitor.start().unwrap();
    let (_, second) = adopt::verify(monitor.directory()).unwrap();
    assert!(matches!(second.recv().unwrap().unwrap().0, Message::Hello(_)));
    monitor.request(Command::Signal { exec_id: None, signal: 9, group: false }, &[]).unwrap();
    let record = monitor.wait_for_exit();
    match second.recv().unwrap().unwrap().0 {
        Message::Exited { record: same } => assert_eq!(same, record),
        Message::Reply { outcome: Outcome::Ok(_), .. } => {
            panic!("a reply to somebody else's request")
        }
        other => panic!("{other:?}"),
    }
}
