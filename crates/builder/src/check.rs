//! What works in a Dockerfile and should be written otherwise: BuildKit's build checks, by their names.

mod options;
mod rules;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use oci::Reference;

pub use options::Options;
pub use rules::Rule;

use crate::dockerfile::{Dockerfile, Stage};
use crate::expand;
use crate::ignore::Ignore;
use rules::*;

/// Something that a rule has to say of some lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static Rule,
    pub message: String,
    /// From 1.
    pub lines: RangeInclusive<usize>,
}

/// What is known besides the file.
pub struct Known<'a> {
    pub ignore: Option<&'a Ignore>,
    /// The names of the variables of a base image; `None` where it is not at hand, and then no variable of the stages
    /// upon it is called undefined.
    pub variables: &'a dyn Fn(&str) -> Option<Vec<String>>,
}

/// What FROM knows without being told.
const PLATFORM_ARGUMENTS: [&str; 8] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
];

/// All findings that the options leave, in the order of lines.
pub fn check(file: &Dockerfile, known: &Known<'_>, options: &Options) -> Vec<Finding> {
    let mut report = Report { findings: Vec::new() };
    for warning in &file.warnings {
        report.add(
            &NO_EMPTY_CONTINUATION,
            "Empty continuation line",
            &(warning.line..=warning.line),
        );
    }
    keywords(file, &mut report);
    names(file, &mut report);
    bases(file, &mut report);
    stage::check(file, known, &mut report);
    let mut findings = report.findings;
    findings.retain(|finding| options.wants(finding.rule));
    findings.sort_by_key(|finding| *finding.lines.start());
    findings
}

struct Report {
    findings: Vec<Finding>,
}

impl Report {
    fn add(
        &mut self,
        rule: &'static Rule,
        message: impl Into<String>,
        lines: &RangeInclusive<usize>,
    ) {
        self.findings.push(Finding { rule, message: message.into(), lines: lines.clone() });
    }
}

fn is_lower(word: &str) -> bool {
    word.chars().all(|c| !c.is_ascii_uppercase())
}

