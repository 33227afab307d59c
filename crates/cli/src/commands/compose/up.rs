//! `gantry compose up`.

use client::Client;
use compose::apply::{self, Apply, Event};
use compose::model::{Condition, Project};
use compose::plan::{self, Current, Recreate, Wishes};

use super::follow::{self, Ending};
use super::plan::show;
use super::progress::Progress;
use super::services::{all_or, failure};
use super::watch::Watch;
use super::{build, project, pull};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "up",
    aliases: &[],
    paths: &["compose up"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Create and start containers",
    flags: &[MAKING, RUNNING],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

/// What `create` takes as well.
pub(super) const MAKING: &[Flag] = &[
    Flag::bool("build", "Build images before starting containers"),
    Flag::bool(
        "force-recreate",
        "Recreate containers even if their configuration and image haven't changed",
    ),
    Flag::bool("no-build", "Don't build an image, even if it's policy"),
    Flag::bool(
        "no-recreate",
        "If containers already exist, don't recreate them. Incompatible with --force-recreate.",
    ),
    Flag::string("pull", "Pull image before running (\"always\"|\"missing\"|\"never\")")
        .default("policy"),
    Flag::bool("quiet-pull", "Pull without printing progress information"),
    REMOVE_ORPHANS,
    SCALE,
];

pub(super) const REMOVE_ORPHANS: Flag =
    Flag::bool("remove-orphans", "Remove containers for services not defined in the Compose file");

pub(super) const NO_DEPS: Flag = Flag::bool("no-deps", "Don't start linked services");

pub(super) const ROLLING: Flag = Flag::bool(
    "rolling",
    "Replace containers of services that have several one after the other, each by one that is there before the old one goes",
);

pub(super) const SCALE: Flag = Flag::list(
    "scale",
    "Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file if present.",
)
.type_name("scale");

const RUNNING: &[Flag] = &[
    Flag::bool(
        "abort-on-container-exit",
        "Stops all containers if any container was stopped. Incompatible with -d",
    ),
    Flag::bool("always-recreate-deps", "Recreate dependent containers. Incompatible with --no-recreate."),
    Flag::list("attach", "Restrict attaching to the specified services. Incompatible with --attach-dependencies.")
        .type_name("stringArray"),
    Flag::bool("attach-dependencies", "Automatically attach to log output of dependent services"),
    Flag::bool("detach", "Detached mode: Run containers in the background").short('d'),
    Flag::string(
        "exit-code-from",
        "Return the exit code of the selected service container. Implies --abort-on-container-exit",
    ),
    Flag::list("no-attach", "Do not attach (stream logs) to the specified services")
        .type_name("stringArray"),
    Flag::bool("no-color", "Produce monochrome output"),
    NO_DEPS,
    Flag::bool("no-log-prefix", "Don't print prefix in logs"),
    Flag::bool("no-start", "Don't start the services after creating them"),
    Flag::bool(
        "renew-anon-volumes",
        "Recreate anonymous volumes instead of retrieving data from the previous containers",
    )
    .short('V'),
    ROLLING,
    Flag::int(
        "timeout",
        "Use this timeout in seconds for container shutdown when attached or when containers are already running",
    )
    .short('t'),
    Flag::bool("timestamps", "Show timestamps"),
    Flag::bool("watch", "Watch source code and rebuild/refresh containers when files are updated."),
    Flag::bool("wait", "Wait for services to be running|healthy. Implies detached mode."),
    Flag::int("wait-timeout", "Maximum duration to wait for the project to be running|healthy"),
];

async fn run(context: &Context, parsed: &Parsed) -> Done {
    check(parsed)?;
    let project = wanted(context, parsed)?;
    let watch = match parsed.bool("watch") {
        true => Some(Watch::of(&project, &parsed.args)?),
        false => None,
    };
    let client = context.connect().await?;
    let since = jiff::Timestamp::now();
    converge(context, &client, &project, parsed).await?;
    if parsed.bool("no-start") || context.group().bool("dry-run") {
        return Ok(0);
    }
    if parsed.bool("wait") {
        return wait(context, &client, &project, parsed).await;
    }
    if parsed.bool("detach") {
        return Ok(0);
    }
    let ending = match parsed.str("exit-code-from") {
        "" if parsed.bool("abort-on-container-exit") => Ending::WithTheFirst,
        "" => Ending::WithTheLast,
        service => Ending::As(service.to_owned()),
    };
    let shown = follow::Shown {
        services: attached(&project, parsed),
        timestamps: parsed.bool("timestamps"),
        prefix: !parsed.bool("no-log-prefix"),
        colours: !parsed.bool("no-color") && context.group().str("ansi") != "never",
    };
    let how = (ending, since, parsed.int_if_set("timeout"));
    let attached = follow::up(context, &client, &project, &shown, how);
    match watch {
        None => attached.await,
        Some(watch) => tokio::select! {
            done = attached => done,
            done = watch.run(context, &client, &project) => done,
        },
    }
}

fn check(parsed: &Parsed) -> Result<()> {
    let both = |one: &str, other: &str| parsed.bool(one) && parsed.bool(other);
    let wrong = if both("force-recreate", "no-recreate") {
        "--force-recreate and --no-recreate are incompatible"
    } else if both("detach", "abort-on-container-exit") || both("detach", "watch") {
        "--detach cannot be combined with --abort-on-container-exit, --exit-code-from, --attach, --attach-dependencies or --watch"
    } else if both("always-recreate-deps", "no-recreate") {
        "--always-recreate-deps and --no-recreate are incompatible"
    } else if both("build", "no-build") {
        "--build and --no-build are incompatible"
    } else {
        return Ok(());
    };
    Err(Failure::new(wrong))
}

/// The project with as many containers of each service as `--scale` says.
pub(super) fn wanted(context: &Context, parsed: &Parsed) -> Result<Project> {
    let mut project = project::chosen(context, &parsed.args)?;
    for scale in parsed.list("scale") {
        let (name, count) = scale
            .split_once('=')
            .and_then(|(name, count)| Some((name, count.parse::<usize>().ok()?)))
            .ok_or_else(|| {
                Failure::new(format!("invalid --scale option {scale:?}. Should be SERVICE=NUM"))
            })?;
        let service = project.services.get_mut(name);
        let service = service.ok_or_else(|| Failure::new(format!("no such service: {name}")))?;
        service.scale = Some(count);
    }
    Ok(project)
}

/// Pulls, plans and does.
pub(super) async fn converge(
    context: &Context,
    client: &Client,
    project: &Project,
    parsed: &Parsed,
) -> Result<()> {
    let progress = Progress::of(context);
    let report = |event| progress.report(event);
    let mut current = apply::observe(client, project).await.map_err(failure)?;
    if context.group().bool("dry-run") {
        return show(client, project, current, &wishes(parsed), "DRY-RUN MODE - ").await;
    }
    let wishes = wishes(parsed);
    let services = plan::taking_part(project, &wishes);
    let policy = parsed.str("pull");
    let pulled = pull::missing(context, client, &services, &current, (policy, &report)).await?;
    if build::missing(context, project, &services, &current, parsed).await? || pulled {
        current = apply::observe(client, project).await.map_err(failure)?;
    }
    let plan = plan::up(project, &current, &wishes).map_err(Failure::new)?;
    if !plan.orphans.is_empty() {
        project::caution(&format!(
            "Found orphan containers ([{}]) for this project. If you removed or renamed this service in your compose file, you can run this command with the --remove-orphans flag to clean it up.",
            plan.orphans.join(" ")
        ));
    }
    let mut apply = apply(context, client, project, &current, &report);
    apply.timeout = parsed.int_if_set("timeout");
    all_or(apply.run(&plan).await).map(drop)
}

pub(super) fn wishes(parsed: &Parsed) -> Wishes {
    let recreate = match (parsed.bool("force-recreate"), parsed.bool("no-recreate")) {
        (true, _) => Recreate::Always,
        (false, true) => Recreate::Never,
        (false, false) => Recreate::WhereChanged,
    };
    let of_dependencies = match recreate {
        Recreate::Never => Recreate::Never,
        _ if parsed.bool("always-recreate-deps") => Recreate::Always,
        _ => Recreate::WhereChanged,
    };
    Wishes {
        services: parsed.args.clone(),
        recreate,
        recreate_dependencies: of_dependencies,
        remove_orphans: parsed.bool("remove-orphans"),
        renew_anonymous_volumes: parsed.bool("renew-anon-volumes"),
        without_dependencies: parsed.bool("no-deps"),
        without_start: parsed.bool("no-start"),
        rolling: parsed.bool("rolling"),
    }
}

pub(super) fn apply<'a>(
    context: &Context,
    client: &'a Client,
    project: &'a Project,
    current: &'a Current,
    report: &'a dyn Fn(Event),
) -> Apply<'a> {
    let parallel = usize::try_from(context.group().int("parallel")).ok().filter(|most| *most > 0);
    Apply { client, project, current, report, timeout: None, parallel }
}

