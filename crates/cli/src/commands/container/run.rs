//! `gantry container run`: create, attach, wait, start; then this terminal is the container's.

use api::containers::WaitResponse;
use client::containers::{Attach, WaitCondition};
use client::{Client, Hijacked, JsonLines};

use super::create::{self, CREATE_FLAGS, check_pull, reported};
use super::end::exit_code;
use super::options::{self, Options};
use super::{DETACH_KEYS, detach_keys};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::say;
use crate::session::{Ended, Session, Signals, check_tty, window_changes, window_size};

const FLAGS: &[Flag] = &[
    Flag::bool("detach", "Run container in background and print container ID").short('d'),
    DETACH_KEYS,
    create::pull("Pull image before running (\"always\", \"missing\", \"never\")"),
    Flag::bool("sig-proxy", "Proxy received signals to the process").default("true"),
];

pub(crate) const COMMAND: Command = Command {
    name: "run",
    aliases: &[],
    paths: &["container run", "run"],
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Create and run a new container from an image",
    flags: &[options::FLAGS, CREATE_FLAGS, FLAGS],
    args: Args::AtLeast(1),
    trailing: true,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let mut options = check_pull(parsed)
        .and_then(|()| Options::parse(parsed))
        .map_err(|message| reported("run", &message, 125))?;
    options.add_proxies(context);
    let detach = parsed.bool("detach");
    if detach && parsed.is_set("attach") {
        return Err(Failure::new("Conflicting options: -a and -d"));
    }
    if detach {
        options.detach();
    } else {
        check_tty(options.request.config.attach_stdin, options.request.config.tty)?;
    }
    let (keys, sequence) = detach_keys(context, parsed.str("detach-keys"))?;
    if let (Some((height, width)), Some(host)) = (window_size(), &mut options.request.host_config) {
        host.console_size = [height.into(), width.into()];
    }
    let client = context.connect().await?;
    let id = create::create(context, &client, parsed, &options)
        .await
        .map_err(|failure| reported("run", &failure.message, 125))?;
    if detach {
        let started = start(&client, &id, &keys).await;
        // As Docker, for a container that is there although it did not start.
        say(&id)?;
        return started.map(|()| 0);
    }
    let config = &options.request.config;
    let session = Session { tty: config.tty, stdin: config.attach_stdin, keys: sequence };
    let shows_output = config.attach_stdout || config.attach_stderr;
    let attach = Attach {
        stdin: config.attach_stdin,
        stdout: config.attach_stdout,
        stderr: config.attach_stderr,
        logs: false,
        detach_keys: keys.clone(),
        tty: config.tty,
    };
    let condition =
        if options.auto_remove() { WaitCondition::Removed } else { WaitCondition::NextExit };
    let attached = async {
        if shows_output || attach.stdin {
            client.container_attach(&id, &attach).await.map(Some)
        } else {
            Ok(None)
        }
    };
    let (hijacked, waiting) =
        tokio::try_join!(attached, client.container_wait_begin(&id, condition))?;
    start(&client, &id, &keys).await?;
    if !shows_output {
        say(&id)?;
    }
    let sig_proxy = parsed.bool("sig-proxy");
    follow(
        &client,
        Foreground { id: &id, session, hijacked, waiting, sig_proxy, resize_now: false },
    )
    .await
}

/// A container that could not be started is an exit code of its own: 127 where its program is not
/// there, 126 where it may not be executed.
async fn start(client: &Client, id: &str, keys: &str) -> Result<()> {
    client.container_start(id, keys).await.map_err(|error| {
        let message = error.to_string();
        let message = message.trim_end_matches('.');
        Failure::with_code(start_code(message), format!("gantry: {message}."))
    })
}

fn start_code(message: &str) -> u8 {
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if says(&[
        "executable file not found",
        "no such file or directory",
        "system cannot find the file",
    ]) {
        127
    } else if says(&["permission denied", "is a directory"]) {
        126
    } else {
        125
    }
}

/// A container that was started on this terminal.
pub(super) struct Foreground<'a> {
    pub(super) id: &'a str,
    pub(super) session: Session,
    pub(super) hijacked: Option<Hijacked>,
    pub(super) waiting: JsonLines<WaitResponse>,
    pub(super) sig_proxy: bool,
    /// The container does not know the terminal's size yet.
    pub(super) resize_now: bool,
}

/// Until it ends or is left; its exit code is ours.
pub(super) async fn follow(client: &Client, foreground: Foreground<'_>) -> Done {
    match follow_to(client, foreground).await? {
        (Ended::Detached, _) => Ok(0),
        (Ended::Closed, code) => Ok(code),
    }
}

/// As [`follow`], and tells whether it was left.
pub(super) async fn follow_to(
    client: &Client,
    mut foreground: Foreground<'_>,
) -> Result<(Ended, u8)> {
    let signals = foreground.sig_proxy.then(Signals::catch).transpose()?;
    let (id, tty) = (foreground.id, foreground.session.tty);
    let hijacked = foreground.hijacked.take();
    let streams = async {
        match hijacked {
            Some(hijacked) => foreground.session.run(hijacked).await,
            None => Ok(Ended::Closed),
        }
    };
    let ended = async {
        let ended = streams.await?;
        match ended {
            Ended::Detached => Ok((ended, 0)),
            Ended::Closed => Ok((ended, exit_code(client, id, &mut foreground.waiting).await?)),
        }
    };
    tokio::select! {
        result = ended => result,
        never = pass_signals(client, id, signals) => never,
        never = keep_size(client, id, tty, foreground.resize_now) => never,
    }
}

async fn pass_signals<T>(client: &Client, id: &str, signals: Option<Signals>) -> T {
    let Some(mut signals) = signals else { return std::future::pending().await };
    loop {
        let name = signals.next().await;
        // It may be gone already; then its exit is about to be reported.
        let _ = client.container_kill(id, name).await;
    }
}

async fn keep_size<T>(client: &Client, id: &str, tty: bool, now: bool) -> T {
    if !tty {
        return std::future::pending().await;
    }
    if now {
        resize(client, id).await;
    }
    let Ok(mut changes) = window_changes() else { return std::future::pending().await };
    while changes.recv().await.is_some() {
        resize(client, id).await;
    }
    std::future::pending().await
}

async fn resize(client: &Client, id: &str) {
    if let Some((height, width)) = window_size() {
        // A container that is just ending cannot be resized, and need not be.
        let _ = client.container_resize(id, height, width).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_has_the_shells_exit_codes() {
        assert_eq!(start_code("exec: \"x\": executable file not found in $PATH: unknown"), 127);
        assert_eq!(start_code("exec /x: permission denied"), 126);
        assert_eq!(start_code("cgroup is gone"), 125);
    }
}
