//! `gantry container exec`: one more process in a container that runs.

use api::exec::{CreateRequest, StartRequest};
use client::Client;

use super::options::env;
use super::{DETACH_KEYS, detach_keys};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::session::{Ended, Session, ask_next_engine, check_tty, window_changes, window_size};

const FLAGS: &[Flag] = &[
    Flag::bool("detach", "Detached mode: run command in the background").short('d'),
    DETACH_KEYS,
    Flag::list("env", "Set environment variables").short('e').check(env::check),
    Flag::list("env-file", "Read in a file of environment variables"),
    Flag::bool("interactive", "Keep STDIN open even if not attached").short('i'),
    Flag::bool("privileged", "Give extended privileges to the command"),
    Flag::bool("tty", "Allocate a pseudo-TTY").short('t'),
    Flag::string("user", "Username or UID (format: \"<name|uid>[:<group|gid>]\")").short('u'),
    Flag::string("workdir", "Working directory inside the container").short('w'),
];

pub(crate) const COMMAND: Command = Command {
    name: "exec",
    aliases: &[],
    paths: &["container exec", "exec"],
    usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
    about: "Execute a command in a running container",
    flags: &[FLAGS],
    args: Args::AtLeast(2),
    trailing: true,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (detach, tty) = (parsed.bool("detach"), parsed.bool("tty"));
    let stdin = parsed.bool("interactive") && !detach;
    let (keys, sequence) = detach_keys(context, parsed.str("detach-keys"))?;
    let console_size = tty.then(window_size).flatten().map(|(h, w)| [h.into(), w.into()]);
    let request = CreateRequest {
        user: parsed.string("user"),
        privileged: parsed.bool("privileged"),
        tty,
        console_size,
        attach_stdin: stdin,
        attach_stdout: !detach,
        attach_stderr: !detach,
        detach,
        detach_keys: keys,
        env: Some(env::collect(&parsed.list("env-file"), &parsed.list("env"))?)
            .filter(|e| !e.is_empty()),
        working_dir: parsed.string("workdir"),
        cmd: Some(parsed.args[1..].to_vec().into()),
    };
    let client = context.connect().await?;
    if !detach {
        check_tty(stdin, tty)?;
    }
    let id = client.exec_create(parsed.arg(0), &request).await?.id;
    let start = StartRequest { detach, tty, console_size };
    if detach {
        client.exec_start_detached(&id, &start).await?;
        return Ok(0);
    }
    loop {
        let hijacked = client.exec_start(&id, &start).await?;
        let session = Session { tty, stdin, keys: sequence.clone() };
        let ended = tokio::select! {
            ended = session.run(hijacked) => ended?,
            never = keep_size(&client, &id, tty) => never,
        };
        if ended == Ended::Detached {
            return Err(Failure::new("read escape sequence"));
        }
        let exec = ask_next_engine(|| client.exec_inspect(&id)).await?;
        match exec.exit_code {
            Some(code) => return Ok((code & 0xff) as u8),
            // Closed by a process that goes on.
            None if exec.running => return Ok(0),
            // An engine was killed before it had passed the command on. Input may have gone with it.
            None if stdin => {
                return Err(Failure::new("the engine ended before the command was started"));
            }
            None => {}
        }
    }
}

async fn keep_size<T>(client: &Client, id: &str, tty: bool) -> T {
    let changes = if tty { window_changes().ok() } else { None };
    let Some(mut changes) = changes else { return std::future::pending().await };
    while changes.recv().await.is_some() {
        if let Some((height, width)) = window_size() {
            // A process that is just ending cannot be resized, and need not be.
            let _ = client.exec_resize(id, height, width).await;
        }
    }
    std::future::pending().await
}
