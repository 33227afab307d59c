//! The maps of a user namespace.

use std::io;
use std::process::Command;

use oci::runtime::IdMapping;
use sys::namespace::{self, IdMap};

use crate::error::{Context, Error, Result};

/// The specification's mappings as the kernel's.
pub(crate) fn id_maps(mappings: &[IdMapping]) -> Vec<IdMap> {
    mappings
        .iter()
        .map(|m| IdMap { inside: m.container_id, outside: m.host_id, size: m.size })
        .collect()
}

/// Writes the maps of a new user namespace: itself, or by the setuid helpers of an ordinary user.
pub(crate) fn write_id_maps(pid: i32, uids: &[IdMap], gids: &[IdMap]) -> Result<()> {
    match namespace::write_id_maps(pid, uids, gids) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            map_by_helper("newgidmap", pid, gids)?;
            map_by_helper("newuidmap", pid, uids)
        }
        result => result.context(|| "write the maps of the user namespace"),
    }
}

fn map_by_helper(helper: &str, pid: i32, maps: &[IdMap]) -> Result<()> {
    let ids = maps.iter().flat_map(|m| [m.inside, m.outside, m.size]);
    let output = Command::new(helper)
        .arg(pid.to_string())
        .args(ids.map(|id| id.to_string()))
        .output()
        .context(|| format!("run {helper} (package uidmap)"))?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Error::other(format!("{helper}: {}", reason.trim_end())))
}
