//! What all prunes have in common: a question first, and flags.

use std::io::BufRead;

use crate::error::Result;
use crate::flags::Flag;
use crate::output::units::human_size;
use crate::output::{print, say};

pub(crate) const FORCE: Flag = Flag::bool("force", "Do not prompt for confirmation").short('f');

/// Without the letter that `--filter` has elsewhere: `-f` is force.
pub(crate) const fn filter(help: &'static str) -> Flag {
    Flag { short: None, ..Flag::filter(help) }
}

/// Whether the person at the terminal agrees. No answer is a no.
pub(crate) fn confirm(warning: &str) -> Result<bool> {
    ask(&format!("{warning}\nAre you sure you want to continue?"))
}

/// As [`confirm`], in words of its own.
pub(crate) fn ask(question: &str) -> Result<bool> {
    print(format!("{question} [y/N] "))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y"))
}

/// What was removed of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// A title and a line for each; nothing where nothing was removed.
    text: String,
    space: u64,
}

impl Pruned {
    pub(crate) fn new(title: &str, lines: &[String], space: u64) -> Self {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let text = if lines.is_empty() { lines } else { format!("{title}:\n{lines}\n") };
        Self { text, space }
    }
}

/// Shows what went, kind after kind, and how much that was.
pub(crate) fn report(all: &[Pruned]) -> Result<()> {
    all.iter().try_for_each(|pruned| print(&pruned.text))?;
    let space: u64 = all.iter().map(|pruned| pruned.space).sum();
    say(format!("Total reclaimed space: {}", human_size(space as f64, 4)))
}
