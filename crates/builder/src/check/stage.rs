//! Rules for the instructions of a stage.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::rules::*;
use super::{Known, Report, hint};
use crate::dockerfile::{Command, Copy, Dockerfile, Instruction, Located, Source, Stage};
use crate::expand;

/// Arguments that are there without being declared.
const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];
const SECRETS: [&str; 10] = [
    "apikey",
    "auth",
    "credential",
    "credentials",
    "key",
    "password",
    "pword",
    "passwd",
    "secret",
    "token",
];

/// What the stages so far leave to those that are based on them.
#[derive(Clone, Default)]
struct Scope {
    /// `None`: a base image that nobody knows may have any.
    variables: Option<BTreeSet<String>>,
    workdir: bool,
}

pub(super) fn check(file: &Dockerfile, known: &Known<'_>, report: &mut Report) {
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    for (index, stage) in file.stages.iter().enumerate() {
        let scope = scopes.get(&stage.base.to_ascii_lowercase()).cloned();
        let mut scope = scope.unwrap_or_else(|| Scope::of_image(&stage.base, known));
        let mut checker = Checker { known, report, escape: file.directives.escape };
        checker.stage(stage, &mut scope);
        scopes.insert(index.to_string(), scope.clone());
        scopes.extend(stage.name.clone().map(|name| (name, scope)));
    }
}

impl Scope {
    fn of_image(base: &str, known: &Known<'_>) -> Self {
        let variables = match base {
            "scratch" => Some(BTreeSet::new()),
            base => (known.variables)(base).map(|names| names.into_iter().collect()),
        };
        Self { variables, workdir: false }
    }

    fn define(&mut self, name: &str) {
        if let Some(variables) = &mut self.variables {
            variables.insert(name.to_owned());
        }
    }
}

struct Checker<'a, 'b> {
    known: &'a Known<'b>,
    report: &'a mut Report,
    escape: char,
}

impl Checker<'_, '_> {
    fn stage(&mut self, stage: &Stage, scope: &mut Scope) {
        // Where each kind that counts once was last, and whether in a shell's form.
        let mut single: BTreeMap<&str, (&RangeInclusive<usize>, bool)> = BTreeMap::new();
        let has_shell = stage.instructions.iter().any(|i| matches!(i.value, Instruction::Shell(_)));
        // Arguments end with their stage, variables do not.
        let mut arguments = BTreeSet::new();
        for located in &stage.instructions {
            let lines = &located.lines;
            self.variables(located, scope, &arguments);
            self.instruction(located, scope);
            match &located.value {
                Instruction::Arg(names) => {
                    arguments.extend(names.iter().map(|(name, _)| name.clone()));
                }
                Instruction::Env(pairs) => pairs.iter().for_each(|(name, _)| scope.define(name)),
                _ => {}
            }
            let Some((keyword, in_shell)) = counts_once(&located.value) else { continue };
            if let Some((earlier, _)) = single.insert(keyword, (lines, in_shell)) {
                let message = format!(
                    "Multiple {keyword} instructions should not be used in the same stage because only the last one will be used"
                );
                self.report.add(&MULTIPLE_INSTRUCTIONS_DISALLOWED, message, earlier);
            }
        }
        for (keyword, (lines, in_shell)) in single {
            if in_shell && !has_shell && keyword != "HEALTHCHECK" {
                let message = format!(
                    "JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
                );
                self.report.add(&JSON_ARGS_RECOMMENDED, message, lines);
            }
        }
    }

    fn instruction(&mut self, located: &Located<Instruction>, scope: &mut Scope) {
        let lines = &located.lines;
        match &located.value {
            Instruction::Maintainer(_) => {
                let message = "Maintainer instruction is deprecated in favor of using label";
                self.report.add(&MAINTAINER_DEPRECATED, message, lines);
            }
            Instruction::Workdir(path) => {
                let absolute = path.trim_start_matches(['"', '\'']).starts_with(['/', '$']);
                if !absolute && !scope.workdir {
                    let message = format!(
                        "Relative workdir {path:?} can have unexpected results if the base image changes"
                    );
                    self.report.add(&WORKDIR_RELATIVE_PATH, message, lines);
                }
                scope.workdir |= absolute;
            }
            Instruction::Env(pairs) => {
                self.legacy("ENV", &located.text, lines);
                pairs.iter().for_each(|(name, _)| self.secret("ENV", name, lines));
            }
            Instruction::Label(_) => self.legacy("LABEL", &located.text, lines),
            Instruction::Arg(names) => {
                names.iter().for_each(|(name, _)| self.secret("ARG", name, lines));
            }
            Instruction::Expose(ports) => ports.iter().for_each(|port| self.port(port, lines)),
            Instruction::Add(copy) => self.ignored("Add", copy, lines),
            Instruction::Copy(copy) => self.ignored("Copy", copy, lines),
            _ => {}
        }
    }

