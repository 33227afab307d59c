//! Instructions into stages.

use std::ops::RangeInclusive;

use super::directives::Directives;
use super::error::{SyntaxError, Warning};
use super::flags::{Flags, Kind};
use super::instruction::{self, Instruction};
use super::lines::Line;
use super::words;

/// A whole file; it has at least one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    pub directives: Directives,
    /// ARG before the first FROM: seen by the FROMs alone, and by stages that name them again.
    pub arguments: Vec<Located<Arguments>>,
    pub stages: Vec<Stage>,
    pub warnings: Vec<Warning>,
}

/// Names of build arguments, with their defaults.
pub type Arguments = Vec<(String, Option<String>)>;

/// What was read from some lines of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    /// From 1.
    pub lines: RangeInclusive<usize>,
    /// The instruction as it was written, continuations joined: what progress shows.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// An image, a stage, or `scratch`; it may hold variables.
    pub base: String,
    /// In lower case.
    pub name: Option<String>,
    pub platform: Option<String>,
    pub lines: RangeInclusive<usize>,
    pub text: String,
    pub instructions: Vec<Located<Instruction>>,
}

pub(super) fn assemble(
    directives: Directives,
    lines: &[Line],
    warnings: Vec<Warning>,
) -> Result<Dockerfile, SyntaxError> {
    let mut file = Dockerfile { directives, arguments: Vec::new(), stages: Vec::new(), warnings };
    for line in lines {
        add(&mut file, line).map_err(|message| SyntaxError::new(line.first, message))?;
    }
    match (file.stages.is_empty(), lines.last()) {
        (false, _) => Ok(file),
        (true, Some(last)) => {
            Err(SyntaxError::new(last.first, "no build stage in current context"))
        }
        (true, None) => Err(SyntaxError::new(1, "file with no instructions")),
    }
}

fn add(file: &mut Dockerfile, line: &Line) -> Result<(), String> {
    let (keyword, rest) = instruction::split(&line.text);
    if keyword == "FROM" {
        let stage = from(rest, line)?;
        file.stages.push(stage);
        return Ok(());
    }
    let value = instruction::parse(line)?;
    match (file.stages.last_mut(), value) {
        (Some(stage), value) => stage.instructions.push(located(value, line)),
        (None, Instruction::Arg(arguments)) => file.arguments.push(located(arguments, line)),
        (None, _) => return Err("no build stage in current context".into()),
    }
    Ok(())
}

fn located<T>(value: T, line: &Line) -> Located<T> {
    Located { value, lines: line.first..=line.last, text: line.text.clone() }
}

fn from(rest: &str, line: &Line) -> Result<Stage, String> {
    let (mut flags, rest) = Flags::take(rest, &[("platform", Kind::Text)], line.escape)?;
    let words = words::split(rest, line.escape);
    let (base, name) = match words.as_slice() {
        [base] => (base, None),
        [base, keyword, name] if keyword.eq_ignore_ascii_case("as") => {
            (base, Some(stage_name(name)?))
        }
        _ => return Err("FROM requires either one or three arguments".into()),
    };
    Ok(Stage {
        base: base.clone(),
        name,
        platform: flags.text("platform"),
        lines: line.first..=line.last,
        text: line.text.clone(),
        instructions: Vec::new(),
    })
}

fn stage_name(name: &str) -> Result<String, String> {
    let lower = name.to_ascii_lowercase();
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if lower.starts_with(|c: char| c.is_ascii_lowercase()) && lower.chars().all(inner) {
        return Ok(lower);
    }
    Err(format!(
        "invalid name for build stage: {name:?}, name can't start with a number or contain symbols"
    ))
}
