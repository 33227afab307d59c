//! What a command is: its name, its arguments, its flags, and the function that does it.

use std::pin::Pin;

use crate::context::Context;
use crate::error::Result;
use crate::flags::{Flag, Parsed};

/// The exit code of a command that did what it was asked.
pub(crate) type Done = Result<u8>;

pub(crate) type Run =
    for<'a> fn(&'a Context, &'a Parsed) -> Pin<Box<dyn Future<Output = Done> + 'a>>;

/// A verb. One constant of this type per file under `commands/`.
pub(crate) struct Command {
    /// Under its noun: `ls`.
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    /// Where else it is found, as help lists it: `container ls`, `ps`.
    pub(crate) paths: &'static [&'static str],
    /// After the name: `[OPTIONS] CONTAINER [CONTAINER...]`.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flags: &'static [&'static [Flag]],
    pub(crate) args: Args,
    /// Everything after the first argument belongs to somebody else.
    pub(crate) trailing: bool,
    pub(crate) run: Run,
}

impl Command {
    /// What it does: the first sentence of what it says about itself, without its point where there are more.
    pub(crate) fn summary(&self) -> &'static str {
        let (line, is_all) = match self.about.split_once('\n') {
            Some((line, _)) => (line, false),
            None => (self.about, true),
        };
        let sentence = line.split_once(". ").map_or(line, |(sentence, _)| sentence);
        if is_all { sentence } else { sentence.strip_suffix('.').unwrap_or(sentence) }
    }
}

/// How many arguments a command takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Args {
    None,
    Exactly(usize),
    AtLeast(usize),
    AtMost(usize),
    Between(usize, usize),
}

impl Args {
    /// Docker's words for a wrong number, without the command they are put after.
    pub(crate) fn check(self, count: usize) -> Option<String> {
        let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
        match self {
            Self::None => (count > 0).then(|| "accepts no arguments".to_owned()),
            Self::Exactly(n) => (count != n).then(|| format!("requires exactly {n} {}", plural(n))),
            Self::AtLeast(n) => (count < n).then(|| format!("requires at least {n} {}", plural(n))),
            Self::AtMost(n) => (count > n).then(|| format!("requires at most {n} {}", plural(n))),
            Self::Between(low, high) => (count < low || count > high)
                .then(|| format!("requires at least {low} and at most {high} {}", plural(high))),
        }
    }
}

/// A noun with its verbs.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Before the verb.
    pub(crate) flags: &'static [Flag],
    pub(crate) commands: &'static [&'static Command],
}

impl Group {
    pub(crate) fn find(&self, name: &str) -> Option<&'static Command> {
        let is_it = |command: &&&Command| command.name == name || command.aliases.contains(&name);
        self.commands.iter().find(is_it).copied()
    }
}

/// Builds a [`Run`] out of an async function.
macro_rules! run {
    ($function:path) => {
        |context, parsed| Box::pin($function(context, parsed))
    };
}
pub(crate) use run;
