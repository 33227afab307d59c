//! Manual pages, written out of the tables that `--help` is: `gantry __man DIRECTORY`, for whoever packages this.
//! `gantry __man DIRECTORY PROGRAM...` writes those of other programs instead ([`programs`]).
//!
//! A page for the program, for each noun and for each verb, by its noun; where else a verb is found, a link leads to it.

mod programs;

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::command::{Command, Group};
use crate::commands;
use crate::context::GLOBAL_FLAGS;
use crate::error::{Failure, Result};
use crate::flags::{self, Flag};
use crate::help;

const ENVIRONMENT: &str = "\
.SH ENVIRONMENT
.TP
.B DOCKER_HOST
The engine to talk to, as with \\-\\-host; GANTRY_HOST goes before it.
.TP
.B DOCKER_CONTEXT
The context to use, as with \\-\\-context.
.TP
.B DOCKER_CONFIG
Where the configuration is, as with \\-\\-config.
.TP
.B DOCKER_API_VERSION
The version of the API to speak.
.TP
.B DOCKER_TLS_VERIFY
Whether to use TLS and verify the engine, as with \\-\\-tlsverify; DOCKER_TLS does not verify it.
.TP
.B DOCKER_CERT_PATH
Where the files of TLS are, instead of the configuration's directory.
";

/// The hidden command.
pub(crate) const COMMAND: &str = "__man";

/// Writes all pages into a directory, which is made if need be.
pub(crate) fn write(words: &[String]) -> Result<()> {
    let [directory, others @ ..] = words else {
        return Err(Failure::new("a directory is wanted"));
    };
    let directory = Path::new(directory);
    let own = if others.is_empty() { write_pages } else { |_: &Path| Ok(()) };
    let written = fs::create_dir_all(directory).and_then(|()| own(directory));
    written.map_err(|error| Failure::new(format!("{}: {error}", directory.display())))?;
    others.iter().try_for_each(|program| programs::write(directory, Path::new(program)))
}

fn write_pages(directory: &Path) -> io::Result<()> {
    fs::write(directory.join(file("")), of_program())?;
    for group in commands::GROUPS {
        fs::write(directory.join(file(group.name)), of_group(group))?;
    }
    for command in commands::every() {
        let [path, others @ ..] = command.paths else { continue };
        fs::write(directory.join(file(path)), of_command(command))?;
        for other in others {
            link(&file(path), &directory.join(file(other)))?;
        }
    }
    Ok(())
}

/// Over one of an earlier version, too.
fn link(to: &str, place: &Path) -> io::Result<()> {
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(to, place),
    }
}

/// The page's name: `gantry-container-ls`.
fn name(path: &str) -> String {
    format!("gantry {path}").trim_end().replace(' ', "-")
}

fn file(path: &str) -> String {
    format!("{}.1", name(path))
}

fn of_program() -> String {
    let mut page = head(&[""], help::ABOUT) + &synopsis(&[""], "[OPTIONS] COMMAND");
    for (title, rows) in commands::lists() {
        page += &commands_section(title, "", &rows);
    }
    page + &options_section("GLOBAL OPTIONS", &[GLOBAL_FLAGS]) + ENVIRONMENT
}

fn of_group(group: &'static Group) -> String {
    let rows: Vec<_> =
        commands::shown(group).map(|command| (command.name, command.summary())).collect();
    head(&[group.name], group.about)
        + &synopsis(
            &[group.name],
            if group.flags.is_empty() { "COMMAND" } else { "[OPTIONS] COMMAND" },
        )
        + &options_section("OPTIONS", &[group.flags])
        + &commands_section("Commands", group.name, &rows)
        + &see_also("")
}

fn of_command(command: &Command) -> String {
    let noun = command.paths[0].split_once(' ').map_or("", |(noun, _)| noun);
    head(command.paths, command.summary())
        + &synopsis(command.paths, command.usage)
        + &format!(".SH DESCRIPTION\n{}", paragraphs(command.about))
        + &options_section("OPTIONS", command.flags)
        + &see_also(noun)
}

