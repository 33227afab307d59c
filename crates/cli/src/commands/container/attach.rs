//! `gantry container attach`: this terminal on a container that runs.

use api::containers::Inspect;
use client::containers::{Attach, WaitCondition};

use super::run::{Foreground, follow_to};
use super::{DETACH_KEYS, detach_keys};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::session::{Ended, Session, check_tty};

const FLAGS: &[Flag] = &[
    DETACH_KEYS,
    Flag::bool("no-stdin", "Do not attach STDIN"),
    Flag::bool("sig-proxy", "Proxy all received signals to the process").default("true"),
];

pub(crate) const COMMAND: Command = Command {
    name: "attach",
    aliases: &[],
    paths: &["container attach", "attach"],
    usage: "[OPTIONS] CONTAINER",
    about: "Attach local standard input, output, and error streams to a \
        running container",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (keys, sequence) = detach_keys(context, parsed.str("detach-keys"))?;
    let client = context.connect().await?;
    let container = client.container_inspect(parsed.arg(0)).await?;
    refuse_unless_running(&container)?;
    let (id, tty) = (container.id.as_str(), container.config.tty);
    let stdin = !parsed.bool("no-stdin") && container.config.open_stdin;
    check_tty(stdin, tty)?;
    let attach = Attach { stdin, stdout: true, stderr: true, logs: false, detach_keys: keys, tty };
    let (waiting, hijacked) = tokio::try_join!(
        client.container_wait_begin(id, WaitCondition::NotRunning),
        client.container_attach(id, &attach),
    )?;
    let session = Session { tty, stdin, keys: sequence };
    let sig_proxy = parsed.bool("sig-proxy") && !tty;
    let foreground =
        Foreground { id, session, hijacked: Some(hijacked), waiting, sig_proxy, resize_now: tty };
    match follow_to(&client, foreground).await? {
        (Ended::Detached, _) => Err(Failure::new("read escape sequence")),
        (Ended::Closed, code) => Ok(code),
    }
}

fn refuse_unless_running(container: &Inspect) -> Result<()> {
    let state = &container.state;
    let refusal = if !state.running {
        "You cannot attach to a stopped container, start it first"
    } else if state.paused {
        "You cannot attach to a paused container, unpause it first"
    } else if state.restarting {
        "You cannot attach to a restarting container, wait until it is running"
    } else {
        return Ok(());
    };
    Err(Failure::new(refusal))
}
