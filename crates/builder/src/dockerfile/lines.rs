//! Logical lines: what an instruction is read from.

use super::error::{SyntaxError, Warning};
use super::heredoc::{self, Heredoc};

/// An instruction's text, its continuations joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1; the last includes the here-documents.
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) text: String,
    pub(super) heredocs: Vec<Heredoc>,
    pub(super) escape: char,
}

/// Those of a whole file.
pub(super) fn read(
    text: &str,
    escape: char,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Line>, SyntaxError> {
    let physical: Vec<&str> = text.lines().collect();
    let mut lines = Vec::new();
    let mut at = 0;
    while at < physical.len() {
        if is_blank(physical[at]) || is_comment(physical[at]) {
            at += 1;
            continue;
        }
        let first = at + 1;
        let text = join(&physical, &mut at, escape, warnings);
        let heredocs = if heredoc::may_follow(&text) {
            take_heredocs(&physical, &mut at, &text, escape)?
        } else {
            Vec::new()
        };
        lines.push(Line { first, last: at, text, heredocs, escape });
    }
    Ok(lines)
}

/// Joins the line at `at` with those that continue it, and leaves `at` behind them.
fn join(physical: &[&str], at: &mut usize, escape: char, warnings: &mut Vec<Warning>) -> String {
    let mut joined = String::new();
    let mut rest = physical[*at].trim_start();
    let mut blank = None;
    loop {
        *at += 1;
        let Some(part) = continued(rest, escape) else {
            joined.push_str(rest);
            break;
        };
        joined.push_str(part);
        while let Some(line) = physical.get(*at) {
            if is_blank(line) {
                blank = blank.or(Some(*at + 1));
            } else if !is_comment(line) {
                break;
            }
            *at += 1;
        }
        let Some(next) = physical.get(*at) else { break };
        rest = next;
    }
    if let Some(line) = blank {
        warnings.push(Warning {
            line,
            rule: "NoEmptyContinuation",
            message: format!("Empty continuation line found in: {}", joined.trim()),
        });
    }
    joined
}

/// The line without the escape character at its end; an escaped escape character continues nothing.
fn continued(line: &str, escape: char) -> Option<&str> {
    let part = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!part.ends_with(escape)).then_some(part)
}

fn take_heredocs(
    physical: &[&str],
    at: &mut usize,
    text: &str,
    escape: char,
) -> Result<Vec<Heredoc>, SyntaxError> {
    let line = *at;
    let mut heredocs = heredoc::find(text, escape);
    for heredoc in &mut heredocs {
        loop {
            let unterminated = || SyntaxError::new(line, "unterminated heredoc");
            let line = physical.get(*at).ok_or_else(unterminated)?;
            *at += 1;
            let end = if heredoc.chomp { line.trim_start_matches('\t') } else { line };
            if end == heredoc.name {
                break;
            }
            heredoc.content.push_str(line);
            heredoc.content.push('\n');
        }
    }
    Ok(heredocs)
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}
