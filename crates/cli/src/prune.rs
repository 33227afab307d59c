//! What all prunes have in common: a question first, and flags.

use std::io::BufRead;

use crate::error::Result;
use crate::flags::Flag;
use crate::output::print;

pub(crate) const FLAGS: &[Flag] = &[
    Flag::list("filter", "Remove only what matches (\"until=<timestamp>\")").type_name("filter"),
    Flag::bool("force", "Do not ask").short('f'),
];

/// Whether the person at the terminal agrees. No answer is a no.
pub(crate) fn confirm(warning: &str) -> Result<bool> {
    print(format!("{warning}\nAre you sure you want to continue? [y/N] "))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y"))
}
