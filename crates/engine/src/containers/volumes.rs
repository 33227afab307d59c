//! Sources of mounts on the host: volumes' directories and bind sources.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Shared;
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

/// Makes what is missing, before each start.
pub fn prepare(shared: &Shared, points: &mut [MountPoint]) -> Result<()> {
    for point in points {
        let failed = |cause: io::Error| {
            Error::system(format!("cannot make the mount's source {}", point.source)).because(cause)
        };
        match point.kind {
            Kind::Volume => make_volume(&shared.config.data_root, &point.name).map_err(failed)?,
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
        fs::remove_dir_all(parent).err().filter(|error| error.kind() != io::ErrorKind::NotFound)
    })
    .collect()
}

fn directory(data_root: &Path, name: &str) -> PathBuf {
    data_root.join("volumes").join(name).join("_data")
}

/// Containers' users must be able to pass through; the data root above is closed to the host's.
fn make_volume(data_root: &Path, name: &str) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(directory(data_root, name))
}

/// `-v` makes a missing source, as a directory.
fn make_source(path: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(()),
        Err(_) => fs::DirBuilder::new().recursive(true).mode(0o755).create(path),
    }
}
