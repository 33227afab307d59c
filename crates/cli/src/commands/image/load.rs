//! `gantry image load`: images out of a tar.

use std::io::IsTerminal;

use client::Upload;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::{print, progress};

const FLAGS: &[Flag] = &[
    Flag::string("input", "Read from tar archive file, instead of STDIN").short('i'),
    Flag::string("platform", "Only this platform of an image that has several"),
    Flag::bool("quiet", "Suppress the load output").short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "load",
    aliases: &[],
    paths: &["image load", "load"],
    usage: "[OPTIONS]",
    about: "Load an image from a tar archive or STDIN",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let tar = input(parsed.str("input")).await?;
    let client = context.connect().await?;
    let quiet = parsed.bool("quiet") || !std::io::stdout().is_terminal();
    let mut body = client.image_load(tar, quiet, parsed.str("platform")).await?;
    if body.content_type() == "application/json" {
        progress::show(body.json_lines()).await?;
        return Ok(0);
    }
    while let Some(chunk) = body.chunk().await? {
        print(&chunk)?;
    }
    Ok(0)
}

async fn input(path: &str) -> Result<Upload> {
    if path.is_empty() {
        if std::io::stdin().is_terminal() {
            return Err(Failure::new("requested load from stdin, but stdin is empty"));
        }
        return Ok(Upload::reader(tokio::io::stdin()));
    }
    open(path).await
}

/// A file to send, with an error that names it.
pub(in crate::commands) async fn open(path: &str) -> Result<Upload> {
    let file = tokio::fs::File::open(path).await.map_err(|error| {
        let reason = error.to_string().to_lowercase();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        Failure::new(format!("open {path}: {reason}"))
    })?;
    Ok(Upload::reader(file))
}
