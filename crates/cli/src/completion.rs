//! What could come next on a command line, for the shells' completion.
//!
//! A shell calls `gantry __complete WORD...`, the last word being the one under the cursor, and gets candidates a line
//! each, a tab and a description behind some. Candidates are commands and flags out of their tables, and names that the
//! engine has. It is asked only where it is there already, and what goes wrong is an empty answer: nobody reads messages
//! in the middle of a line.

mod names;
mod scripts;

pub(crate) use scripts::script;

use crate::command::{Command, Group};
use crate::commands::{self, Entry};
use crate::context::{Context, GLOBAL_FLAGS};
use crate::flags::{self, Flag, Interspersed, Kind};

/// The hidden command.
pub(crate) const COMMAND: &str = "__complete";

/// The candidates for the last of the words, a line each.
pub(crate) fn complete(words: &[String]) -> String {
    let (current, before) = words.split_last().map_or(("", words), |(last, rest)| (last, rest));
    let candidates = match place(before) {
        Place::Value(flag) => values(flag, before),
        Place::Command => commands_of_root(current, before),
        Place::Verb(group) if current.starts_with('-') => flags_of(&[group.flags], current, before),
        Place::Verb(group) => commands::shown(group).map(described).collect(),
        Place::Argument(path, command, arguments) => {
            arguments_of(&path, command, arguments, current, before)
        }
        Place::Nothing => Vec::new(),
    };
    let fitting = candidates.iter().filter(|candidate| candidate.starts_with(current));
    fitting.map(|candidate| format!("{candidate}\n")).collect()
}

