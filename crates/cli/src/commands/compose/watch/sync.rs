//! Files from here into a container: those that are there as a tar, and those that are gone are removed there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use client::containers::Extract;
use client::{Client, Upload};
use compose::apply;
use compose::model::Hook;

use super::super::services::failure;
use crate::error::{Failure, Result};

/// Paths that one command removes: the kernel bounds its words.
const REMOVED_AT_ONCE: usize = 256;

pub(super) async fn sync(
    client: &Client,
    container: &str,
    files: &BTreeMap<PathBuf, String>,
) -> Result<()> {
    let there = |path: &Path| path.symlink_metadata().is_ok();
    let (comes, gone): (Vec<_>, Vec<_>) = files.iter().partition(|(path, _)| there(path));
    let gone: Vec<&String> = gone.into_iter().map(|(_, target)| target).collect();
    for some in gone.chunks(REMOVED_AT_ONCE) {
        remove(client, container, some).await?;
    }
    if comes.is_empty() {
        return Ok(());
    }
    let comes: Vec<(PathBuf, String)> =
        comes.into_iter().map(|(path, target)| (path.clone(), target.clone())).collect();
    let tar = tokio::task::spawn_blocking(move || pack(&comes)).await;
    let tar = tar.map_err(|why| Failure::new(why.to_string()))??;
    let upload = Upload::reader(tokio::fs::File::from_std(tar));
    let extract = Extract { keep_directories: false, own_by_user: true };
    Ok(client.container_archive_put(container, "/", extract, upload).await?)
}

/// By the container's own `rm`, since engines have nothing for it.
async fn remove(client: &Client, container: &str, targets: &[&String]) -> Result<()> {
    let mut command = ["rm", "-rf", "--"].map(str::to_owned).to_vec();
    command.extend(targets.iter().copied().cloned());
    let hook = Hook { command, user: "0".to_owned(), ..Hook::default() };
    let (code, output) = apply::exec(client, container, &hook).await.map_err(failure)?;
    match code {
        0 => Ok(()),
        _ => Err(Failure::new(String::from_utf8_lossy(&output).trim_end())),
    }
}

/// In a file that has no name. What goes away meanwhile is another change.
fn pack(files: &[(PathBuf, String)]) -> io::Result<File> {
    let mut tar = tar::Builder::new(tempfile::tempfile()?);
    for (path, target) in files {
        match append(&mut tar, path, target.trim_start_matches('/')) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    let mut file = tar.into_inner()?;
    file.rewind()?;
    Ok(file)
}

/// As long as it was when it was opened, whatever happens to it since.
fn append(tar: &mut tar::Builder<File>, path: &Path, target: &str) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&metadata);
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return tar.append_link(&mut header, target, fs::read_link(path)?);
    }
    if kind.is_dir() {
        return tar.append_data(&mut header, target, io::empty());
    }
    if !kind.is_file() {
        return Ok(());
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    header.set_size(size);
    tar.append_data(&mut header, target, file.chain(io::repeat(0)).take(size))
}
