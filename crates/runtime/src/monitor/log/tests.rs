use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::json_file::replace_invalid;
use super::*;

const NOON: Timestamp = Timestamp { seconds: 1_795_233_600, nanos: 120_000_000 };

fn config(driver: LogDriver, directory: &Path) -> LogConfig {
    let path = directory.join("c-json.log");
    LogConfig { driver, path, max_size: None, max_file: 1, attrs: BTreeMap::new() }
}

/// The file that these writes make.
fn written(driver: LogDriver, writes: &[&[u8]]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let config = config(driver, directory.path());
    let mut log = LogWriter::open(&config).unwrap().unwrap();
    for bytes in writes {
        log.write(Stream::Stdout, bytes, NOON);
    }
    let end = log.finish(NOON);
    let file = std::fs::read(&config.path).unwrap();
    assert_eq!(end, file.len() as u64);
    assert_eq!(log.take_failure(), None);
    file
}

fn texts(file: &[u8]) -> Vec<String> {
    let lines = file.split_inclusive(|&byte| byte == b'\n');
    lines.map(|line| json_file::decode(line).unwrap().log.into_owned()).collect()
}

/// Taken from a `json-file` log of Docker 26.
#[test]
fn odd_bytes_are_written_as_docker_writes_them() {
    let cases: [(&[u8], &str); 8] = [
        (b"plain\n", r#"plain\n"#),
        (b"a\t\"q\"\\ <b>&amp;\r\n", r#"a\u0009\"q\"\\ \u003cb\u003e\u0026amp;\r\n"#),
        (b"\0\x01\x7f\n", "\\u0000\\u0001\x7f\\n"),
        (b"\xc3( \xe2\x82 ", r#"\ufffd( \ufffd\ufffd "#),
        (b"\xed\xa0\x80 \xf4\x90\x80\x80", r#"\ufffd\ufffd\ufffd \ufffd\ufffd\ufffd\ufffd"#),
        ("😀é\n".as_bytes(), r#"😀é\n"#),
        ("\u{2028}\u{2029}\u{2027}".as_bytes(), "\\u2028\\u2029\u{2027}"),
        (b"no newline at the end, 0123456789<", r#"no newline at the end, 0123456789\u003c"#),
    ];
    for (output, encoded) in cases {
        let file = String::from_utf8(written(LogDriver::JsonFile, &[output])).unwrap();
        let expected = format!(
            "{{\"log\":\"{encoded}\",\"stream\":\"stdout\",\"time\":\"2026-11-21T04:00:00.12Z\"}}\n"
        );
        assert_eq!(file, expected);
    }
}

/// Each byte, at each place of a block.
#[test]
fn every_byte_is_escaped_wherever_it_stands() {
    for byte in 0..=u8::MAX {
        for before in 0..17 {
            let mut line = vec![b'a'; 33];
            line[before] = byte;
            line.push(b'\n');
            let expected = replace_invalid(&line);
            let file = written(LogDriver::JsonFile, &[&line]);
            assert_eq!(texts(&file).concat(), expected, "{byte:#x} after {before}");
        }
    }
}

#[test]
fn attributes_stand_between_stream_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(LogDriver::JsonFile, directory.path());
    config.attrs = [("tag".into(), "a\"b".into()), ("x".into(), "y".into())].into();
    let mut log = LogWriter::open(&config).unwrap().unwrap();
    log.write(Stream::Stderr, b"x\n", NOON);
    let file = std::fs::read_to_string(&config.path).unwrap();
    assert_eq!(
        file,
        "{\"log\":\"x\\n\",\"stream\":\"stderr\",\"attrs\":{\"tag\":\"a\\\"b\",\"x\":\"y\"},\
         \"time\":\"2026-11-21T04:00:00.12Z\"}\n"
    );
}

#[test]
fn a_line_that_fills_the_buffer_is_cut_before_its_newline() {
    let full = "x".repeat(lines::LONGEST);
    let file = written(LogDriver::JsonFile, &[full.as_bytes(), b"\n", b"next\n"]);
    assert_eq!(texts(&file), [full.as_str(), "\n", "next\n"]);

    let fits = format!("{}\n", "x".repeat(lines::LONGEST - 1));
    assert_eq!(texts(&written(LogDriver::JsonFile, &[fits.as_bytes()])), [fits.as_str()]);
}

#[test]
fn pieces_of_a_line_share_the_time_of_the_first() {
    let mut splitter = Splitter::default();
    let mut pieces = Vec::new();
    let later = Timestamp { seconds: NOON.seconds + 9, nanos: 0 };
    let mut note = |piece: Piece<'_>| {
        pieces.push((
            piece.bytes.len(),
            piece.ends_line,
            piece.part.map(|p| p.ordinal),
            piece.time,
        ));
    };
    for (mut bytes, now) in [(&[b'x'; lines::LONGEST + 5][..], NOON), (b"\nshort\n", later)] {
        while !bytes.is_empty() {
            bytes = splitter.feed(bytes, now, &mut note);
        }
    }
    let expected =
        [(lines::LONGEST, false, Some(1), NOON), (5, true, Some(2), NOON), (5, true, None, later)];
    assert_eq!(pieces, expected);
}

#[test]
fn the_local_format_is_the_one_docker_reads() {
    let file = written(LogDriver::Local, &[b"hi\n"]);
    let nanos = NOON.unix_nanos();
    let mut message = b"\x0a\x06stdout\x10".to_vec();
    let mut number = nanos as u64;
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
    message.extend_from_slice(b"\x1a\x02hi");
    let length = (message.len() as u32).to_be_bytes();
    assert_eq!(file, [&length[..], &message, &length].concat());
}

#[test]
fn a_damaged_local_file_ends_where_the_damage_begins() {
    let mut file = written(LogDriver::Local, &[b"one\ntwo\n"]);
    let (_, first) = local::decode(&file).unwrap();
    file.truncate(file.len() - 1);
    assert!(local::decode(&file[first..]).is_none());
    assert_eq!(local::whole(&file), first);
    assert!(local::decode(&[0xff; 64]).is_none());
}

/// Small files, and numbered lines of many lengths: each is in exactly one file, in order, until
/// the oldest file goes.
#[test]
fn rotation_at_any_boundary_loses_nothing() {
    for max_size in [1, 2, 90, 91, 500, 4096] {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(LogDriver::JsonFile, directory.path());
        (config.max_size, config.max_file) = (Some(max_size), 1000);
        let mut log = LogWriter::open(&config).unwrap().unwrap();
        let lines: Vec<String> =
            (0..200).map(|n| format!("{n} {}\n", "x".repeat(n * 7 % 40))).collect();
        for chunk in lines.concat().as_bytes().chunks(333) {
            log.write(Stream::Stdout, chunk, NOON);
        }
        assert_eq!(log.take_failure(), None);

        let rotated = (1..1000).map(|n| rotate::rotated(&config.path, n));
        let mut files: Vec<_> = rotated.take_while(|path| path.exists()).collect();
        files.reverse();
        files.push(config.path.clone());
        let mut found = Vec::new();
        for file in &files {
            let file = std::fs::read(file).unwrap();
            let last_entry =
                file.split_inclusive(|&b| b == b'\n').next_back().map_or(0, <[u8]>::len);
            assert!((file.len() - last_entry) < max_size as usize, "filled beyond its size");
            found.extend(texts(&file));
        }
        assert_eq!(found, lines, "max-size {max_size}");
    }
}

#[test]
fn only_as_many_files_are_kept_as_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(LogDriver::JsonFile, directory.path());
    (config.max_size, config.max_file) = (Some(1), 3);
    let mut log = LogWriter::open(&config).unwrap().unwrap();
    log.write(Stream::Stdout, b"1\n2\n", NOON);
    std::fs::write(directory.path().join("c-json.log.1.gz"), "compressed 1").unwrap();
    std::fs::remove_file(rotate::rotated(&config.path, 1)).unwrap();
    log.write(Stream::Stdout, b"3\n", NOON);

    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["c-json.log", "c-json.log.1", "c-json.log.2.gz"]);
}

#[test]
fn a_single_file_is_emptied_when_it_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(LogDriver::JsonFile, directory.path());
    config.max_size = Some(10);
    let mut log = LogWriter::open(&config).unwrap().unwrap();
    log.write(Stream::Stdout, b"1\n2\n3\n", NOON);
    assert_eq!(texts(&std::fs::read(&config.path).unwrap()), ["3\n"]);
}

#[test]
fn while_the_names_are_locked_the_file_grows() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(LogDriver::JsonFile, directory.path());
    (config.max_size, config.max_file) = (Some(1), 3);
    let mut log = LogWriter::open(&config).unwrap().unwrap();
    let lock = rotate::try_lock(&config.path).unwrap().unwrap();
    log.write(Stream::Stdout, b"1\n2\n", NOON);
    assert_eq!(texts(&std::fs::read(&config.path).unwrap()), ["1\n", "2\n"]);
    drop(lock);
    log.write(Stream::Stdout, b"3\n", NOON);
    assert_eq!(texts(&std::fs::read(&config.path).unwrap()), ["3\n"]);
}

