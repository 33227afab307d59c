//! Environment variables and labels, from flags and from files.

use std::collections::BTreeMap;

pub(in crate::commands::container) use crate::error::os_error;
use std::io::Read;

pub(super) fn check(text: &str) -> Result<(), String> {
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
    let mut file = std::fs::File::open(path).map_err(|error| doing("open", error))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| doing("read", error))?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut kept = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = str::from_utf8(line) else {
            return Err(format!(
                "env file {path} contains invalid utf8 bytes at line {}: {}",
                number + 1,
                format!("{line:?}").replace(',', "")
            ));
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() {
            return Err(format!("poorly formatted environment: no variable name on line '{line}'"));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!(
                "poorly formatted environment: variable '{name}' contains whitespaces"
            ));
        }
        kept.push(line.to_owned());
    }
    Ok(kept)
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
    fn names_are_checked() {
        assert!(check("=x").is_err() && check("").is_err() && check("A").is_ok());
        assert!(collect(&["/nowhere/x".to_owned()], &[]).unwrap_err().contains("no such file"));
    }
}
