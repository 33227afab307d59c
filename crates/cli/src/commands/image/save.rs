//! `gantry image save`: images into a tar.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use client::Body;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::print;

const FLAGS: &[Flag] = &[
    Flag::string("output", "Write to a file, instead of STDOUT").short('o'),
    Flag::string("platform", "Only this platform of an image that has several"),
];

pub(crate) const COMMAND: Command = Command {
    name: "save",
    aliases: &[],
    paths: &["image save", "save"],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Save one or more images to a tar archive (streamed to STDOUT by \
        default)",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let destination = Destination::choose(parsed.str("output"), "save image")?;
    let client = context.connect().await?;
    destination.write(client.image_save(&parsed.args, parsed.str("platform")).await?).await?;
    Ok(0)
}

/// Where a tar goes.
pub(crate) enum Destination {
    Stdout,
    File(PathBuf),
}

impl Destination {
    /// Never a terminal or another device; `what` is to be done, for the message.
    pub(crate) fn choose(path: &str, what: &str) -> Result<Self> {
        if path.is_empty() {
            if std::io::stdout().is_terminal() {
                return Err(Failure::new(
                    "cowardly refusing to save to a terminal. Use the -o flag or redirect",
                ));
            }
            return Ok(Self::Stdout);
        }
        let parent = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            let parent = parent.display().to_string();
            return Err(Failure::new(format!(
                "failed to {what}: invalid output path: directory {parent:?} does not exist"
            )));
        }
        if is_device(path) {
            return Err(Failure::new(format!(
                "failed to {what}: invalid output path: {path:?} must be a directory or a regular file: got a device"
            )));
        }
        if Path::new(path).is_dir() {
            return Err(Failure::new(format!(
                "failed to {what}: invalid output path: {path:?} is a directory"
            )));
        }
        Ok(Self::File(path.into()))
    }

    /// A file appears under its name only when it is complete.
    pub(crate) async fn write(self, mut body: Body) -> Result<()> {
        let Self::File(path) = self else {
            while let Some(chunk) = body.chunk().await? {
                print(&chunk)?;
            }
            return Ok(());
        };
        // A pipe is written to as it is.
        if path.exists() && !path.is_file() {
            return copy(&mut body, File::options().write(true).open(&path)?).await;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let result = match File::create(&temporary) {
            Ok(file) => copy(&mut body, file).await,
            Err(error) => Err(error.into()),
        };
        let result = result.and_then(|()| Ok(std::fs::rename(&temporary, &path)?));
        if result.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        result
    }
}

fn is_device(path: &str) -> bool {
    let kind = std::fs::metadata(path).map(|about| about.file_type());
    kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device())
}

async fn copy(body: &mut Body, mut file: File) -> Result<()> {
    while let Some(chunk) = body.chunk().await? {
        file.write_all(&chunk)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_file_is_refused_before_anything_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (inside, below) = (path("x"), path("nosuch/x"));
        assert!(Destination::choose(&inside, "save image").is_ok());
        for (wrong, why) in [
            (path("").as_str(), "is a directory"),
            ("/dev/null", "must be a directory or a regular file: got a device"),
            (below.as_str(), "does not exist"),
        ] {
            let said = Destination::choose(wrong, "save image").err().unwrap().message;
            assert!(said.starts_with("failed to save image: invalid output path: "), "{said}");
            assert!(said.ends_with(why), "{said}");
        }
    }
}
