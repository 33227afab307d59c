//! `gantry container cp`, `gantry cp`: files between a container and here. What a path means is in [`paths`].

mod local;
mod paths;
mod progress;

use std::io::IsTerminal;

use client::containers::Extract;
use client::{Client, Upload};

use self::local::{Counter, Source};
pub(crate) use self::paths::split_argument;
use self::paths::{Info, Plan};
use self::progress::Progress;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::print;

const FLAGS: &[Flag] = &[
    Flag::bool("archive", "Archive mode (copy all uid/gid information)").short('a'),
    Flag::bool("follow-link", "Always follow symbol link in SRC_PATH").short('L'),
    Flag::bool(
        "quiet",
        "Suppress progress output during copy. Progress output is \
        automatically suppressed if no terminal is attached",
    )
    .short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "cp",
    aliases: &[],
    paths: &["container cp", "cp"],
    usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tgantry cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    about: "Copy files/folders between a container and the local filesystem

Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.",
    flags: &[FLAGS],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

/// What both directions are told.
struct Copy<'a> {
    container: &'a str,
    source: &'a str,
    destination: &'a str,
    follow_link: bool,
    own_by_user: bool,
    quiet: bool,
}

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (source, destination) = (parsed.arg(0), parsed.arg(1));
    for (argument, name) in [(source, "source"), (destination, "destination")] {
        if argument.is_empty() {
            return Err(Failure::new(format!("{name} can not be empty")));
        }
    }
    let (from, source) = paths::split_argument(source);
    let (to, destination) = paths::split_argument(destination);
    let quiet = if parsed.is_set("quiet") {
        parsed.bool("quiet")
    } else {
        !std::io::stdout().is_terminal()
    };
    let copy = |container| Copy {
        container,
        source,
        destination,
        follow_link: parsed.bool("follow-link"),
        own_by_user: parsed.bool("archive"),
        quiet,
    };
    match (from, to) {
        ("", "") => Err(Failure::new("must specify at least one container source")),
        (container, "") => copy(container).download(context).await,
        ("", container) => copy(container).upload(context).await,
        _ => Err(Failure::new("copying between containers is not supported")),
    }?;
    Ok(0)
}

impl Copy<'_> {
    async fn download(&self, context: &Context) -> Result<()> {
        let destination = match self.destination {
            "-" => "-".to_owned(),
            path => paths::here(path)?,
        };
        local::check_output(&destination)?;
        let client = context.connect().await?;
        let (source, rebase) = self.source_in_container(&client).await;
        let (stat, mut body) = client.container_archive(self.container, &source).await?;
        if destination == "-" {
            while let Some(chunk) = body.chunk().await? {
                print(&chunk)?;
            }
            return Ok(());
        }
        let is_dir = stat.mode & paths::GO_DIRECTORY != 0;
        let source = Info { path: source, exists: true, is_dir, rebase };
        let counter = Counter::default();
        let progress = Progress::start(self.quiet, "Copying from container - ", &counter);
        let copied = local::receive(body, &source, &destination, counter.clone()).await;
        progress.end(&counter, &destination).await;
        copied
    }

    /// The path to ask for, and what its last name is to be called here.
    async fn source_in_container(&self, client: &Client) -> (String, String) {
        let plain = (self.source.to_owned(), String::new());
        if !self.follow_link {
            return plain;
        }
        // What is wrong with the path is said when it is copied.
        let Ok(stat) = client.container_archive_stat(self.container, self.source).await else {
            return plain;
        };
        if stat.mode & paths::GO_SYMLINK == 0 {
            return plain;
        }
        let target = paths::link_target(self.source, &stat.link_target);
        paths::with_rebase(self.source, &target)
    }

    async fn upload(&self, context: &Context) -> Result<()> {
        let source = match self.source {
            "-" => "-".to_owned(),
            path => paths::here(path)?,
        };
        let client = context.connect().await?;
        let destination = self.destination_in_container(&client).await?;
        let extract = Extract { keep_directories: true, own_by_user: self.own_by_user };
        let shown = format!("{}:{}", self.container, destination.path);
        if source == "-" {
            if !destination.is_dir {
                return Err(Failure::new(format!(
                    "destination \"{}:{}\" must be a directory",
                    self.container, self.destination
                )));
            }
            let (tar, path) = (Upload::reader(tokio::io::stdin()), &destination.path);
            let counter = Counter::default();
            let progress = Progress::start(self.quiet, "Copying to container - ", &counter);
            let copied = client.container_archive_put(self.container, path, extract, tar).await;
            progress.end(&counter, &shown).await;
            return Ok(copied?);
        }
        let source = Source::find(&source, self.follow_link)?;
        let Plan { directory, name } = paths::plan(&source.info, &destination)?;
        let counter = Counter::default();
        let progress = Progress::start(self.quiet, "Copying to container - ", &counter);
        let (tar, packing) = source.pack(name, counter.clone());
        let copied = client.container_archive_put(self.container, &directory, extract, tar).await;
        progress.end(&counter, &shown).await;
        // What could not be read here explains why the engine got only half of it.
        packing.finish(copied).await
    }

    async fn destination_in_container(&self, client: &Client) -> Result<Info> {
        let mut path = self.destination.to_owned();
        let mut stat = client.container_archive_stat(self.container, &path).await.ok();
        if let Some(link) = stat.as_ref().filter(|stat| stat.mode & paths::GO_SYMLINK != 0) {
            path = paths::link_target(&path, &link.link_target);
            stat = client.container_archive_stat(self.container, &path).await.ok();
        }
        let mode = stat.as_ref().map_or(0, |stat| stat.mode);
        if let Some(what) = paths::unfit(mode) {
            return Err(Failure::new(format!(
                "destination \"{}:{}\" must be a directory or a regular file: {what}",
                self.container, self.destination
            )));
        }
        let is_dir = mode & paths::GO_DIRECTORY != 0;
        Ok(Info { path, exists: stat.is_some(), is_dir, rebase: String::new() })
    }
}
