//! A container's volumes and bind sources: claimed and filled when it is made, ready before each start, let go of when
//! it is gone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use store::volumes::{Volume, copy};
use sys::overlay::Overlay;

use super::actor::Actor;
use super::mounts::{Kind, MountPoint};
use super::name::random_id;
use super::record::Record;
use super::spec::mounts::FILES;
use super::{Containers, Shared};
use crate::error::{Error, Kind as ErrorKind, Result, blocking};
use crate::volumes::{Claimed, Volumes, Wish};

/// The volumes of a container that is being made; let go of unless `keep` is called.
pub struct Claims {
    volumes: Volumes,
    container: String,
    /// By name.
    claimed: BTreeMap<String, Volume>,
    /// What the container is recorded with: made for it alone, just now.
    new: Vec<Volume>,
    kept: bool,
}

impl Claims {
    fn take(&mut self, point: &mut MountPoint) -> Result<()> {
        let wish = Wish { name: point.name.clone(), ..std::mem::take(&mut point.wish) };
        let Claimed { volume, is_new } = self.volumes.claim(wish, &self.container)?;
        if is_new {
            self.new.push(volume.clone());
        }
        point.source = self.volumes.path(&volume.name).to_string_lossy().into_owned();
        point.name.clone_from(&volume.name);
        self.claimed.insert(volume.name.clone(), volume);
        Ok(())
    }

    /// Copies what the container's root has where empty volumes are to be mounted.
    pub fn fill(&self, mounts: &[MountPoint], root: impl Fn() -> Overlay) -> Result<()> {
        let failed =
            |cause: io::Error| Error::system("cannot read the container's root").because(cause);
        let mut mounted = None;
        for point in mounts.iter().filter(|point| point.kind == Kind::Volume && point.copy) {
            let Some(volume) = self.claimed.get(&point.name) else { continue };
            let root = match &mut mounted {
                Some(root) => root,
                none => none.insert(root().mount().map_err(failed)?),
            };
            let source = copy::directory_inside(root.as_fd(), Path::new(&point.destination));
            if let Some(source) = source.map_err(failed)? {
                // A volume that is mounted read-only takes no mount points later.
                let places = if point.destination == "/etc" { &FILES[..] } else { &[] };
                self.volumes.fill(volume, source.as_fd(), places)?;
            }
        }
        Ok(())
    }

    pub fn new_volumes(&self) -> &[Volume] {
        &self.new
    }

    /// The container is recorded, and they with it.
    pub fn keep(mut self) {
        self.kept = true;
        self.new.iter().for_each(|volume| self.volumes.tell_new(&volume.name));
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let claimed = self.claimed.keys().map(String::as_str).collect();
        self.volumes.release(&claimed, &self.container);
        for Volume { name, .. } in &self.new {
            if let Err(error) = self.volumes.give_up(name) {
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
        claimed: BTreeMap::new(),
        new: Vec::new(),
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
            Kind::Image if shared.external_runtime(record)?.is_some() => {
                return Err(Error::invalid("only the engine's own runtime mounts an image"));
            }
            Kind::Image | Kind::Bind | Kind::Tmpfs => {}
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
}

/// Removes the container with its record, and with `own` what was made for it alone and nobody else has. Blocks.
pub fn remove_with_volumes(shared: &Shared, record: &Record, own: Own) -> Result<()> {
    let names = record.volumes().map(|point| point.name.as_str()).collect();
    let wanted = record.volumes().filter(|point| own == Own::Go && point.anonymous);
    let wanted = wanted.map(|point| point.name.as_str()).collect();
    let remove = |going: &[&str]| shared.disk.remove(&record.id, going);
    shared.volumes.leave_for_good(&record.id, &names, &wanted, remove)
}

/// What becomes of a container's anonymous volumes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Own {
    Stay,
    Go,
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
