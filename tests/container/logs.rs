//! `gantry logs`.

use std::io::Read;
use std::process::Stdio;

use testkit::engine::Engine;

#[test]
fn streams_apart_tail_and_timestamps() {
    let engine = Engine::with_busybox();
    let script = "echo one; echo two >&2; sleep 0.2; echo three";
    engine.gantry(&["run", "--name", "box", "busybox", "sh", "-c", script]).ok();
    let out = engine.gantry(&["logs", "box"]);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("one\nthree\n", "two\n"));
    assert_eq!(engine.gantry(&["logs", "--tail", "1", "box"]).ok(), "three");
    let stamped = engine.gantry(&["logs", "-t", "--tail", "1", "box"]).ok();
    assert!(stamped.starts_with("20") && stamped.ends_with("Z three"), "{stamped}");
}

#[test]
fn since_and_until_cut_by_time() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&["run", "--name", "box", "busybox", "sh", "-c", "echo one; sleep 0.3; echo two"])
        .ok();
    let stamped = engine.gantry(&["logs", "-t", "box"]).ok();
    let second = stamped.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(engine.gantry(&["logs", "--since", &second, "box"]).ok(), "two");
    assert_eq!(engine.gantry(&["logs", "--until", "1h", "box"]).ok(), "");
}

#[test]
fn follow_ends_with_the_container() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&[
            "run",
            "-d",
            "--name",
            "box",
            "busybox",
            "sh",
            "-c",
            "for i in 1 2 3; do echo $i; sleep 0.1; done",
        ])
        .ok();
    assert_eq!(engine.gantry(&["logs", "-f", "box"]).ok(), "1\n2\n3");
}

#[test]
fn a_line_shows_while_it_is_followed() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&["run", "-d", "--name", "box", "busybox", "sh", "-c", "echo first; sleep 300"])
        .ok();
    let mut follow = engine.command(&["logs", "-f", "box"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    follow.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    assert_eq!(&line, b"first\n");
    engine.gantry(&["kill", "box"]).ok();
    assert!(follow.wait().unwrap().success(), "the follower ends with the container");
}

#[test]
fn odd_bytes_and_long_lines_come_back_as_they_were() {
    let engine = Engine::with_busybox();
    let script =
        "head -c 100000 /dev/zero | tr '\\0' x; echo; printf 'tab\\there \"quoted\" <&>\\n'";
    engine.gantry(&["run", "--name", "box", "busybox", "sh", "-c", script]).ok();
    let expected = format!("{}\ntab\there \"quoted\" <&>\n", "x".repeat(100_000));
    assert_eq!(engine.gantry(&["logs", "box"]).stdout, expected);
}

#[test]
fn rotation_keeps_the_newest_files() {
    let engine = Engine::with_busybox();
    let flags =
        ["run", "--name", "box", "--log-opt", "max-size=10k", "--log-opt", "max-file=2", "busybox"];
    let mut args = flags.to_vec();
    args.extend(["sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"]);
    assert_eq!(engine.gantry(&args).ok().lines().count(), 2000);
    let kept = engine.gantry(&["logs", "box"]).ok();
    let lines: Vec<&str> = kept.lines().collect();
    assert_eq!(lines.last(), Some(&"line 1999"));
    assert!(lines.len() < 400, "{} lines kept", lines.len());
    let first: usize = lines[0].strip_prefix("line ").unwrap().parse().unwrap();
    assert_eq!(lines.len(), 2000 - first, "no line is missing in between");
}

#[test]
fn rotated_files_are_compressed_when_asked_for_and_still_read() {
    let mut engine = Engine::with_busybox();
    let options =
        ["max-size=10k", "max-file=3", "compress=true"].map(|option| ["--log-opt", option]);
    let mut args = vec!["run", "-d", "--name", "box"];
    args.extend(options.iter().flatten());
    let script =
        "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); usleep 2000; done; sleep 300";
    args.extend(["busybox", "sh", "-c", script]);
    let id = engine.gantry(&args).ok();
    let directory = engine.data_root().join("containers").join(&id);
    engine.wait_until("the older files are compressed", |_| {
        [1, 2].iter().all(|age| directory.join(format!("{id}-json.log.{age}.gz")).exists())
    });
    engine.wait_until("all is written", |engine| {
        engine.gantry(&["logs", "--tail", "1", "box"]).stdout == "line 399\n"
    });
    let kept = engine.gantry(&["logs", "box"]).ok();
    let first: usize = kept.lines().next().unwrap().strip_prefix("line ").unwrap().parse().unwrap();
    assert_eq!(kept.lines().count(), 400 - first, "no line is missing in between");
}

#[test]
fn grep_shows_the_lines_that_match_and_no_others() {
    let mut engine = Engine::with_busybox();
    let script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf 'last out'; \
                  while [ ! -e /go ]; do usleep 10000; done; echo; echo late out; echo late err";
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sh", "-c", script]).ok();
    engine.wait_until("all of it is written", |engine| {
        engine.gantry(&["logs", "box"]).stdout.contains("out 3")
            && engine.gantry(&["logs", "box"]).stderr.contains("err 3")
    });
    let grep = |pattern: &str| {
        let logs = engine.gantry(&["logs", "--grep", pattern, "box"]);
        assert_eq!(logs.code, 0);
        (logs.stdout, logs.stderr)
    };
    let of = |out: &str, err: &str| (out.to_owned(), err.to_owned());
    assert_eq!(grep("[23]$"), of("out 2\nout 3\n", "err 2\nerr 3\n"));
    assert_eq!(grep("^err 1$"), of("", "err 1\n"));
    assert_eq!(grep("nothing of the kind"), of("", ""));
    // A line's time is not what is looked through, but is shown.
    let stamped = engine.gantry(&["logs", "-t", "--grep", "out 2", "--tail", "6", "box"]).ok();
    assert!(stamped.starts_with("20") && stamped.ends_with(" out 2"), "{stamped}");
    let error = engine.gantry(&["logs", "--grep", "(", "box"]).fails(1);
    assert!(error.contains("invalid argument \"(\" for \"--grep\" flag"), "{error}");
    let mut follow = engine.command(&["logs", "-f", "--grep", "late o|last", "box"]);
    let follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    engine.gantry(&["exec", "box", "touch", "/go"]).ok();
    let output = follow.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "last out\nlate out\n");
}
