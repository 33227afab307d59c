//! From the command line to the one command that was typed, and from its result to an exit code.

use std::process::ExitCode;

use crate::command::{Command, Group};
use crate::commands::{self, Entry};
use crate::completion;
use crate::context::{Context, GLOBAL_FLAGS, check_log_level};
use crate::error::{Failure, Result};
use crate::flags::{self, Interspersed, Parsed};
use crate::help;
use crate::man;
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
    // Programs call these; they are no part of the tree.
    match words.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        Some((completion::COMMAND, words)) => {
            return print(completion::complete(words)).map(|()| 0);
        }
        Some((man::COMMAND, words)) => return man::write(words).map(|()| 0),
        _ => {}
    }
    let globals = flags::parse(&[GLOBAL_FLAGS], words, Interspersed::No).map_err(|error| {
        let help = help::root(&Context::new(Parsed::default()));
        Failure::with_code(BAD_FLAG, format!("{error}\nSee 'gantry --help'.\n{help}"))
    })?;
    check_log_level(&globals)?;
    if globals.help {
        return print(help::root(&Context::new(globals))).map(|()| 0);
    }
    if globals.bool("version") {
        return print(commands::version_line()).map(|()| 0);
    }
    let mut rest = globals.args.clone();
    if rest.is_empty() {
        warn(help::root(&Context::new(globals)).trim_end_matches('\n'));
        return Ok(0);
    }
    let name = rest.remove(0);
    if name == "help" {
        return print(help::topic(globals, &rest)?).map(|()| 0);
    }
    match commands::find(&name) {
        Some(Entry::Command(command)) => {
            run(command, format!("gantry {name}"), Context::new(globals), &rest)
        }
        Some(Entry::Group(group)) => run_in(group, globals, &rest),
        None => Err(commands::not_there(&name, &rest)),
    }
}

fn run_in(group: &'static Group, globals: Parsed, words: &[String]) -> Result<u8> {
    let path = format!("gantry {}", group.name);
    let before = flags::parse(&[group.flags], words, Interspersed::No).map_err(|error| {
        let help = help::group(group);
        Failure::with_code(BAD_FLAG, format!("{error}\nSee '{path} --help'.\n{help}"))
    })?;
    let verb = before.args.first().map(String::as_str);
    if before.help || verb == Some("help") {
        return print(help::group(group)).map(|()| 0);
    }
    let Some(verb) = verb else {
        warn(help::group(group).trim_end_matches('\n'));
        return Ok(0);
    };
    match group.find(verb) {
        Some(command) => {
            let words = before.args[1..].to_vec();
            let path = format!("{path} {}", command.name);
            run(command, path, Context::with_group(globals, before), &words)
        }
        None => match commands::coming_later(&format!("{} {verb}", group.name)) {
            Some(failure) => Err(failure),
            None => Err(Failure::new(help::group(group).trim_end_matches('\n'))),
        },
    }
}

fn run(command: &'static Command, path: String, context: Context, words: &[String]) -> Result<u8> {
    let interspersed = if command.trailing { Interspersed::No } else { Interspersed::Yes };
    let parsed = flags::parse(command.flags, words, interspersed)
        .map_err(|error| Failure::with_code(BAD_FLAG, format!("{error}\nSee '{path} --help'.")))?;
    if parsed.help {
        return print(help::command(command, &path)).map(|()| 0);
    }
    if let Some(wrong) = command.args.check(parsed.args.len()) {
        return Err(Failure::new(format!(
            "\"{path}\" {wrong}.\nSee '{path} --help'.\n\n{}\n\n{}",
            help::usage(command, &path),
            command.summary()
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on((command.run)(&context, &parsed));
    // A thread may still sit in a read of stdin; the process ends without it.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

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
