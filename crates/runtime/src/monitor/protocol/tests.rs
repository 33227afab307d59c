//! The transcript of version 1. A change here that is not an added optional field breaks engines
//! and monitors that are already running: it needs a new version.

use std::os::fd::AsFd;

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn golden<T>(message: &T, expected: Expect)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    let packet = encode(message).unwrap();
    expected.assert_eq(std::str::from_utf8(&packet).unwrap());
    assert_eq!(&decode::<T>(&packet).unwrap(), message);
}

fn request(seq: u64, command: Command) -> Request {
    Request { seq, command }
}

fn record() -> ExitRecord {
    ExitRecord {
        status: 137,
        signal: Some(9),
        oom_killed: true,
        finished_at: "2026-11-21T04:05:06.000000007Z".into(),
        log_end: 4096,
        error: None,
    }
}

#[test]
fn requests() {
    golden(
        &request(1, Command::Start { console_size: None }),
        expect![[r#"{"seq":1,"command":"start"}"#]],
    );
    golden(
        &request(2, Command::Start { console_size: Some([24, 80]) }),
        expect![[r#"{"seq":2,"command":"start","console_size":[24,80]}"#]],
    );
    let streams = Streams {
        stdin: true,
        stdout: true,
        stderr: false,
        multiplexed: true,
        detach_keys: Some(vec![16, 17]),
        relayed: false,
    };
    golden(
        &request(3, Command::Attach(streams.clone())),
        expect![[
            r#"{"seq":3,"command":"attach","stdin":true,"stdout":true,"stderr":false,"multiplexed":true,"detach_keys":[16,17]}"#
        ]],
    );
    golden(
        &request(
            4,
            Command::Exec {
                exec_id: "e1".into(),
                streams,
                tty: false,
                console_size: None,
                detach: false,
            },
        ),
        expect![[
            r#"{"seq":4,"command":"exec","exec_id":"e1","stdin":true,"stdout":true,"stderr":false,"multiplexed":true,"detach_keys":[16,17],"tty":false,"detach":false}"#
        ]],
    );
    golden(
        &request(5, Command::Resize { exec_id: None, height: 50, width: 132 }),
        expect![[r#"{"seq":5,"command":"resize","height":50,"width":132}"#]],
    );
    let names = vec!["dns udp".to_owned()];
    golden(
        &request(6, Command::Hold { names: names.clone() }),
        expect![[r#"{"seq":6,"command":"hold","names":["dns udp"]}"#]],
    );
    golden(
        &request(6, Command::Lend { names }),
        expect![[r#"{"seq":6,"command":"lend","names":["dns udp"]}"#]],
    );
    golden(
        &request(6, Command::Signal { exec_id: Some("e1".into()), signal: 15, group: false }),
        expect![[r#"{"seq":6,"command":"signal","exec_id":"e1","signal":15}"#]],
    );
    golden(
        &request(7, Command::Signal { exec_id: Some("e1".into()), signal: 9, group: true }),
        expect![[r#"{"seq":7,"command":"signal","exec_id":"e1","signal":9,"group":true}"#]],
    );
}

#[test]
fn messages() {
    let hello = |state| {
        Message::Hello(Hello {
            version: VERSION,
            monitor_version: "0.1.0".into(),
            id: "abc".into(),
            state,
        })
    };
    golden(
        &hello(State::Created),
        expect![[
            r#"{"type":"hello","version":1,"monitor_version":"0.1.0","id":"abc","state":"created"}"#
        ]],
    );
    golden(
        &hello(State::Running { pid: 42 }),
        expect![[
            r#"{"type":"hello","version":1,"monitor_version":"0.1.0","id":"abc","state":{"running":{"pid":42}}}"#
        ]],
    );
    golden(
        &hello(State::Exited { record: record() }),
        expect![[
            r#"{"type":"hello","version":1,"monitor_version":"0.1.0","id":"abc","state":{"exited":{"record":{"status":137,"signal":9,"oom_killed":true,"finished_at":"2026-11-21T04:05:06.000000007Z","log_end":4096}}}}"#
        ]],
    );
    golden(
        &Message::Reply { seq: 1, outcome: Outcome::Ok(Done { pid: Some(42) }) },
        expect![[r#"{"type":"reply","seq":1,"ok":{"pid":42}}"#]],
    );
    golden(
        &Message::Reply { seq: 3, outcome: Outcome::Ok(Done::default()) },
        expect![[r#"{"type":"reply","seq":3,"ok":{}}"#]],
    );
    let failure = Failure { kind: ErrorKind::NotFound, message: "no such exec".into() };
    golden(
        &Message::Reply { seq: 6, outcome: Outcome::Error(failure) },
        expect![[
            r#"{"type":"reply","seq":6,"error":{"kind":"not_found","message":"no such exec"}}"#
        ]],
    );
    golden(
        &Message::Exited { record: record() },
        expect![[
            r#"{"type":"exited","record":{"status":137,"signal":9,"oom_killed":true,"finished_at":"2026-11-21T04:05:06.000000007Z","log_end":4096}}"#
        ]],
    );
    golden(
        &Message::ExecExited { exec_id: "e1".into(), record: record() },
        expect![[
            r#"{"type":"exec_exited","exec_id":"e1","record":{"status":137,"signal":9,"oom_killed":true,"finished_at":"2026-11-21T04:05:06.000000007Z","log_end":4096}}"#
        ]],
    );
    golden(&Message::Oom, expect![[r#"{"type":"oom"}"#]]);
    golden(&Message::Detached { exec_id: None }, expect![[r#"{"type":"detached"}"#]]);
    golden(
        &Message::LogError { message: "disk full".into() },
        expect![[r#"{"type":"log_error","message":"disk full"}"#]],
    );
}

#[test]
fn what_a_newer_side_adds_is_ignored() {
    let newer = br#"{"seq":5,"command":"resize","height":50,"width":132,"pixels":[1,2]}"#;
    let known = request(5, Command::Resize { exec_id: None, height: 50, width: 132 });
    assert_eq!(decode::<Request>(newer).unwrap(), known);
}

#[test]
fn a_packet_carries_its_descriptors() {
    let (engine, monitor) = Connection::pair().unwrap();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    engine.send(&request(1, Command::Start { console_size: None }), &[writer.as_fd()]).unwrap();
    drop(writer);

    let mut packet = [0; 256];
    let (length, fds) = sys::socket::receive(&monitor, &mut packet).unwrap();
    decode::<Request>(&packet[..length]).unwrap();
    assert_eq!(fds.len(), 1);
    rustix::io::write(&fds[0], b"through").unwrap();
    let mut received = [0; 16];
    assert_eq!(rustix::io::read(&reader, &mut received).unwrap(), 7);
}

#[test]
fn an_oversized_packet_is_refused_on_both_sides() {
    let (engine, monitor) = Connection::pair().unwrap();
    let huge = Command::Signal { exec_id: Some("x".repeat(MAX_PACKET)), signal: 9, group: false };
    assert!(engine.send(&request(1, huge), &[]).is_err());

    sys::socket::send(&engine, &[b' '; 100], &[]).unwrap();
    assert!(sys::socket::receive(&monitor, &mut [0; 50]).is_err());
}

#[test]
fn the_end_of_the_other_side_is_no_error() {
    let (engine, monitor) = Connection::pair().unwrap();
    drop(monitor);
    assert!(engine.recv().unwrap().is_none());
}
