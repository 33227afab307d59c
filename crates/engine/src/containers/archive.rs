//! `cp`: parts of a container's root as an archive, and an archive unpacked there. The rules are in [`resource`].

use std::io::{Read, Write};
use std::path::Path;

use api::containers::PathStat;
use archive::unpack::{self, Options, Owner, Target};

use super::Containers;
use super::mounts::MountPoint;
use super::record::Record;
use super::request::Request;
use super::resource::{self, Resource};
use super::spec::user;
use super::view::{Access, View};
use crate::error::{Error, Kind, Result, blocking};

/// What a client wants to have done with its archive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extract {
    /// A directory is not to give way to something else, nor the reverse.
    pub keep_directories: bool,
    /// Everything is to belong to the container's user.
    pub own_by_user: bool,
}

/// What lies at a path, found and not yet read.
pub struct Archive {
    pub stat: PathStat,
    view: View,
    resource: Resource,
}

impl Containers {
    /// What lies at `path`; a link at its end is not followed.
    pub async fn path_stat(&self, wanted: &str, path: &str) -> Result<PathStat> {
        Ok(self.find_resource(wanted, path).await?.stat)
    }

    pub async fn archive(&self, wanted: &str, path: &str) -> Result<Archive> {
        let found = self.find_resource(wanted, path).await?;
        self.tell(&found.view.record, "archive-path").await?;
        Ok(found)
    }

    async fn find_resource(&self, wanted: &str, path: &str) -> Result<Archive> {
        let handle = self.find(wanted)?;
        let view = View::open(&self.0, &handle, Access::Read).await?;
        let (wanted, path) = (wanted.to_owned(), path.to_owned());
        blocking(move || {
            let (stat, resource) =
                resource::find(view.root(), &path).map_err(|error| error.of(&path, &wanted))?;
            Ok(Archive { stat, view, resource })
        })
        .await
    }

    /// Unpacks `tar`, compressed or not, to the directory at `path`.
    pub async fn extract(
        &self,
        wanted: &str,
        path: &str,
        extract: Extract,
        tar: impl Read + Send + 'static,
    ) -> Result<()> {
        let handle = self.find(wanted)?;
        let view = View::open(&self.0, &handle, Access::Write).await?;
        let record = view.record.clone();
        let (wanted, path) = (wanted.to_owned(), path.to_owned());
        blocking(move || extract_to(&view, &wanted, &path, extract, tar)).await?;
        self.tell(&record, "extract-to-dir").await
    }

    async fn tell(&self, record: &Record, action: &'static str) -> Result<()> {
        self.find(&record.id)?.ask(|reply| Request::Tell { action, reply }).await
    }
}

impl Archive {
    /// Writes it; blocks.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        let written = self.resource.write(out).and_then(|()| out.flush());
        written.map_err(|cause| Error::system("cannot read what is copied").because(cause))
    }
}

fn extract_to(
    view: &View,
    wanted: &str,
    path: &str,
    extract: Extract,
    tar: impl Read,
) -> Result<()> {
    let directory =
        resource::directory(view.root(), path).map_err(|error| error.of(path, wanted))?;
    check_writable(view, &directory)?;
    let options = Options {
        owner: owner(view, extract)?,
        replace_directories: !extract.keep_directories,
        limits: archive::Limits::default(),
        rename: None,
    };
    let target = Target { root: view.root(), directory: &directory, shown: &directory };
    // Docker takes a bad archive for a failure of its own.
    archive::compression::decompressed(tar)
        .and_then(|tar| unpack::unpack(tar, target, options))
        .map_err(|error| Error::new(Kind::System, archive::reason(&error)))
}

fn owner(view: &View, extract: Extract) -> Result<Owner> {
    let wish = view.record.config.user.as_str();
    if !extract.own_by_user || wish.is_empty() {
        return Ok(Owner::Archived);
    }
    let user = user::resolve(wish, &[], &user::Files::read(view.root()))?;
    Ok(Owner::Fixed(user.uid, user.gid))
}

/// The kernel refuses what is mounted read-only anyway; this says so in Docker's words, and before anything is read.
fn check_writable(view: &View, directory: &Path) -> Result<()> {
    let innermost = view
        .mounts()
        .filter(|point: &&MountPoint| directory.starts_with(&point.destination))
        .max_by_key(|point| point.destination.len());
    match innermost {
        Some(point) if point.read_only => Err(Error::system("mounted volume is marked read-only")),
        None if view.record.host_config.readonly_rootfs => {
            Err(Error::system("container rootfs is marked read-only"))
        }
        _ => Ok(()),
    }
}
