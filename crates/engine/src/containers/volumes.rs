//! A container's volumes and bind sources: claimed and filled when it is made, ready before each start, let go of when
//! it is gone.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use store::volumes::copy;

use super::actor::Actor;
use super::disk::Disk;
use super::mounts::{Kind, MountPoint};
use super::name::random_id;
use super::record::Record;
use super::{Containers, Shared};
use crate::error::{Error, Kind as ErrorKind, Result, blocking};
use crate::volumes::{Volumes, Wish};

/// The volumes of a container that is being made; let go of unless `keep` is called.
pub struct Claims {
    volumes: Volumes,
    container: String,
    claimed: BTreeSet<String>,
    /// Made for this container alone, just now.
    own: Vec<String>,
    kept: bool,
}

impl Claims {
    pub fn keep(mut self) {
        self.kept = true;
    }

    fn take(&mut self, point: &mut MountPoint) -> Result<()> {
        let wish = Wish { name: point.name.clone(), ..std::mem::take(&mut point.wish) };
        let claimed = self.volumes.claim(wish, &self.container)?;
        let name = claimed.volume.name;
        if claimed.made && point.anonymous {
            self.own.push(name.clone());
        }
        point.source = self.volumes.path(&name).to_string_lossy().into_owned();
        point.name.clone_from(&name);
        self.claimed.insert(name);
        Ok(())
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let claimed = self.claimed.iter().map(String::as_str).collect();
        self.volumes.release(&claimed, &self.container);
        for name in &self.own {
            if let Err(error) = self.volumes.remove(name) {
                tracing::warn!(volume = name, "an anonymous volume is left: {error}");
            }
        }
    }
}

/// Makes what is missing, names what has no name, and keeps all of it from being removed.
pub async fn claim(volumes: &Volumes, id: &str, points: &mut Vec<MountPoint>) -> Result<Claims> {
    let mut claims = Claims {
        volumes: volumes.clone(),
        container: id.to_owned(),
        claimed: BTreeSet::new(),
        own: Vec::new(),
        kept: false,
    };
    if !points.iter().any(|point| point.kind == Kind::Volume) {
        return Ok(claims);
    }
    let mut taken = std::mem::take(points);
    let (claims, taken) = blocking(move || {
        for point in taken.iter_mut().filter(|point| point.kind == Kind::Volume) {
            claims.take(point)?;
        }
        Ok((claims, taken))
    })
    .await?;
    *points = taken;
    Ok(claims)
}

/// Copies what the image has where empty volumes are to be mounted.
pub fn fill(volumes: &Volumes, disk: &Disk, record: &Record) -> Result<()> {
    let wanting = |point: &&MountPoint| point.kind == Kind::Volume && point.copy;
    if !record.mounts.iter().any(|point| wanting(&point)) {
        return Ok(());
    }
    let failed =
        |cause: io::Error| Error::system("cannot read the container's root").because(cause);
    let root = disk.read_only(&record.id)?.mount().map_err(failed)?;
    for point in record.mounts.iter().filter(wanting) {
        let source = copy::directory_inside(root.as_fd(), Path::new(&point.destination));
        if let Some(source) = source.map_err(failed)? {
            volumes.fill(&point.name, source.as_fd())?;
        }
    }
    Ok(())
}

/// Refuses bind sources that are not there, for mounts that do not make them.
pub fn check_sources(points: &[MountPoint]) -> Result<()> {
    for point in points.iter().filter(|point| point.kind == Kind::Bind && !point.create_source) {
        if fs::symlink_metadata(&point.source).is_err() {
            return Err(Error::invalid(format!(
                "invalid mount config for type \"bind\": bind source path does not exist: {}",
                point.source
            )));
        }
    }
    Ok(())
}

/// Makes everything ready to be mounted, before each start of the container.
pub fn prepare(shared: &Shared, record: &Record) -> Result<()> {
    ready(shared, record, &record.id)
}

fn ready(shared: &Shared, record: &Record, user: &str) -> Result<()> {
    for point in &record.mounts {
        match point.kind {
            Kind::Volume => {
                let data = shared.volumes.begin(&point.name, user)?;
                if !point.subpath.is_empty() && shared.external_runtime(record)?.is_some() {
                    return Err(Error::invalid("only the engine's own runtime mounts a subpath"));
                }
                check_subpath(&data, &point.subpath)?;
            }
            Kind::Bind if point.create_source => make_source(&point.source).map_err(|cause| {
                Error::system(format!("cannot make the mount's source {}", point.source))
                    .because(cause)
            })?,
            Kind::Bind | Kind::Tmpfs => {}
        }
    }
    Ok(())
}

/// The volumes of a container that does not run, ready until this is dropped.
pub struct Loan<'s> {
    shared: &'s Shared,
    record: &'s Record,
    user: String,
}

