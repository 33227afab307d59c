//! Environment variables and labels, from flags and from files.

use std::collections::BTreeMap;

pub(in crate::commands::container) use crate::error::os_error;
use std::io::{BufRead, BufReader, Read};

/// The most that Go's scanner takes for a line, its end included.
const LINE: u64 = 64 << 10;
/// The most of a file: a pipe may have no end. No program starts with as much.
const FILE: u64 = 16 << 20;

pub(in crate::commands) fn check(text: &str) -> Result<(), String> {
    match text.split('=').next() {
        Some("") | None => Err(format!("invalid environment variable: {text}")),
        _ => Ok(()),
    }
}

pub(in crate::commands) fn check_label(text: &str) -> Result<(), String> {
    match text.split('=').next() {
        Some("") | None => Err(format!("invalid label '{text}': empty name")),
        _ => Ok(()),
    }
}

/// Variables of the files, then those of the flags. A name without a value takes this process's, and
/// is left out where there is none.
pub(in crate::commands) fn collect(
    files: &[String],
    flags: &[String],
) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for file in files {
        for line in lines(file)? {
            all.extend(inherited(&line));
        }
    }
    all.extend(flags.iter().filter_map(|text| inherited(text)));
    Ok(all)
}

fn inherited(text: &str) -> Option<String> {
    if text.contains('=') {
        return Some(text.to_owned());
    }
    Some(format!("{text}={}", std::env::var(text).ok()?))
}

pub(in crate::commands) fn labels(
    files: &[String],
    flags: &[String],
) -> Result<BTreeMap<String, String>, String> {
    let mut all = Vec::new();
    for file in files {
        // Nobody's environment gives a label its value.
        all.extend(lines(file)?.into_iter().filter(|line| line.contains('=')));
    }
    all.extend_from_slice(flags);
    Ok(super::pairs(&all))
}

/// The lines of a file that are neither empty nor comments. Values are taken as they are.
fn lines(path: &str) -> Result<Vec<String>, String> {
    let doing = |what: &str, error: std::io::Error| format!("{what} {path}: {}", os_error(&error));
    let file = std::fs::File::open(path).map_err(|error| doing("open", error))?;
    let mut file = BufReader::new(file);
    let mut kept = Vec::new();
    let (mut number, mut size) = (0, 0);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = file.by_ref().take(LINE).read_until(b'\n', &mut bytes);
        let read = read.map_err(|error| doing("read", error))? as u64;
        if read == 0 {
            return Ok(kept);
        }
        if read == LINE && bytes.last() != Some(&b'\n') {
            return Err("bufio.Scanner: token too long".to_owned());
        }
        (number, size) = (number + 1, size + read);
        if size > FILE {
            return Err(format!("read {path}: it is larger than {} MiB", FILE >> 20));
        }
        kept.extend(kept_of(path, number, &bytes)?);
    }
}

/// What a line says, if anything.
fn kept_of(path: &str, number: usize, line: &[u8]) -> Result<Option<String>, String> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Ok(text) = str::from_utf8(line) else {
        let bytes = format!("{line:?}").replace(',', "");
        return Err(format!(
            "env file {path} contains invalid utf8 bytes at line {number}: {bytes}"
        ));
    };
    let text = if number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
    let text = text.trim_start();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let name = text.split('=').next().unwrap_or_default();
    if name.is_empty() {
        return Err(format!("poorly formatted environment: no variable name on line '{text}'"));
    }
    if name.contains(char::is_whitespace) {
        return Err(format!(
            "poorly formatted environment: variable '{name}' contains whitespaces"
        ));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn files_have_comments_and_no_quotes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# comment\nA=1\n\n  B=\"two words\"\nPATH").unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let env = collect(&[path], &["C=3".to_owned(), "NOT_SET_ANYWHERE".to_owned()]).unwrap();
        assert_eq!(env[..2], ["A=1", "B=\"two words\""]);
        assert!(env[2].starts_with("PATH=/"));
        assert_eq!(env[3..], ["C=3"]);
    }

    #[test]
    fn lines_and_files_have_an_end() {
        let read = |text: String| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            lines(file.path().to_str().unwrap())
        };
        let line = |length: usize| format!("A={}", "x".repeat(length - 2));
        let full = LINE as usize - 1;
        assert_eq!(read(line(full)).unwrap().len(), 1);
        assert_eq!(read(format!("{}\nB=1", line(full))).unwrap().len(), 2);
        for long in [line(full + 1), format!("B=1\n{}\nC=1", line(full + 1))] {
            assert_eq!(read(long).unwrap_err(), "bufio.Scanner: token too long");
        }
        assert_eq!(lines("/dev/zero").unwrap_err(), "bufio.Scanner: token too long");
        let many = format!("{}\n", line(1023)).repeat(16 << 10);
        assert!(read(many.clone()).is_ok());
        assert!(read(many + "B=1").unwrap_err().ends_with("it is larger than 16 MiB"));
    }

    #[test]
    fn names_are_checked() {
        assert!(check("=x").is_err() && check("").is_err() && check("A").is_ok());
        assert!(collect(&["/nowhere/x".to_owned()], &[]).unwrap_err().contains("no such file"));
    }
}
