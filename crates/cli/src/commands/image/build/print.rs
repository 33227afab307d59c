//! Findings as Docker shows them: the rule, where it is explained, and the lines it is about.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::RangeInclusive;

use builder::check::Finding;

/// How many lines are shown around those that are meant.
const AROUND: usize = 2;
const RULE: &str = "--------------------";

pub(super) fn findings(findings: &[Finding], name: &str, text: &str) -> io::Result<()> {
    let mut output = match findings.len() {
        0 => String::from("Check complete, no warnings found.\n"),
        1 => String::from("Check complete, 1 warning has been found!\n"),
        count => format!("Check complete, {count} warnings have been found!\n"),
    };
    for finding in findings {
        let Finding { rule, message, lines } = finding;
        output += &format!("\nWARNING: {} - {}\n{message}\n", rule.name, rule.url());
        output += &excerpt(name, text, lines);
    }
    io::stdout().write_all(output.as_bytes())
}

/// The lines, marked, with some around them.
pub(super) fn excerpt(name: &str, text: &str, marked: &RangeInclusive<usize>) -> String {
    // As BuildKit counts: what follows the last end of a line is one more.
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let (mut first, mut last) = (*marked.start(), (*marked.end()).min(lines.len()));
    let mut added = 0;
    while added < AROUND {
        if first > 1 {
            first -= 1;
            added += 1;
        }
        if last < lines.len() {
            last += 1;
            added += 1;
        }
        added += 1;
    }
    let mut output = format!("{name}:{}\n{RULE}\n", marked.start());
    for number in first..=last {
        let mark = if marked.contains(&number) { ">>>" } else { "   " };
        let line = lines.get(number - 1).copied().unwrap_or_default();
        // Writing to a String does not fail.
        let _ = writeln!(output, " {number:3} | {mark} {line}");
    }
    output + RULE + "\n"
}
