//! The project that a command line means.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};

use compose::{Loaded, Options};

use crate::context::Context;
use crate::error::{Failure, Result};
use crate::output::warn;

/// What the flags before the verb say.
pub(super) fn options(context: &Context, services: &[String]) -> Result<Options> {
    let flags = context.group();
    let directory = std::env::current_dir()?;
    let variable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let environment: BTreeMap<String, String> = std::env::vars_os().filter_map(variable).collect();
    let mut options = Options::new(directory, environment);
    options.files = flags.list("file");
    options.project_name = flags.is_set("project-name").then(|| flags.string("project-name"));
    options.project_directory =
        flags.is_set("project-directory").then(|| flags.str("project-directory").into());
    options.env_files = flags.list("env-file");
    options.profiles = flags.list("profile");
    options.services = services.to_vec();
    if options.files.iter().any(|file| file == "-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        options.stdin = Some(text);
    }
    Ok(options)
}

/// Loads it and says what a user should know about it.
pub(super) fn load(options: &Options) -> Result<Loaded> {
    let loaded = compose::load(options).map_err(failure)?;
    for warning in &loaded.warnings {
        caution(warning);
    }
    Ok(loaded)
}

/// A file that is wrong has an exit code of its own.
pub(super) fn failure(error: compose::Error) -> Failure {
    Failure::with_code(code(&error), error.to_string())
}

fn code(error: &compose::Error) -> u8 {
    match error {
        compose::Error::Read { .. } | compose::Error::Missing(_) => 14,
        compose::Error::Usage(_) => 1,
        _ => 15,
    }
}

/// As Docker Compose words what is no error.
pub(super) fn caution(text: &str) {
    if std::io::stderr().is_terminal() {
        warn(format_args!("WARN[0000] {text}"));
    } else {
        let now =
            jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap_or_default();
        warn(format_args!("time=\"{now}\" level=warning msg={text:?}"));
    }
}

/// As a model to work with.
pub(super) fn model(context: &Context, services: &[String]) -> Result<compose::model::Project> {
    let mut options = options(context, &[])?;
    // Services that are named bring their profiles with them; which of the others take part is the plan's to say.
    options.wanted = services.to_vec();
    load(&options)?.project().map_err(failure)
}

/// As [`model`], with all services that are named in it.
pub(super) fn chosen(context: &Context, services: &[String]) -> Result<compose::model::Project> {
    let project = model(context, services)?;
    match services.iter().find(|name| !project.services.contains_key(*name)) {
        Some(unknown) => Err(Failure::new(format!("no such service: {unknown}"))),
        None => Ok(project),
    }
}

/// A project that was started needs no file to be seen.
pub(super) struct Named {
    pub(super) name: String,
    /// Where its files are at hand.
    loaded: Option<Loaded>,
}

impl Named {
    pub(super) fn services(&self) -> Vec<String> {
        self.loaded.as_ref().map(Loaded::service_names).unwrap_or_default()
    }

    pub(super) fn model(&self) -> Result<Option<compose::model::Project>> {
        self.loaded.as_ref().map(Loaded::project).transpose().map_err(failure)
    }
}

pub(super) fn named(context: &Context, services: &[String]) -> Result<Named> {
    let mut options = options(context, &[])?;
    options.wanted = services.to_vec();
    let variable = options.environment.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty());
    let said = options.project_name.clone().or_else(|| variable.cloned());
    match (said, load(&options)) {
        (_, Ok(loaded)) => Ok(Named { name: loaded.name.clone(), loaded: Some(loaded) }),
        (Some(name), Err(_)) => Ok(Named { name, loaded: None }),
        (None, Err(why)) => Err(why),
    }
}
