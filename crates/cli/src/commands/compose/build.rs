//! `gantry compose build`: what a service's `build` says, as `gantry build` takes it.

use std::path::Path;

use compose::apply::all;
use compose::labels;
use compose::model::{Build, Project, Service, Ulimit};
use compose::plan::Current;
use tokio::sync::Semaphore;

use super::project;
use super::services::as_typed;
use crate::command::{Args, Command, Done, run};
use crate::commands::image::build as image_build;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "build",
    aliases: &[],
    paths: &["compose build"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Build or rebuild services",
    flags: &[&[
        Flag::list("build-arg", "Set build-time variables for services").type_name("stringArray"),
        Flag::bool("no-cache", "Do not use cache when building the image"),
        Flag::bool("pull", "Always attempt to pull a newer version of the image"),
        Flag::bool("push", "Push service images"),
        Flag::bool("quiet", "Don't print anything to STDOUT").short('q'),
        Flag::bool("with-dependencies", "Also build dependencies (transitively)"),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let project = project::chosen(context, &parsed.args)?;
    let asked = |service: &&Service| {
        let all = parsed.args.is_empty() || parsed.bool("with-dependencies");
        all || parsed.args.contains(&service.name)
    };
    let services: Vec<&Service> = project.services.values().filter(asked).collect();
    build_all(context, &project, &services, &more(parsed)).await?;
    Ok(0)
}

/// What the command line adds to each service's own.
fn more(parsed: &Parsed) -> Vec<String> {
    let switches = ["no-cache", "pull", "push", "quiet"];
    let switches = switches.into_iter().filter(|name| parsed.bool(name));
    let mut words: Vec<String> = switches.map(|name| format!("--{name}")).collect();
    words.extend(parsed.list("build-arg").into_iter().map(|arg| format!("--build-arg={arg}")));
    words
}

/// Builds what `up` needs and the engine does not have, or all where that is asked for; whether anything was.
pub(super) async fn missing(
    context: &Context,
    project: &Project,
    services: &[&Service],
    current: &Current,
    parsed: &Parsed,
) -> Result<bool> {
    if parsed.bool("no-build") {
        return Ok(false);
    }
    let wanted = |service: &&&Service| {
        let is_there = current.images.contains_key(&service.image_name(&project.name));
        parsed.bool("build") || service.pull_policy == "build" || !is_there
    };
    let services: Vec<&Service> = services.iter().filter(wanted).copied().collect();
    build_all(context, project, &services, &[]).await
}

/// As many side by side as `--parallel` allows; a failure ends none of the others. Whether there was anything to build.
async fn build_all(
    context: &Context,
    project: &Project,
    services: &[&Service],
    more: &[String],
) -> Result<bool> {
    let built: Vec<&Service> = services.iter().filter(|it| it.build.is_some()).copied().collect();
    let most = usize::try_from(context.group().int("parallel")).ok().filter(|most| *most > 0);
    let turns = Semaphore::new(most.unwrap_or(built.len()).max(1));
    let together = built.len() > 1;
    let builds = built.iter().map(async |service| {
        let _turn = turns.acquire().await;
        let mut more = more.to_vec();
        if together {
            // Terminals are for one.
            more.push("--progress=plain".to_owned());
            more.push(format!("--progress-prefix={} | ", service.name));
        }
        build(context, project, service, &more).await
    });
    let failures: Vec<String> =
        all(builds).await.into_iter().filter_map(Result::err).map(|it| it.message).collect();
    if failures.is_empty() { Ok(!built.is_empty()) } else { Err(Failure::new(failures.join("\n"))) }
}

/// Nothing where the service's image is not built.
async fn build(
    context: &Context,
    project: &Project,
    service: &Service,
    more: &[String],
) -> Result<bool> {
    let Some(build) = &service.build else { return Ok(false) };
    let inline = inline(build)?;
    let file = inline.as_ref().map(|file| file.path().to_string_lossy().into_owned());
    let mut all = words(project, service, build, file.as_deref())?;
    all.extend_from_slice(more);
    all.push(build.context.clone());
    let command = &image_build::COMMAND;
    match as_typed(context, command, &all).await {
        Ok(0) => Ok(true),
        Ok(code) => {
            Err(Failure::new(format!("service {}: the build ended with {code}", service.name)))
        }
        Err(failure) => Err(failure),
    }
}

/// A Dockerfile that stands in the Compose file.
fn inline(build: &Build) -> Result<Option<tempfile::NamedTempFile>> {
    if build.dockerfile_inline.is_empty() {
        return Ok(None);
    }
    let file = tempfile::NamedTempFile::with_prefix("Dockerfile")?;
    std::fs::write(file.path(), &build.dockerfile_inline)?;
    Ok(Some(file))
}

/// A service's `build` in the words of `gantry build`.
fn words(
    project: &Project,
    service: &Service,
    build: &Build,
    inline: Option<&str>,
) -> Result<Vec<String>> {
    let mut words = vec![format!("--tag={}", service.image_name(&project.name))];
    let mut add = |flag: &str, value: &str| {
        if !value.is_empty() {
            words.push(format!("--{flag}={value}"));
        }
    };
    let folder = Path::new(&build.context);
    match inline {
        Some(path) => add("file", path),
        // In what an address leads to, it is found from there.
        None if !folder.is_dir() => add("file", &build.dockerfile),
        None if build.dockerfile.is_empty() => {}
        None => add("file", &folder.join(&build.dockerfile).to_string_lossy()),
    }
    build.tags.iter().for_each(|tag| add("tag", tag));
    for (name, value) in &build.args {
        match value {
            Some(value) => add("build-arg", &format!("{name}={value}")),
            None => add("build-arg", name),
        }
    }
    let own = [
        (labels::PROJECT, project.name.as_str()),
        (labels::SERVICE, service.name.as_str()),
        (labels::VERSION, env!("CARGO_PKG_VERSION")),
    ];
    let said = build.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    said.chain(own).for_each(|(name, value)| add("label", &format!("{name}={value}")));
    build.cache_from.iter().for_each(|cache| add("cache-from", cache));
    build.cache_to.iter().for_each(|cache| add("cache-to", cache));
    build.no_cache_filter.iter().for_each(|stage| add("no-cache-filter", stage));
    for (name, place) in &build.additional_contexts {
        add("build-context", &format!("{name}={place}"));
    }
    build.entitlements.iter().for_each(|right| add("allow", right));
    if build.privileged {
        add("allow", "security.insecure");
    }
    for (host, addresses) in &build.extra_hosts {
        addresses.iter().for_each(|address| add("add-host", &format!("{host}={address}")));
    }
    add("network", &build.network);
    add("target", &build.target);
    add("platform", &build.platforms.join(","));
    if build.shm_size.0 > 0 {
        add("shm-size", &build.shm_size.0.to_string());
    }
    for (name, limit) in &build.ulimits {
        let (soft, hard) = match limit {
            Ulimit::Both(both) => (*both, *both),
            Ulimit::Each { soft, hard } => (*soft, *hard),
        };
        add("ulimit", &format!("{name}={soft}:{hard}"));
    }
    for mount in &build.secrets {
        add("secret", &secret(project, &mount.source, &mount.target)?);
    }
    if build.no_cache {
        add("no-cache", "true");
    }
    if build.pull {
        add("pull", "true");
    }
    Ok(words)
}

fn secret(project: &Project, source: &str, target: &str) -> Result<String> {
    let id = if target.is_empty() { source } else { target };
    match project.secrets.get(source) {
        Some(secret) if !secret.environment.is_empty() => {
            Ok(format!("id={id},env={}", secret.environment))
        }
        Some(secret) if !secret.file.is_empty() => Ok(format!("id={id},src={}", secret.file)),
        _ => Err(Failure::new(format!(
            "build.secrets: secret {source} is neither a file nor a variable"
        ))),
    }
}
