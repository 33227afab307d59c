//! `gantry compose run`.

use std::io::IsTerminal;

use client::Client;
use client::containers::Remove;
use compose::apply;
use compose::model::{Project, Service};
use compose::plan::{self, Recreate, Wishes};

use super::progress::Progress;
use super::services::{all_or, as_typed, failure};
use super::{project, pull, up};
use crate::command::{Args, Command, Done, run};
use crate::commands::container::start;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "run",
    aliases: &[],
    paths: &["compose run"],
    usage: "[OPTIONS] SERVICE [COMMAND] [ARGS...]",
    about: "Run a one-off command on a service",
    flags: &[&[
        Flag::bool("detach", "Run container in background and print container ID").short('d'),
        Flag::string("entrypoint", "Override the entrypoint of the image"),
        Flag::list("env", "Set environment variables").short('e').type_name("stringArray"),
        Flag::bool("interactive", "Keep STDIN open even if not attached.")
            .short('i')
            .default("true"),
        Flag::list("label", "Add or override a label").short('l').type_name("stringArray"),
        Flag::string("name", "Assign a name to the container"),
        Flag::bool("no-TTY", "Disable pseudo-TTY allocation (default: auto-detected).").short('T'),
        Flag::bool("no-deps", "Don't start linked services."),
        Flag::bool("rm", "Automatically remove the container when it exits"),
        Flag::bool(
            "service-ports",
            "Run command with all service's ports enabled and mapped to the host.",
        )
        .short('P'),
        Flag::string("user", "Run as specified username or uid").short('u'),
        Flag::string("workdir", "Working directory inside the container").short('w'),
    ]],
    args: Args::AtLeast(1),
    trailing: true,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let name = parsed.arg(0).to_owned();
    let project = project::model(context, std::slice::from_ref(&name))?;
    let service = project.services.get(&name);
    let service = service.ok_or_else(|| Failure::new(format!("no such service: {name}")))?;
    let client = context.connect().await?;
    let service = as_asked(service, parsed);
    let id = make(context, &client, &project, &service, parsed).await?;
    if parsed.bool("detach") {
        client.container_start(&id, "").await?;
        say(&id)?;
        return Ok(0);
    }
    let mut words = vec!["--attach".to_owned(), id.clone()];
    if parsed.bool("interactive") {
        words.insert(1, "--interactive".to_owned());
    }
    let ended = as_typed(context, &start::COMMAND, &words).await;
    if parsed.bool("rm") {
        let remove = Remove { force: true, volumes: true, link: false };
        client.container_remove(&id, remove).await?;
    }
    ended
}

/// The service as the command line wants it this once.
fn as_asked(service: &Service, parsed: &Parsed) -> Service {
    let mut service = service.clone();
    let words = &parsed.args[1..];
    if !words.is_empty() {
        service.command = Some(words.to_vec());
    }
    if parsed.is_set("entrypoint") {
        service.entrypoint =
            Some(parsed.str("entrypoint").split_whitespace().map(str::to_owned).collect());
        if words.is_empty() {
            service.command = None;
        }
    }
    for pair in parsed.list("env") {
        match pair.split_once('=') {
            Some((name, value)) => {
                service.environment.insert(name.to_owned(), Some(value.to_owned()))
            }
            None => service.environment.insert(pair.clone(), std::env::var(&pair).ok()),
        };
    }
    for pair in parsed.list("label") {
        let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
        service.labels.insert(name.to_owned(), value.to_owned());
    }
    if parsed.is_set("user") {
        service.user = parsed.string("user");
    }
    if parsed.is_set("workdir") {
        service.working_dir = parsed.string("workdir");
    }
    if !parsed.bool("service-ports") {
        service.ports.clear();
    }
    let has_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    service.tty = has_terminal && !parsed.bool("no-TTY") && !parsed.bool("detach");
    service.container_name.clear();
    service.restart = "no".to_owned();
    service
}

/// What it depends on, started, and the container itself.
async fn make(
    context: &Context,
    client: &Client,
    project: &Project,
    service: &Service,
    parsed: &Parsed,
) -> Result<String> {
    let progress = Progress::of(context);
    let report = |event| progress.report(event);
    let mut current = apply::observe(client, project).await.map_err(failure)?;
    let mut needs = vec![service];
    if !parsed.bool("no-deps") {
        let others: Vec<String> = service.depends_on.keys().cloned().collect();
        needs.extend(project.in_order(&others).into_iter().filter(|_| !others.is_empty()));
    }
    if pull::missing(context, client, &needs, &current, ("policy", &report)).await? {
        current = apply::observe(client, project).await.map_err(failure)?;
    }
    let needed: Vec<String> = match parsed.bool("no-deps") {
        true => Vec::new(),
        false => service.depends_on.keys().cloned().collect(),
    };
    let apply = up::apply(context, client, project, &current, &report);
    let plan = plan::one_off(
        project,
        &current,
        service,
        &Wishes { services: needed, recreate: Recreate::WhereChanged, ..Wishes::default() },
    );
    all_or(apply.run(&plan.map_err(Failure::new)?).await)?;
    let name = match parsed.str("name") {
        "" => format!("{}-{}-run-{}", project.name, service.name, suffix()),
        name => name.to_owned(),
    };
    let keep_stdin = parsed.bool("interactive") && !parsed.bool("detach");
    apply.one_off(service, &name, keep_stdin).await.map_err(failure)
}

/// Something that no other container has.
fn suffix() -> String {
    let now = jiff::Timestamp::now();
    format!("{:08x}{:04x}", now.subsec_nanosecond(), std::process::id() & 0xffff)
}
