//! Variables of a stage: what ENV and ARG have set so far, and what may be set from outside.

use std::collections::BTreeMap;

use oci::Platform;

use crate::expand;

/// Seen by RUN without an ARG, and without a trace in the image.
const PROXIES: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Values that `--build-arg` gives; None is no value, and not the default either.
pub type Given = BTreeMap<String, Option<String>>;

/// Variables by name, in the order in which they were first set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variables(Vec<(String, String)>);

impl Variables {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn from_env(env: &[String]) -> Self {
        let mut variables = Self::default();
        for entry in env {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            variables.set(name, value.to_owned());
        }
        variables
    }

    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        self.0.clone()
    }
}

/// What a stage's words are expanded with.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) escape: char,
    /// ENV of the base and of the stage, and ARGs with a value: the later one wins.
    pub(super) variables: Variables,
    /// ARGs that the stage named, in their order.
    pub(super) named: Vec<(String, Option<String>)>,
}

impl Scope {
    pub(super) fn word(&self, text: &str) -> Result<String, String> {
        expand::word(text, self.escape, |name| self.variables.get(name).map(str::to_owned))
    }

    pub(super) fn words(&self, texts: &[String]) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        for text in texts {
            words.extend(expand::words(text, self.escape, |name| {
                self.variables.get(name).map(str::to_owned)
            })?);
        }
        Ok(words)
    }

    pub(super) fn optional(&self, text: Option<&String>) -> Result<Option<String>, String> {
        text.map(|text| self.word(text)).transpose()
    }

    /// A here-document: quotes in it mean nothing.
    pub(super) fn document(&self, text: &str) -> Result<String, String> {
        expand::document(text, self.escape, |name| self.variables.get(name).map(str::to_owned))
    }

    /// The instruction as progress shows it.
    pub(super) fn shown(&self, text: &str) -> String {
        expand::shown(text, self.escape, |name| self.variables.get(name).map(str::to_owned))
    }

    /// `ARG name[=default]`; gives what history says of it.
    pub(super) fn name_argument(
        &mut self,
        name: &str,
        default: Option<&str>,
        given: &Given,
        global: &Variables,
    ) -> Result<String, String> {
        let value = match (given.get(name), default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => Some(self.word(default)?),
            (None, None) => global.get(name).map(str::to_owned),
        };
        if let Some(value) = &value {
            self.variables.set(name, value.clone());
        }
        self.named.push((name.to_owned(), value.clone()));
        let is_inherited = default.is_none() && !given.contains_key(name);
        Ok(match value {
            Some(value) if !is_inherited => format!("{name}={value}"),
            _ => name.to_owned(),
        })
    }

    /// `|2 a=1 b=2 `: what history shows before a command. What ENV said later is what the command saw.
    pub(super) fn arguments_in_history(&self) -> String {
        let mut shown: Vec<(&str, String)> = Vec::new();
        for (name, value) in &self.named {
            let value = self.variables.get(name).or(value.as_deref()).unwrap_or_default();
            let text = format!("{name}={value}");
            match shown.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = text,
                None => shown.push((name, text)),
            }
        }
        if shown.is_empty() {
            return String::new();
        }
        let texts: Vec<_> = shown.iter().map(|(_, text)| text.as_str()).collect();
        format!("|{} {} ", texts.len(), texts.join(" "))
    }

    /// Proxies that were given and that the stage says nothing of.
    pub(super) fn proxies(&self, given: &Given) -> Vec<(String, String)> {
        let unnamed = |name: &&str| self.variables.get(name).is_none();
        let value = |name: &str| Some((name.to_owned(), given.get(name)?.as_ref()?.clone()));
        PROXIES.iter().copied().filter(unnamed).filter_map(value).collect()
    }
}

/// `TARGETPLATFORM` and its kin, known before the first ARG.
pub(super) fn platform_variables(build: &Platform, target: &Platform) -> Variables {
    let mut variables = Variables::default();
    for (prefix, platform) in [("BUILD", build), ("TARGET", target)] {
        variables.set(&format!("{prefix}PLATFORM"), platform.to_string());
        variables.set(&format!("{prefix}OS"), platform.os.clone());
        variables.set(&format!("{prefix}OSVERSION"), platform.os_version.clone());
        variables.set(&format!("{prefix}ARCH"), platform.architecture.clone());
        variables.set(&format!("{prefix}VARIANT"), platform.variant.clone());
    }
    variables
}