fn head(paths: &[&str], about: &str) -> String {
    let names: Vec<String> = paths.iter().map(|path| escaped(&name(path))).collect();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".TH {} 1 \"\" \"Gantry {version}\" \"Gantry\"\n.ad l\n.nh\n.SH NAME\n{} \\- {}\n",
        names[0].to_uppercase(),
        names.join(", "),
        escaped(about)
    )
}

/// A usage of several lines names its paths itself.
fn synopsis(paths: &[&str], usage: &str) -> String {
    let paths = if usage.contains('\n') { &paths[..1] } else { paths };
    let usage = usage.lines().map(|line| format!("{}\n", escaped(line.trim_start())));
    let usage = usage.collect::<Vec<_>>().join(".br\n");
    let called =
        |path: &&str| format!(".B {}\n{usage}", escaped(format!("gantry {path}").trim_end()));
    format!(".SH SYNOPSIS\n{}", paths.iter().map(called).collect::<Vec<_>>().join(".br\n"))
}

fn commands_section(title: &str, noun: &str, rows: &[(&str, &str)]) -> String {
    let mut section = format!(".SH {}\n", title.to_uppercase());
    for (verb, about) in rows {
        let page = escaped(&name(format!("{noun} {verb}").trim_start()));
        section += &format!(".TP\n.BR {page} (1)\n{}\n", escaped(about));
    }
    section
}

fn options_section(title: &str, tables: &[&[Flag]]) -> String {
    let flags = flags::listed(tables);
    if flags.is_empty() {
        return String::new();
    }
    let rows: String = flags.iter().map(|flag| option(flag)).collect();
    format!(".SH {title}\n{rows}")
}

fn option(flag: &Flag) -> String {
    let short = flag.short.map(|short| format!("\\fB\\-{short}\\fR, ")).unwrap_or_default();
    let value = match flag.type_name {
        "" => String::new(),
        name => format!(" \\fI{}\\fR", escaped(name)),
    };
    let text = flags::description(flag, flag.default);
    let text: Vec<String> = text.lines().map(escaped).collect();
    format!(".TP\n{short}\\fB\\-\\-{}\\fR{value}\n{}\n", escaped(flag.long), text.join("\n.br\n"))
}

fn see_also(path: &str) -> String {
    format!(".SH SEE ALSO\n.BR {} (1)\n", escaped(&name(path)))
}

/// Paragraphs are filled; where a line is laid out by spaces, its paragraph is left as it is.
fn paragraphs(text: &str) -> String {
    let paragraph = |text: &str| {
        let lines: Vec<String> = text.lines().map(escaped).collect();
        let lines = lines.join("\n");
        if text.contains("   ") { format!(".nf\n{lines}\n.fi\n") } else { format!("{lines}\n") }
    };
    text.split("\n\n").map(paragraph).collect::<Vec<_>>().join(".PP\n")
}

/// As roff is to print it: quotes and dashes are what they are, and no line is a request.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\\' => out += "\\(rs",
            '-' => out += "\\-",
            '\'' => out += "\\(aq",
            '`' => out += "\\(ga",
            '^' => out += "\\(ha",
            '~' => out += "\\(ti",
            '.' if out.is_empty() => out += "\\&.",
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_a_request() {
        assert_eq!(escaped(".dockerignore"), "\\&.dockerignore");
        assert_eq!(escaped("'json': a\\b ~/x"), "\\(aqjson\\(aq: a\\(rsb \\(ti/x");
    }

    #[test]
    fn a_flag_is_an_entry_with_its_lines() {
        const FORMAT: Flag = Flag::string("format", "One of:\n'json': JSON").short('f');
        let expected = ".TP\n\\fB\\-f\\fR, \\fB\\-\\-format\\fR \\fIstring\\fR\nOne of:\n.br\n\\(aqjson\\(aq: JSON\n";
        assert_eq!(option(&FORMAT), expected);
    }

    #[test]
    fn what_is_laid_out_stays_so() {
        let text = paragraphs("Does it.\n\nNAME   WHAT\na      b");
        assert_eq!(text, "Does it.\n.PP\n.nf\nNAME   WHAT\na      b\n.fi\n");
    }
}
