//! Sources of mounts on the host: volumes' directories and bind sources.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sys::overlay::Overlay;

use super::Shared;
use super::copy_up;
use super::mounts::{Kind, MountPoint};
use super::name;
use crate::error::{Error, Result};

/// Gives anonymous volumes a name, and says where each volume lies.
pub fn settle(data_root: &Path, points: &mut [MountPoint]) {
    for point in points.iter_mut().filter(|point| point.kind == Kind::Volume) {
        if point.name.is_empty() {
            point.name = name::random_id();
        }
        point.source = directory(data_root, &point.name).to_string_lossy().into_owned();
    }
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

/// Makes what is missing, before each start of the container `id`. A volume that is made here starts with what the
/// image has at its place.
pub fn prepare(shared: &Shared, id: &str, points: &[MountPoint]) -> Result<()> {
    for point in points {
        let failed = |cause: io::Error| {
            Error::system(format!("cannot make the mount's source {}", point.source)).because(cause)
        };
        match point.kind {
            Kind::Volume => {
                let data_root = &shared.config.data_root;
                if directory(data_root, &point.name).exists() {
                    continue;
                }
                let root = shared.disk.read_only(id)?;
                make_volume(data_root, point, &root).map_err(failed)?;
            }
            Kind::Bind if point.create_source => make_source(&point.source).map_err(failed)?,
            Kind::Bind | Kind::Tmpfs => {}
        }
    }
    Ok(())
}

/// Removes the volumes that were made for this container alone. Returns what failed.
pub fn remove_anonymous(data_root: &Path, points: &[MountPoint]) -> Vec<io::Error> {
    let own = points.iter().filter(|point| point.kind == Kind::Volume && point.anonymous);
    own.filter_map(|point| {
        let parent = directory(data_root, &point.name).parent().map(Path::to_owned)?;
        sys::remove::tree(&parent).err().filter(|error| error.kind() != io::ErrorKind::NotFound)
    })
    .collect()
}

fn directory(data_root: &Path, name: &str) -> PathBuf {
    data_root.join("volumes").join(name).join("_data")
}

/// Filled under another name, so that a crash leaves no volume half filled. Containers' users must be able to pass
/// through; the data root above is closed to the host's.
fn make_volume(data_root: &Path, point: &MountPoint, root: &Overlay) -> io::Result<()> {
    let volume = data_root.join("volumes").join(&point.name);
    let making = data_root.join("volumes").join(format!(".making-{}", name::random_id()));
    let data = making.join("_data");
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&data)?;
    if point.copy {
        let root = root.mount()?;
        copy_up::copy(root.as_fd(), Path::new(&point.destination), &data)?;
    }
    match fs::rename(&making, &volume) {
        // Two containers made it at the same time; the first won.
        Err(_) if volume.exists() => sys::remove::tree(&making),
        result => result,
    }
}

/// `-v` makes a missing source, as a directory.
fn make_source(path: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(()),
        Err(_) => fs::DirBuilder::new().recursive(true).mode(0o755).create(path),
    }
}
