//! The names that there are, by what an argument or a flag's value names.

use std::time::Duration;

use api::Filters;
use client::Client;
use client::containers::List;

use crate::context::Context;
use crate::contexts::DEFAULT;
use crate::output::units::short_id;

/// Whoever waits longer has gone on typing.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Containers,
    Running,
    Stopped,
    Paused,
    Images,
    Volumes,
    Networks,
    Contexts,
    /// Containers and images.
    Objects,
}

/// What the argument at that place of a command names; `container cp` and the like are paths too.
pub(super) fn of_argument(path: &str, index: usize) -> Option<Kind> {
    let (noun, verb) = path.split_once(' ').unwrap_or(("", path));
    let first_only = matches!(
        verb,
        "exec"
            | "commit"
            | "rename"
            | "port"
            | "top"
            | "logs"
            | "attach"
            | "export"
            | "diff"
            | "run"
            | "create"
            | "tag"
            | "history"
            | "update"
            | "use"
    );
    if first_only && index > 0 && (noun, verb) != ("container", "update") {
        return None;
    }
    match (noun, verb) {
        ("container", "create" | "run") => Some(Kind::Images),
        ("container", "start") => Some(Kind::Stopped),
        ("container", "attach" | "exec" | "kill" | "pause" | "port" | "stats" | "stop" | "top") => {
            Some(Kind::Running)
        }
        ("container", "unpause") => Some(Kind::Paused),
        ("container", "ls" | "prune") | ("image", "prune" | "load" | "import") => None,
        ("container", _) => Some(Kind::Containers),
        ("image", _) => Some(Kind::Images),
        ("volume", "inspect" | "rm" | "update") => Some(Kind::Volumes),
        ("network", "inspect" | "rm") => Some(Kind::Networks),
        ("network", "connect" | "disconnect") if index == 0 => Some(Kind::Networks),
        ("network", "connect" | "disconnect") => Some(Kind::Containers),
        ("context", "export" | "inspect" | "rm" | "update" | "use") => Some(Kind::Contexts),
        ("", "inspect") => Some(Kind::Objects),
        _ => None,
    }
}

/// What a flag's value names.
pub(super) fn of_flag(name: &str) -> Option<Kind> {
    match name {
        "context" | "from" => Some(Kind::Contexts),
        "link" | "volumes-from" => Some(Kind::Containers),
        "net" | "network" => Some(Kind::Networks),
        _ => None,
    }
}

/// All of them, sorted; none where the engine is away, slow or refuses.
pub(super) fn list(context: &Context, kind: Kind) -> Vec<String> {
    let mut names = match kind {
        Kind::Contexts => contexts(context),
        kind => of_engine(context, kind).unwrap_or_default(),
    };
    names.sort();
    names.dedup();
    names
}

fn contexts(context: &Context) -> Vec<String> {
    let stored = context.contexts().list().unwrap_or_default();
    std::iter::once(DEFAULT.to_owned()).chain(stored.into_iter().map(|meta| meta.name)).collect()
}

fn of_engine(context: &Context, kind: Kind) -> Option<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let asked = runtime.block_on(async {
        let ask = async {
            let client = context.connect_if_there().await.ok()?;
            ask(&client, kind).await.ok()
        };
        tokio::time::timeout(PATIENCE, ask).await.ok().flatten()
    });
    runtime.shutdown_background();
    asked
}

async fn ask(client: &Client, kind: Kind) -> client::Result<Vec<String>> {
    match kind {
        Kind::Containers => containers(client, &[]).await,
        Kind::Running => containers(client, &["running"]).await,
        Kind::Stopped => containers(client, &["created", "exited"]).await,
        Kind::Paused => containers(client, &["paused"]).await,
        Kind::Images => images(client).await,
        Kind::Volumes => client.volume_names().await,
        Kind::Networks => client.network_names().await,
        Kind::Objects => {
            let mut names = containers(client, &[]).await?;
            names.extend(images(client).await?);
            Ok(names)
        }
        Kind::Contexts => Ok(Vec::new()),
    }
}

async fn containers(client: &Client, states: &[&str]) -> client::Result<Vec<String>> {
    let mut filters = Filters::default();
    states.iter().for_each(|state| filters.add("status", *state));
    let list = List { all: true, filters, ..List::default() };
    let names =
        client.container_list(&list).await?.into_iter().flat_map(|container| container.names);
    Ok(names.map(|name| name.trim_start_matches('/').to_owned()).collect())
}

async fn images(client: &Client) -> client::Result<Vec<String>> {
    let images = client.image_list(&client::images::List::default()).await?;
    let named = |image: &api::images::Summary| match image.repo_tags.as_deref().unwrap_or_default()
    {
        [] => vec![short_id(&image.id)],
        tags => tags.iter().filter(|tag| !tag.starts_with("<none>")).cloned().collect(),
    };
    Ok(images.iter().flat_map(named).collect())
}