fn is_upper(word: &str) -> bool {
    word.chars().all(|c| !c.is_ascii_lowercase())
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// All keywords in one case, and each `as` in that of its FROM.
fn keywords(file: &Dockerfile, report: &mut Report) {
    let arguments = file.arguments.iter().map(|located| (&located.text, &located.lines));
    let stages = file.stages.iter().flat_map(|stage| {
        let own = std::iter::once((&stage.text, &stage.lines));
        own.chain(stage.instructions.iter().map(|located| (&located.text, &located.lines)))
    });
    let all: Vec<_> =
        arguments.chain(stages).map(|(text, lines)| (first_word(text), lines)).collect();
    let lower = all.iter().filter(|(word, _)| is_lower(word)).count();
    let upper = all.iter().filter(|(word, _)| is_upper(word)).count();
    let mostly_lower = lower > upper;
    for (word, lines) in all {
        if if mostly_lower { is_lower(word) } else { is_upper(word) } {
            continue;
        }
        let majority = if mostly_lower { "lowercase" } else { "uppercase" };
        let message =
            format!("Command '{word}' should match the case of the command majority ({majority})");
        report.add(&CONSISTENT_INSTRUCTION_CASING, message, lines);
    }
    for stage in file.stages.iter().filter(|stage| stage.name.is_some()) {
        let from = first_word(&stage.text);
        let Some(keyword) = stage.text.split_whitespace().rev().nth(1) else { continue };
        if (is_lower(from) && !is_lower(keyword)) || (is_upper(from) && !is_upper(keyword)) {
            let message = format!("'{keyword}' and '{from}' keywords' casing do not match");
            report.add(&FROM_AS_CASING, message, &stage.lines);
        }
    }
}

fn names(file: &Dockerfile, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for stage in &file.stages {
        let Some(name) = &stage.name else { continue };
        let written = stage.text.split_whitespace().next_back().unwrap_or_default();
        if !is_lower(written) {
            let message = format!("Stage name '{written}' should be lowercase");
            report.add(&STAGE_NAME_CASING, message, &stage.lines);
        }
        if ["scratch", "context"].contains(&name.as_str()) {
            let message =
                format!("Stage name should not use the same name as reserved stage {name:?}");
            report.add(&RESERVED_STAGE_NAME, message, &stage.lines);
        }
        if !seen.insert(name) {
            let message = format!("Duplicate stage name {name:?}, stage names should be unique");
            report.add(&DUPLICATE_STAGE_NAME, message, &stage.lines);
        }
    }
}

fn bases(file: &Dockerfile, report: &mut Report) {
    let escape = file.directives.escape;
    let defaults = defaults(file);
    for stage in &file.stages {
        let platform = stage.platform.as_deref().unwrap_or_default();
        let mut used = expand::names(&stage.base, escape);
        used.extend(expand::names(platform, escape));
        for name in &used {
            let is_known =
                defaults.contains_key(name) || PLATFORM_ARGUMENTS.contains(&name.as_str());
            if !is_known {
                let candidates = defaults.keys().map(String::as_str).chain(PLATFORM_ARGUMENTS);
                let message =
                    format!("FROM argument '{name}' is not declared{}", hint(name, candidates));
                report.add(&UNDEFINED_ARG_IN_FROM, message, &stage.lines);
            }
        }
        check_default(stage, escape, &defaults, report);
        check_platform(stage, escape, report);
    }
}

/// Global arguments with what they are where nobody gives another value.
fn defaults(file: &Dockerfile) -> BTreeMap<String, String> {
    let mut defaults: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in file.arguments.iter().flat_map(|located| &located.value) {
        let value = value.as_deref().unwrap_or_default();
        let value = expand::word(value, file.directives.escape, |name| defaults.get(name).cloned());
        defaults.insert(name.clone(), value.unwrap_or_default());
    }
    defaults
}

fn check_default(
    stage: &Stage,
    escape: char,
    defaults: &BTreeMap<String, String>,
    report: &mut Report,
) {
    let names = expand::names(&stage.base, escape);
    if !names.iter().any(|name| defaults.contains_key(name)) {
        return;
    }
    let base = expand::word(&stage.base, escape, |name| {
        let of_platform = PLATFORM_ARGUMENTS.contains(&name).then(|| String::from("x"));
        defaults.get(name).cloned().or(of_platform)
    });
    if base.is_ok_and(|base| Reference::parse(&base).is_ok()) {
        return;
    }
    let message =
        format!("Default value for ARG {} results in empty or invalid base image name", stage.base);
    report.add(&INVALID_DEFAULT_ARG_IN_FROM, message, &stage.lines);
}

fn check_platform(stage: &Stage, escape: char, report: &mut Report) {
    let Some(platform) = &stage.platform else { return };
    if ["$TARGETPLATFORM", "${TARGETPLATFORM}"].contains(&platform.as_str()) {
        let message = format!(
            "Setting platform to predefined {platform} in FROM is redundant as this is the default behavior"
        );
        report.add(&REDUNDANT_TARGET_PLATFORM, message, &stage.lines);
    }
    if !expand::names(platform, escape).is_empty() {
        return;
    }
    // A stage that is named after its platform is meant to have it.
    let name = stage.name.as_deref().unwrap_or_default();
    if !platform.split('/').any(|part| !part.is_empty() && name.contains(part)) {
        let message = format!("FROM --platform flag should not use constant value {platform:?}");
        report.add(&FROM_PLATFORM_FLAG_CONST_DISALLOWED, message, &stage.lines);
    }
}

fn hint<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    match crate::nearest::nearest(name, candidates) {
        Some(nearest) => format!(" (did you mean {nearest}?)"),
        None => String::new(),
    }
}
