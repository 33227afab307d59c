//! `gantry image build`: an image out of a Dockerfile.

mod answers;
mod caches;
mod check;
mod git;
mod options;
mod print;
mod progress;
mod session;
mod source;
mod tar;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::build::{BuildOptions, BuildResult, Dockerfile};
use api::registry::AuthConfig;
use serde_json::Value;

use self::answers::Answers;
use self::progress::Progress;
use self::source::Source;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::credentials;
use crate::error::{Failure, Result, os_error};
use crate::flags::Parsed;
use crate::output::say;
use crate::reference;

pub(crate) const COMMAND: Command = Command {
    name: "build",
    aliases: &["b"],
    paths: &["image build", "build", "builder build", "buildx build"],
    usage: "[OPTIONS] PATH | URL | -",
    about: "Build an image from a Dockerfile",
    flags: &[options::FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let source = Source::find(parsed.arg(0), parsed.str("file"))?;
    if parsed.bool("check") {
        return check::check(context, &source).await;
    }
    let mut progress = Progress::new(parsed)?;
    let (mut options, local) = options::parse(context, parsed)?;
    options.dockerfile = Dockerfile { name: source.name.clone(), text: source.text.clone() };
    options.auths = auths(context, &options);
    for name in ["iidfile", "metadata-file"] {
        forget(parsed.str(name))?;
    }
    let client = context.connect().await?;
    let Some(session) = client.image_build(&options).await? else {
        return tar::build(&client, options, &local, source, progress.is_quiet()).await;
    };
    progress.begin(&context.name());
    let answers = Arc::new(Answers::new(local, &source));
    let result = session::follow(session, answers, &mut progress).await;
    progress.end(result.as_ref().err(), &source);
    match result {
        Ok(built) => finish(parsed, &built, progress.is_quiet()),
        Err(failure) => Err(Failure::new(format!("ERROR: failed to solve: {failure}"))),
    }
}

fn finish(parsed: &Parsed, built: &BuildResult, is_quiet: bool) -> Done {
    write(parsed.str("iidfile"), built.image_id.as_bytes())?;
    if parsed.is_set("metadata-file") {
        let metadata: &BTreeMap<String, Value> = &built.metadata;
        let text = serde_json::to_string_pretty(metadata).map_err(|error| error.to_string())?;
        write(parsed.str("metadata-file"), text.as_bytes())?;
    }
    if is_quiet && !built.image_id.is_empty() {
        say(&built.image_id)?;
    }
    Ok(0)
}

/// What an earlier build wrote is not to be taken for this one's.
fn forget(path: &str) -> Result<()> {
    match std::fs::remove_file(path) {
        _ if path.is_empty() => Ok(()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unwritable(path, &error)),
        _ => Ok(()),
    }
}

/// As a whole or not at all.
fn write(path: &str, content: &[u8]) -> Result<()> {
    if path.is_empty() {
        return Ok(());
    }
    let temporary = format!("{path}.{}", std::process::id());
    std::fs::write(&temporary, content)
        .and_then(|()| std::fs::rename(&temporary, Path::new(path)))
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("ERROR: {path}: {}", os_error(error)))
}

/// Credentials for the registries that the Dockerfile and the tags name. Those of no other leave this machine.
fn auths(context: &Context, options: &BuildOptions) -> BTreeMap<String, AuthConfig> {
    let mut images: Vec<String> = options.tags.clone();
    if let Ok(file) = builder::dockerfile::parse(&options.dockerfile.text) {
        images.extend(file.stages.into_iter().map(|stage| stage.base));
    }
    let named = options.contexts.values().filter_map(|place| place.strip_prefix("docker-image://"));
    images.extend(named.map(str::to_owned));
    let caches = options.cache_from.iter().chain(&options.cache_to);
    images.extend(caches.filter_map(|cache| cache.get("ref").cloned()));
    let known = images.iter().filter(|image| reference::check(image).is_ok());
    let keys = known.map(|image| credentials::key(reference::domain(image)));
    let auths = keys.map(|key| (key.clone(), context.config().auth(&key)));
    auths.filter(|(_, auth)| !auth.is_empty()).collect()
}
