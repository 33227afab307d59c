//! From the command line to the one command that was typed, and from its result to an exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use crate::command::{Command, Group};
use crate::commands::{self, Entry};
use crate::completion;
use crate::context::{Context, GLOBAL_FLAGS};
use crate::error::{Failure, Result};
use crate::flags::{self, Interspersed, Parsed};
use crate::output::{print, warn};

/// A flag that is wrong, as opposed to a command that is.
const BAD_FLAG: u8 = 125;

pub(crate) fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match dispatch(&words) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            if !failure.message.is_empty() {
                warn(&failure.message);
            }
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(words: &[String]) -> Result<u8> {
    if let Some((completion::COMMAND, words)) =
        words.split_first().map(|(w, rest)| (w.as_str(), rest))
    {
        return print(completion::complete(words)).map(|()| 0);
    }
    let globals = flags::parse(&[GLOBAL_FLAGS], words, Interspersed::No).map_err(|error| {
        Failure::with_code(BAD_FLAG, format!("{error}\nSee 'gantry --help'.\n{}", root_help()))
    })?;
    if globals.help {
        return print(root_help()).map(|()| 0);
    }
    if globals.bool("version") {
        return print(commands::version_line()).map(|()| 0);
    }
    let mut rest = globals.args.clone();
    if rest.is_empty() {
        warn(root_help().trim_end_matches('\n'));
        return Ok(0);
    }
    let name = rest.remove(0);
    if name == "help" {
        return help(&rest);
    }
    match commands::find(&name) {
        Some(Entry::Command(command)) => run(command, format!("gantry {name}"), globals, &rest),
        Some(Entry::Group(group)) => run_in(group, globals, &rest),
        None => Err(commands::not_there(&name)),
    }
}

fn run_in(group: &'static Group, globals: Parsed, words: &[String]) -> Result<u8> {
    match words.first().map(String::as_str) {
        None => {
            warn(group_help(group).trim_end_matches('\n'));
            Ok(0)
        }
        Some("--help" | "-h" | "help") => print(group_help(group)).map(|()| 0),
        Some(flag) if flag.starts_with('-') => {
            let path = format!("gantry {}", group.name);
            Err(Failure::with_code(BAD_FLAG, format!("unknown flag: {flag}\nSee '{path} --help'.")))
        }
        Some(verb) => match group.find(verb) {
            Some(command) => {
                let path = format!("gantry {} {}", group.name, command.name);
                run(command, path, globals, &words[1..])
            }
            None => match commands::coming_later(&format!("{} {verb}", group.name)) {
                Some(failure) => Err(failure),
                None => Err(Failure::new(group_help(group).trim_end_matches('\n'))),
            },
        },
    }
}

fn help(words: &[String]) -> Result<u8> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let text = match words.as_slice() {
        [] => root_help(),
        [name, rest @ ..] => match (commands::find(name), rest) {
            (Some(Entry::Command(command)), []) => {
                command_help(command, &format!("gantry {name}"), width())
            }
            (Some(Entry::Group(group)), []) => group_help(group),
            (Some(Entry::Group(group)), [verb]) => match group.find(verb) {
                Some(command) => command_help(command, &format!("gantry {name} {verb}"), width()),
                None => group_help(group),
            },
            _ => return Err(Failure::new(format!("unknown help topic: {}", words.join(" ")))),
        },
    };
    print(text).map(|()| 0)
}

fn run(command: &'static Command, path: String, globals: Parsed, words: &[String]) -> Result<u8> {
    let interspersed = if command.trailing { Interspersed::No } else { Interspersed::Yes };
    let parsed = flags::parse(command.flags, words, interspersed)
        .map_err(|error| Failure::with_code(BAD_FLAG, format!("{error}\nSee '{path} --help'.")))?;
    if parsed.help {
        return print(command_help(command, &path, width())).map(|()| 0);
    }
    if let Some(wrong) = command.args.check(parsed.args.len()) {
        return Err(Failure::new(format!(
            "\"{path}\" {wrong}.\nSee '{path} --help'.\n\nUsage:  {path} {}\n\n{}",
            command.usage, command.about
        )));
    }
    let context = Context::new(globals);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on((command.run)(&context, &parsed));
    // A thread may still sit in a read of stdin; the process ends without it.
    runtime.shutdown_background();
    result
}

/// How wide help may be: the terminal's width, or 80.
fn width() -> usize {
    let of_terminal =
        std::io::stdin().is_terminal().then(|| rustix::termios::tcgetwinsize(std::io::stdin()));
    match of_terminal {
        Some(Ok(size)) if size.ws_col > 0 => usize::from(size.ws_col) - 1,
        _ => 79,
    }
}

fn command_help(command: &Command, path: &str, width: usize) -> String {
    let mut text = format!("\nUsage:  {path} {}\n\n{}\n", command.usage, command.about);
    if command.paths.len() > 1 {
        let paths: Vec<String> =
            command.paths.iter().map(|path| format!("gantry {path}")).collect();
        text += &format!("\nAliases:\n  {}\n", paths.join(", "));
    }
    let options: String = flags::usages(command.flags, width);
    if !options.is_empty() {
        text += &format!("\nOptions:\n{options}");
    }
    text
}

fn group_help(group: &'static Group) -> String {
    let mut text =
        format!("\nUsage:  gantry {} COMMAND\n\n{}\n\nCommands:\n", group.name, group.about);
    for command in commands::shown(group) {
        text += &format!("  {:11} {}\n", command.name, command.summary());
    }
    text + &format!(
        "\nRun 'gantry {} COMMAND --help' for more information on a command.\n",
        group.name
    )
}

fn root_help() -> String {
    let mut text = "\nUsage:  gantry [OPTIONS] COMMAND\n\nContainers in milliseconds\n".to_owned();
    let section = |title: &str, lines: Vec<(&str, &str)>| {
        let lines: String =
            lines.iter().map(|(name, about)| format!("  {name:11} {about}\n")).collect();
        format!("\n{title}:\n{lines}")
    };
    text += &section("Common Commands", commands::common());
    text += &section("Management Commands", commands::groups());
    text += &section("Commands", commands::others());
    text += &format!("\nGlobal Options:\n{}", flags::usages(&[GLOBAL_FLAGS], width()));
    text + "\nRun 'gantry COMMAND --help' for more information on a command.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_help_text() {
        let mut text = String::new();
        for (name, _) in commands::common().into_iter().chain(commands::others()) {
            if let Some(Entry::Command(command)) = commands::find(name) {
                text += &command_help(command, &format!("gantry {name}"), 79);
            }
        }
        for (name, _) in commands::groups() {
            if let Some(Entry::Group(group)) = commands::find(name) {
                text += &group_help(group);
            }
        }
        expect_test::expect_file!["../tests/help.txt"].assert_eq(&text);
    }

    #[test]
    fn flags_that_are_wrong_are_told_from_commands_that_are() {
        let failure = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            dispatch(&words).unwrap_err()
        };
        let bad_flag = failure(&["run", "--foo"]);
        assert_eq!(bad_flag.message, "unknown flag: --foo\nSee 'gantry run --help'.");
        assert_eq!(bad_flag.code, 125);
        let unknown = failure(&["foo"]);
        assert_eq!(unknown.message, "gantry: 'foo' is not a gantry command.\nSee 'gantry --help'");
        assert_eq!(unknown.code, 1);
        let count = failure(&["container", "list", "x"]);
        assert!(count.message.starts_with(
            "\"gantry container ls\" accepts no arguments.\nSee 'gantry container ls --help'."
        ));
        assert_eq!(count.code, 1);
    }
}