pub fn lend<'s>(shared: &'s Shared, record: &'s Record) -> Result<Loan<'s>> {
    let loan = Loan { shared, record, user: random_id() };
    ready(shared, record, &loan.user)?;
    Ok(loan)
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        for point in self.record.volumes() {
            self.shared.volumes.give_back(&point.name, &self.user);
        }
    }
}

/// What is wrong with a subpath in Docker's words. The runtime resolves it once more, and mounts what it has opened:
/// containers may change the volume meanwhile.
fn check_subpath(data: &Path, subpath: &str) -> Result<()> {
    if subpath.is_empty() {
        return Ok(());
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let inside = |data| {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(data, subpath, flags, Mode::empty(), resolve)
    };
    let opened = rustix::fs::openat(CWD, data, flags | OFlags::DIRECTORY, Mode::empty());
    let path: PathBuf = data.join(subpath);
    match opened.and_then(inside) {
        Ok(_) => Ok(()),
        Err(Errno::NOENT) => Err(Error::new(
            ErrorKind::NotFound,
            format!("cannot access path {0}: lstat {0}: no such file or directory", path.display()),
        )),
        Err(Errno::XDEV) => Err(Error::system(format!(
            "path concatenation escapes the base directory, base: {}, subpath: {subpath}",
            data.display()
        ))),
        Err(error) => {
            Err(Error::system(format!("cannot access path {}", path.display())).because(error))
        }
    }
}

/// `-v` makes a missing source, as a directory.
fn make_source(path: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(()),
        Err(_) => fs::DirBuilder::new().recursive(true).mode(0o755).create(path),
    }
}

impl Record {
    fn volumes(&self) -> impl Iterator<Item = &MountPoint> {
        self.mounts.iter().filter(|point| point.kind == Kind::Volume)
    }

    pub fn has_volumes(&self) -> bool {
        self.volumes().next().is_some()
    }
}

impl Containers {
    /// Volumes are known to be used before anybody can ask for their removal.
    pub fn adopt_volumes<'r>(&self, records: impl Iterator<Item = (&'r Record, bool)>) {
        for (record, runs) in records {
            for point in record.volumes() {
                self.0.volumes.adopt(&point.name, &record.id, runs);
            }
        }
    }

    /// Nothing stays mounted for containers that ended meanwhile.
    pub async fn settle_volumes(&self) -> Result<()> {
        let volumes = self.0.volumes.clone();
        blocking(move || volumes.settle()).await
    }
}

impl Actor {
    /// It runs with its volumes.
    pub fn tell_mounts(&self) {
        for point in self.record.volumes() {
            let (name, id) = (&point.name, &self.record.id);
            self.shared.volumes.tell_mount(name, id, &point.destination, point.read_only);
        }
    }

    /// It no longer runs with its volumes; harmless if it did not.
    pub async fn leave_volumes(&self) {
        if !self.record.has_volumes() {
            return;
        }
        let (volumes, record) = (self.shared.volumes.clone(), self.record.clone());
        let left = blocking(move || {
            record.volumes().for_each(|point| volumes.end(&point.name, &record.id));
            Ok(())
        });
        if let Err(error) = left.await {
            tracing::warn!("{error}");
        }
    }

    /// Lets go of its volumes; `anonymous` ones that nobody else has are removed where that is wanted.
    pub async fn release_volumes(&self, remove_anonymous: bool) {
        if !self.record.has_volumes() {
            return;
        }
        let (volumes, record) = (self.shared.volumes.clone(), self.record.clone());
        let released = blocking(move || {
            let names = record.volumes().map(|point| point.name.as_str()).collect();
            volumes.release(&names, &record.id);
            let anonymous: BTreeSet<&str> = record
                .volumes()
                .filter(|point| remove_anonymous && point.anonymous)
                .map(|point| point.name.as_str())
                .collect();
            for name in anonymous {
                match volumes.remove(name) {
                    // Another container has it, too; or a removal before a crash took it.
                    Err(error)
                        if matches!(error.kind, ErrorKind::Conflict | ErrorKind::NotFound) => {}
                    Err(error) => {
                        tracing::warn!(volume = name, "an anonymous volume is left: {error}")
                    }
                    Ok(()) => {}
                }
            }
            Ok(())
        });
        if let Err(error) = released.await {
            tracing::warn!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_subpath_does_not_lead_out_of_its_volume() {
        let volume = tempfile::tempdir().unwrap();
        fs::create_dir(volume.path().join("sub")).unwrap();
        symlink("/etc", volume.path().join("absolute")).unwrap();
        symlink("../..", volume.path().join("climbing")).unwrap();
        symlink("sub", volume.path().join("inside")).unwrap();
        let said = |subpath: &str| {
            check_subpath(volume.path(), subpath).err().map(|error| error.to_string())
        };
        assert_eq!((said("sub"), said("inside"), said("")), (None, None, None));
        for escaping in ["absolute", "climbing/etc"] {
            let said = said(escaping).unwrap();
            assert!(said.starts_with("path concatenation escapes the base directory"), "{said}");
        }
        assert!(said("none").unwrap().contains("no such file or directory"));
    }
}