    /// `ENV name value`
    fn legacy(&mut self, keyword: &str, text: &str, lines: &RangeInclusive<usize>) {
        if text
            .split_whitespace()
            .nth(1)
            .is_some_and(|word| !word.contains('=') && !word.starts_with(['"', '\'']))
        {
            let message = format!(
                "\"{keyword} key=value\" should be used instead of legacy \"{keyword} key value\" format"
            );
            self.report.add(&LEGACY_KEY_VALUE_FORMAT, message, lines);
        }
    }

    fn secret(&mut self, keyword: &str, name: &str, lines: &RangeInclusive<usize>) {
        let lower = name.to_ascii_lowercase();
        let mut parts = lower.split('_');
        if parts.clone().any(|part| SECRETS.contains(&part)) && !parts.any(|part| part == "public")
        {
            let message = format!(
                "Do not use ARG or ENV instructions for sensitive data ({keyword} {name:?})"
            );
            self.report.add(&SECRETS_USED_IN_ARG_OR_ENV, message, lines);
        }
    }

    fn port(&mut self, port: &str, lines: &RangeInclusive<usize>) {
        if port.contains('$') {
            return;
        }
        if port.contains(':') {
            let message = format!(
                "EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'"
            );
            self.report.add(&EXPOSE_INVALID_FORMAT, message, lines);
        }
        if port.split_once('/').is_some_and(|(_, protocol)| !super::is_lower(protocol)) {
            let message =
                format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
            self.report.add(&EXPOSE_PROTO_CASING, message, lines);
        }
    }

    fn ignored(&mut self, verb: &str, copy: &Copy, lines: &RangeInclusive<usize>) {
        let Some(ignore) = self.known.ignore.filter(|_| copy.from.is_none()) else { return };
        for source in &copy.sources {
            let Source::Path(path) = source else { continue };
            let plain = path.trim_start_matches("./").trim_matches('/');
            let is_path = !path.contains("://") && !path.contains(['*', '?', '[', '$']);
            if is_path && !plain.is_empty() && plain != "." && ignore.is_ignored(plain) {
                let message =
                    format!("Attempting to {verb} file {path:?} that is excluded by .dockerignore");
                self.report.add(&COPY_IGNORED_FILE, message, lines);
            }
        }
    }

    fn variables(
        &mut self,
        located: &Located<Instruction>,
        scope: &Scope,
        arguments: &BTreeSet<String>,
    ) {
        let Some(variables) = &scope.variables else { return };
        let names: BTreeSet<String> = expanded(&located.value)
            .into_iter()
            .flat_map(|text| expand::names(text, self.escape))
            .collect();
        for name in names {
            let is_proxy = PROXIES.contains(&name.to_ascii_uppercase().as_str());
            if variables.contains(&name) || arguments.contains(&name) || is_proxy {
                continue;
            }
            let candidates = variables.iter().chain(arguments).map(String::as_str);
            let message =
                format!("Usage of undefined variable '${name}'{}", hint(&name, candidates));
            self.report.add(&UNDEFINED_VAR, message, &located.lines);
        }
    }
}

/// Kinds of which the last counts, and whether it is for the shell.
fn counts_once(instruction: &Instruction) -> Option<(&'static str, bool)> {
    let in_shell = |command: &Command| matches!(command, Command::Shell(line) if !line.is_empty());
    match instruction {
        Instruction::Cmd(command) => Some(("CMD", in_shell(command))),
        Instruction::Entrypoint(command) => Some(("ENTRYPOINT", in_shell(command))),
        Instruction::Healthcheck(_) => Some(("HEALTHCHECK", false)),
        _ => None,
    }
}

/// The texts whose variables the builder itself expands: a shell sees to those of RUN and CMD.
fn expanded(instruction: &Instruction) -> Vec<&str> {
    match instruction {
        Instruction::Add(copy) | Instruction::Copy(copy) => {
            let sources = copy.sources.iter().filter_map(|source| match source {
                Source::Path(path) => Some(path.as_str()),
                Source::Heredoc(_) => None,
            });
            let flags = [&copy.chown, &copy.chmod, &copy.checksum].into_iter().flatten();
            sources.chain([copy.destination.as_str()]).chain(flags.map(String::as_str)).collect()
        }
        Instruction::Arg(names) => names.iter().filter_map(|(_, value)| value.as_deref()).collect(),
        Instruction::Env(pairs) | Instruction::Label(pairs) => {
            pairs.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect()
        }
        Instruction::Expose(words) | Instruction::Volume(words) => {
            words.iter().map(String::as_str).collect()
        }
        Instruction::Stopsignal(text) | Instruction::User(text) | Instruction::Workdir(text) => {
            vec![text]
        }
        _ => Vec::new(),
    }
}