enum Place {
    Command,
    Verb(&'static Group),
    /// The command by noun and verb, and how many arguments it has before this one.
    Argument(String, &'static Command, usize),
    /// The value of a flag.
    Value(&'static Flag),
    Nothing,
}

/// Where the word after these stands.
fn place(before: &[String]) -> Place {
    let (rest, open) = skip_flags(&[GLOBAL_FLAGS], before);
    if let Some(flag) = open {
        return Place::Value(flag);
    }
    let [name, rest @ ..] = rest else { return Place::Command };
    match (commands::find(name), rest) {
        (Some(Entry::Command(command)), rest) => argument(command.paths[0], command, rest),
        (Some(Entry::Group(group)), rest) => match skip_flags(&[group.flags], rest) {
            (_, Some(flag)) => Place::Value(flag),
            ([], None) => Place::Verb(group),
            ([verb, rest @ ..], None) => verb_of(group, verb, rest),
        },
        (None, _) => Place::Nothing,
    }
}

fn verb_of(group: &'static Group, verb: &str, rest: &[String]) -> Place {
    match group.find(verb) {
        Some(command) => argument(&format!("{} {}", group.name, command.name), command, rest),
        None => Place::Nothing,
    }
}

fn argument(path: &str, command: &'static Command, words: &[String]) -> Place {
    let (mut rest, mut count) = (words, 0);
    loop {
        let (after, open) = skip_flags(command.flags, rest);
        if let Some(flag) = open {
            return Place::Value(flag);
        }
        match after {
            [] => return Place::Argument(path.to_owned(), command, count),
            [_, ..] if command.trailing && count > 0 => return Place::Nothing,
            [_, after @ ..] => (rest, count) = (after, count + 1),
        }
    }
}

/// What follows flags and their values, and the flag whose value is yet to come.
fn skip_flags<'a>(
    tables: &[&'static [Flag]],
    mut words: &'a [String],
) -> (&'a [String], Option<&'static Flag>) {
    while let [word, rest @ ..] = words {
        if !word.starts_with('-') || word == "-" {
            break;
        }
        words = rest;
        let flag = tables.iter().flat_map(|table| table.iter()).find(|flag| is_called(flag, word));
        if let Some(flag) = flag.filter(|flag| !matches!(flag.kind, Kind::Bool)) {
            match words {
                [] => return (words, Some(flag)),
                [_, rest @ ..] => words = rest,
            }
        }
    }
    (words, None)
}

/// Whether the word is this flag and its value is the next word.
fn is_called(flag: &Flag, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(long) => long == flag.long,
        None => flag.short.is_some_and(|short| word.ends_with(short) && !word.contains('=')),
    }
}

fn described(command: &'static Command) -> String {
    format!("{}\t{}", command.name, command.summary())
}

fn commands_of_root(current: &str, before: &[String]) -> Vec<String> {
    if current.starts_with('-') {
        return flags_of(&[GLOBAL_FLAGS], current, before);
    }
    let listed = commands::lists().into_iter().flat_map(|(_, rows)| rows);
    listed.map(|(name, about)| format!("{name}\t{about}")).collect()
}

/// Or the values of the one whose name and equals sign are there already.
fn flags_of(tables: &[&'static [Flag]], current: &str, before: &[String]) -> Vec<String> {
    if let Some((name, _)) = current.split_once('=') {
        let flag = tables.iter().flat_map(|table| table.iter()).find(|flag| is_called(flag, name));
        let values = flag.map(|flag| values(flag, before)).unwrap_or_default();
        return values.iter().map(|value| format!("{name}={value}")).collect();
    }
    let shown = tables.iter().flat_map(|table| table.iter()).filter(|flag| !flag.hidden);
    let line =
        |flag: &Flag| format!("--{}\t{}", flag.long, flag.help.lines().next().unwrap_or_default());
    let mut lines: Vec<String> = shown.map(line).collect();
    lines.push("--help\tPrint usage".to_owned());
    lines.sort();
    lines
}

fn arguments_of(
    path: &str,
    command: &'static Command,
    arguments: usize,
    current: &str,
    before: &[String],
) -> Vec<String> {
    if current.starts_with('-') {
        return flags_of(command.flags, current, before);
    }
    match names::of_argument(path, arguments) {
        Some(kind) => of_kind(kind, before),
        None => Vec::new(),
    }
}

fn values(flag: &Flag, before: &[String]) -> Vec<String> {
    names::of_flag(flag.long).map(|kind| of_kind(kind, before)).unwrap_or_default()
}

/// Names that are there now and that the line does not have yet.
fn of_kind(kind: names::Kind, before: &[String]) -> Vec<String> {
    let parse = |words| flags::parse(&[GLOBAL_FLAGS], words, Interspersed::No);
    // The last word may be a flag whose value is being typed.
    let without_last = before.split_last().map_or(before, |(_, rest)| rest);
    let Ok(globals) = parse(before).or_else(|_| parse(without_last)) else { return Vec::new() };
    let mut names = names::list(&Context::new(globals), kind);
    names.retain(|name| !before.contains(name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let name = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        complete(&words).lines().map(name).collect()
    }

    #[test]
    fn commands_and_flags_come_from_their_tables() {
        assert_eq!(candidates("ren"), ["rename"]);
        assert_eq!(candidates("container re"), ["rename", "restart"]);
        assert_eq!(candidates("container ls --no-"), ["--no-trunc"]);
        assert_eq!(candidates("--tlsv"), ["--tlsverify"]);
        assert_eq!(candidates("system di"), Vec::<String>::new());
        assert!(candidates("").contains(&"context".to_owned()));
    }

    #[test]
    fn values_and_foreign_words_are_not_commands() {
        assert_eq!(candidates("run image ls -"), Vec::<String>::new());
        assert_eq!(candidates("run --name ren"), Vec::<String>::new());
        assert_eq!(candidates("nonsense x"), Vec::<String>::new());
        assert_eq!(candidates("-l debug ren"), ["rename"]);
        assert_eq!(candidates("logs --ta"), ["--tail"]);
    }

    #[test]
    fn contexts_need_no_engine() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().to_str().unwrap();
        let store = crate::contexts::Store::of(folder.path());
        let meta = crate::contexts::Meta { name: "production".to_owned(), ..Default::default() };
        store.save(&meta).unwrap();
        assert_eq!(candidates(&format!("--config {config} context use prod")), ["production"]);
        assert_eq!(candidates(&format!("--config {config} context use def")), ["default"]);
        assert_eq!(candidates(&format!("--config {config} --context prod")), ["production"]);
        let with_sign = candidates(&format!("--config {config} --context=prod"));
        assert_eq!(with_sign, ["--context=production"]);
    }
}