/// `/dev/full` takes nothing, like a full disk.
#[test]
fn a_full_disk_is_reported_once() {
    let path = "/dev/full".into();
    let attrs = BTreeMap::new();
    let config =
        LogConfig { driver: LogDriver::JsonFile, path, max_size: None, max_file: 1, attrs };
    let mut log = LogWriter::open(&config).unwrap().unwrap();
    log.write(Stream::Stdout, b"1\n", NOON);
    let failure = log.take_failure().unwrap();
    assert!(failure.contains("/dev/full") && failure.contains("No space"), "{failure}");
    log.write(Stream::Stdout, b"2\n", NOON);
    assert_eq!(log.take_failure(), None);
}

proptest! {
    /// Whatever is written, however it is cut into reads, both formats give it back.
    #[test]
    fn any_stream_reads_back(
        writes in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                prop::collection::vec(prop::sample::select(b"ab\n\"<\xc3\xa9\xe2\x80\xa8".to_vec()), 0..400),
                (0_usize..40_000).prop_map(|length| vec![b'z'; length]),
            ],
            0..12,
        )
    ) {
        let writes: Vec<&[u8]> = writes.iter().map(Vec::as_slice).collect();
        let bytes = writes.concat();

        let file = written(LogDriver::Local, &writes);
        let (mut rest, mut joined) = (&file[..], Vec::new());
        while !rest.is_empty() {
            let (entry, length) = local::decode(rest).unwrap();
            joined.extend_from_slice(entry.line);
            if !entry.partial {
                joined.push(b'\n');
            }
            rest = &rest[length..];
        }
        prop_assert_eq!(&joined, &bytes);

        let pieces = bytes.split_inclusive(|&byte| byte == b'\n').flat_map(cut);
        let expected: Vec<String> = pieces.map(replace_invalid).collect();
        prop_assert_eq!(texts(&written(LogDriver::JsonFile, &writes)), expected);
    }
}

/// A line in pieces of the longest length, with a newline never beginning in the middle of one.
fn cut(line: &[u8]) -> Vec<&[u8]> {
    line.chunks(lines::LONGEST).collect()
}
