//! `gantry container start`: containers that stopped, in the background or on this terminal.

use std::cell::RefCell;

use client::Client;
use client::containers::{Attach, WaitCondition};

use super::run::{Foreground, follow};
use super::{DETACH_KEYS, detach_keys};
use crate::command::{Args, Command, Done, run};
use crate::commands;
use crate::context::Context;
use crate::error::{Failure, for_each};
use crate::flags::{Flag, Parsed};
use crate::output::say;
use crate::session::{Session, check_tty};

const FLAGS: &[Flag] = &[
    Flag::bool("attach", "Attach STDOUT/STDERR and forward signals").short('a'),
    Flag::string("checkpoint", "Restore from this checkpoint").hidden(),
    Flag::string("checkpoint-dir", "Use a custom checkpoint storage directory").hidden(),
    DETACH_KEYS,
    Flag::bool("interactive", "Attach container's STDIN").short('i'),
];

pub(crate) const COMMAND: Command = Command {
    name: "start",
    aliases: &[],
    paths: &["container start", "start"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Start one or more stopped containers",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    if let Some(flag) = ["checkpoint", "checkpoint-dir"].iter().find(|flag| parsed.is_set(flag)) {
        return Err(commands::experimental(&format!("\"--{flag}\"")));
    }
    let attached = parsed.bool("attach") || parsed.bool("interactive");
    if attached && parsed.args.len() > 1 {
        return Err(Failure::new("you cannot start and attach multiple containers at once"));
    }
    let (keys, sequence) = detach_keys(context, parsed.str("detach-keys"))?;
    let client = context.connect().await?;
    if attached {
        return start_attached(&client, parsed, keys, sequence).await;
    }
    let failed = RefCell::new(Vec::new());
    let started = for_each(&parsed.args, async |id| {
        if let Err(error) = client.container_start(id, "").await {
            failed.borrow_mut().push(id);
            return Err(error.into());
        }
        say(id)
    });
    started.await.map_err(|failure| {
        let names = failed.borrow().join(", ");
        Failure::new(format!("{}\nError: failed to start containers: {names}", failure.message))
    })?;
    Ok(0)
}

async fn start_attached(
    client: &Client,
    parsed: &Parsed,
    keys: String,
    sequence: crate::session::Keys,
) -> Done {
    let container = client.container_inspect(parsed.arg(0)).await?;
    let (id, tty) = (container.id.as_str(), container.config.tty);
    let stdin = parsed.bool("interactive") && container.config.open_stdin;
    check_tty(stdin, tty)?;
    let attach =
        Attach { stdin, stdout: true, stderr: true, logs: false, detach_keys: keys.clone(), tty };
    let condition = if container.host_config.auto_remove {
        WaitCondition::Removed
    } else {
        WaitCondition::NextExit
    };
    let session = Session { tty, stdin, keys: sequence };
    let (hijacked, waiting) = tokio::try_join!(
        client.container_attach(id, &attach),
        client.container_wait_begin(id, condition)
    )?;
    client.container_start(id, &keys).await?;
    follow(
        client,
        Foreground {
            id,
            session,
            hijacked: Some(hijacked),
            waiting,
            sig_proxy: !tty,
            resize_now: tty,
        },
    )
    .await
}