/// Until everything runs, and is healthy where it says what that is.
async fn wait(context: &Context, client: &Client, project: &Project, parsed: &Parsed) -> Done {
    let progress = Progress::of(context);
    let report = |event| progress.report(event);
    let current = Current::default();
    let apply = apply(context, client, project, &current, &report);
    let services = project.in_order(&parsed.args);
    let mut waits = Vec::new();
    for service in services {
        for name in apply.names(&service.name).await.map_err(failure)? {
            let has_check = client.container_inspect(&name).await?.state.health.is_some();
            let condition = if has_check { Condition::Healthy } else { Condition::Started };
            waits.push((name, condition));
        }
    }
    let all = waits.iter().map(|(name, condition)| apply.await_container(name, *condition));
    let all = apply::all(all);
    let results = match parsed.int_if_set("wait-timeout").and_then(|it| u64::try_from(it).ok()) {
        None => all.await,
        Some(seconds) => {
            tokio::time::timeout(std::time::Duration::from_secs(seconds), all).await.map_err(
                |_| Failure::new("application not healthy after context deadline exceeded"),
            )?
        }
    };
    all_or(results.into_iter().filter_map(Result::err).collect())
}

/// The services whose output is shown.
fn attached(project: &Project, parsed: &Parsed) -> Vec<String> {
    let (only, not) = (parsed.list("attach"), parsed.list("no-attach"));
    let is_all = parsed.args.is_empty() || parsed.bool("attach-dependencies");
    let is_asked_for = |name: &String| match only.is_empty() {
        false => only.contains(name),
        true => {
            (is_all || parsed.args.contains(name)) && project.services[name].attach != Some(false)
        }
    };
    let names = project.services.keys();
    names.filter(|name| is_asked_for(name) && !not.contains(name)).cloned().collect()
}
