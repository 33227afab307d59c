//! `--help`, in Docker's layout and, but for what docs/differences.md lists, Docker's words.

use std::io::IsTerminal;

use crate::command::{Command, Group};
use crate::commands::{self, Entry};
use crate::context::{Context, GLOBAL_FLAGS};
use crate::error::{Failure, Result};
use crate::flags::{self, Parsed};

/// `gantry help WORD...`.
pub(crate) fn topic(globals: Parsed, words: &[String]) -> Result<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = match words.as_slice() {
        [] => Some(root(&Context::new(globals))),
        [name, rest @ ..] => match (commands::find(name), rest) {
            (Some(Entry::Command(it)), []) => Some(command(it, &format!("gantry {name}"))),
            (Some(Entry::Group(it)), []) => Some(group(it)),
            (Some(Entry::Group(noun)), [verb]) => Some(match noun.find(verb) {
                Some(it) => command(it, &format!("gantry {name} {}", it.name)),
                None => group(noun),
            }),
            _ => None,
        },
    };
    found.ok_or_else(|| Failure::new(format!("unknown help topic: {}", words.join(" "))))
}

/// `path` is how it was called.
pub(crate) fn command(command: &Command, path: &str) -> String {
    wrapped(command, path, width())
}

fn wrapped(command: &Command, path: &str, width: usize) -> String {
    let mut text = format!("\n{}\n\n{}\n", usage(command, path), command.about);
    if command.paths.len() > 1 {
        let paths: Vec<String> =
            command.paths.iter().map(|path| format!("gantry {path}")).collect();
        text += &format!("\nAliases:\n  {}\n", paths.join(", "));
    }
    let options = flags::usages(command.flags, width, |flag| flag.default.to_owned());
    if !options.is_empty() {
        text += &format!("\nOptions:\n{options}");
    }
    text
}

/// How to call it.
pub(crate) fn usage(command: &Command, path: &str) -> String {
    format!("Usage:  {path} {}", command.usage).trim_end().to_owned()
}

pub(crate) fn group(group: &'static Group) -> String {
    group_wrapped(group, width())
}

fn group_wrapped(group: &'static Group, width: usize) -> String {
    let options = flags::usages(&[group.flags], width, |flag| flag.default.to_owned());
    let (usage, options) = match options.is_empty() {
        true => ("COMMAND", String::new()),
        false => ("[OPTIONS] COMMAND", format!("Options:\n{options}\n")),
    };
    let mut text = format!(
        "\nUsage:  gantry {} {usage}\n\n{}\n\n{options}Commands:\n",
        group.name, group.about
    );
    for command in commands::shown(group) {
        text += &format!("  {:11} {}\n", command.name, command.summary());
    }
    text + &format!(
        "\nRun 'gantry {} COMMAND --help' for more information on a command.\n",
        group.name
    )
}

pub(crate) fn root(context: &Context) -> String {
    let mut text = format!("\nUsage:  gantry [OPTIONS] COMMAND\n\n{ABOUT}\n");
    for (title, rows) in commands::lists() {
        let rows: String =
            rows.iter().map(|(name, about)| format!("  {name:11} {about}\n")).collect();
        text += &format!("\n{title}:\n{rows}");
    }
    let directory = context.config_directory();
    let options = flags::usages(&[GLOBAL_FLAGS], width(), |flag| {
        flag.default.replacen(CONFIG_DIRECTORY, &directory.to_string_lossy(), 1)
    });
    text += &format!("\nGlobal Options:\n{options}");
    text + "\nRun 'gantry COMMAND --help' for more information on a command.\n"
}

/// What the program is.
pub(crate) const ABOUT: &str = "Containers in milliseconds";

/// In defaults, where the config directory usually is.
const CONFIG_DIRECTORY: &str = "~/.docker";

/// How wide it may be: the terminal's width, or 80.
fn width() -> usize {
    let of_terminal =
        std::io::stdin().is_terminal().then(|| rustix::termios::tcgetwinsize(std::io::stdin()));
    match of_terminal {
        Some(Ok(size)) if size.ws_col > 0 => usize::from(size.ws_col) - 1,
        _ => 79,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_help_text() {
        let mut text = String::new();
        for (name, _) in commands::lists().into_iter().flat_map(|(_, rows)| rows) {
            match commands::find(name) {
                Some(Entry::Command(it)) => text += &wrapped(it, &format!("gantry {name}"), 79),
                Some(Entry::Group(it)) => text += &group_wrapped(it, 79),
                None => panic!("{name} is listed and not found"),
            }
        }
        expect_test::expect_file!["../tests/help.txt"].assert_eq(&text);
    }
}
