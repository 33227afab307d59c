//! Pages of the programs that come with this one, out of what their own `--help` says: gantryd.8, gantry-runtime.8.
//! Where a program has verbs, each is a section with what `PROGRAM VERB --help` says.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{escaped, paragraphs};
use crate::error::{Failure, Result};

/// Writes the page of the program at `path` into a directory.
pub(super) fn write(directory: &Path, path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let help = Help::parse(&said(path, &["--help"])?);
    let mut page = head(&name, &help);
    for (title, rows) in &help.sections {
        page += &format!(".SH {}\n", escaped(&title.to_uppercase()));
        for (left, text) in rows {
            page += &match left.starts_with('-') {
                true => option(left, text),
                false => verb(left, &Help::parse(&said(path, &[left, "--help"])?)),
            };
        }
    }
    page += ".SH SEE ALSO\n.BR gantry (1)\n";
    let place = directory.join(format!("{name}.8"));
    fs::write(&place, page).map_err(|error| Failure::new(format!("{}: {error}", place.display())))
}

fn said(path: &Path, words: &[&str]) -> Result<String> {
    let output = Command::new(path).args(words).output();
    let output = output.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    if !output.status.success() {
        let what = format!("{} {} ended with {}", path.display(), words.join(" "), output.status);
        return Err(Failure::new(what));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A help text: `Usage: ...`, a description, then sections of rows, each of which has its text after two spaces.
#[derive(Debug, Default, PartialEq, Eq)]
struct Help {
    usage: String,
    about: String,
    sections: Vec<(String, Vec<(String, String)>)>,
}

impl Help {
    fn parse(text: &str) -> Self {
        let mut help = Help::default();
        for line in text.lines() {
            if let Some(usage) = line.strip_prefix("Usage:") {
                usage.trim().clone_into(&mut help.usage);
            } else if let (Some((_, rows)), true) =
                (help.sections.last_mut(), line.starts_with(' '))
            {
                let line = line.trim();
                let (left, text) = line.split_once("  ").unwrap_or((line, ""));
                rows.push((left.to_owned(), text.trim().to_owned()));
            } else if let Some(title) = line.strip_suffix(':') {
                help.sections.push((title.to_owned(), Vec::new()));
            } else if !line.is_empty() {
                help.about += line;
                help.about.push('\n');
            }
        }
        help
    }
}

fn head(name: &str, help: &Help) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (name, about) = (escaped(name), help.about.trim_end().trim_end_matches('.'));
    let usage = help.usage.split_once(' ').map_or("", |(_, rest)| rest);
    format!(
        ".TH {} 8 \"\" \"Gantry {version}\" \"Gantry\"\n.ad l\n.nh\n.SH NAME\n{name} \\- {}\n\
         .SH SYNOPSIS\n.B {name}\n{}\n",
        name.to_uppercase(),
        escaped(about),
        escaped(usage)
    )
}

/// `-s, --long VALUE`: the flag is bold, the value in italics.
fn option(left: &str, text: &str) -> String {
    let words = left.split(' ').map(|word| match word.strip_suffix(',') {
        Some(short) => format!("\\fB{}\\fR,", escaped(short)),
        None if word.starts_with('-') => format!("\\fB{}\\fR", escaped(word)),
        None => format!("\\fI{}\\fR", escaped(word)),
    });
    format!(".TP\n{}\n{}\n", words.collect::<Vec<_>>().join(" "), escaped(text))
}

fn verb(name: &str, help: &Help) -> String {
    let options = help.sections.iter().flat_map(|(_, rows)| rows);
    let options: String = options.map(|(left, text)| option(left, text)).collect();
    format!(
        ".SS {}\n.B {}\n.PP\n{}{options}",
        escaped(name),
        escaped(&help.usage),
        paragraphs(&help.about)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_text_is_taken_apart() {
        let text = "\nUsage:  engine [OPTIONS]\n\nServes.\n\nOptions:\n  -D, --debug            Says more\n      --a-rather-long list   Has a list\n";
        let row = |left: &str, text: &str| (left.to_owned(), text.to_owned());
        let rows = vec![row("-D, --debug", "Says more"), row("--a-rather-long list", "Has a list")];
        let expected = Help {
            usage: "engine [OPTIONS]".into(),
            about: "Serves.\n".into(),
            sections: vec![("Options".into(), rows)],
        };
        assert_eq!(Help::parse(text), expected);
    }

    #[test]
    fn a_flag_is_bold_and_its_value_is_not() {
        let expected = ".TP\n\\fB\\-s\\fR, \\fB\\-\\-storage\\-driver\\fR \\fIstring\\fR\nWhich\n";
        assert_eq!(option("-s, --storage-driver string", "Which"), expected);
    }
}
