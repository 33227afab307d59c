//! What a step has mounted, in the terms of containers.

use std::path::PathBuf;

use store::Store;

use super::StepMount;
use super::scratch::Scratch;
use crate::containers::mounts::{Kind, MountPoint, checked_destination};
use crate::error::Result;

pub struct Mounts {
    pub points: Vec<MountPoint>,
    /// Their targets.
    pub places: Vec<PathBuf>,
}

/// Blocks; inside the asynchronous runtime.
pub fn prepare(mounts: Vec<StepMount>, store: &Store, scratch: &mut Scratch) -> Result<Mounts> {
    let points: Vec<MountPoint> =
        mounts.into_iter().map(|mount| point(mount, store, scratch)).collect::<Result<_>>()?;
    let places = points.iter().map(|point| PathBuf::from(&point.destination)).collect();
    Ok(Mounts { points, places })
}

fn point(mount: StepMount, store: &Store, scratch: &mut Scratch) -> Result<MountPoint> {
    match mount {
        StepMount::Layers { layers, subpath, target, writable } => Ok(MountPoint {
            kind: Kind::Image,
            layers: store.snapshots().of_layers(&layers)?.lower,
            subpath,
            destination: checked_destination(&target)?,
            read_only: !writable,
            ..MountPoint::default()
        }),
        StepMount::Cache { mount, subpath, target, read_only } => {
            let source = mount.directory().to_string_lossy().into_owned();
            scratch.hold(mount);
            let bound = bind(source, &target)?;
            Ok(MountPoint { subpath, read_only, ..bound })
        }
        StepMount::Tmpfs { target, size } => Ok(MountPoint {
            kind: Kind::Tmpfs,
            destination: checked_destination(&target)?,
            options: match size {
                0 => "exec,dev".into(),
                size => format!("exec,dev,size={size}"),
            },
            ..MountPoint::default()
        }),
        StepMount::Secret { target, bytes, mode, uid, gid } => {
            let file = scratch.secret(&bytes, mode, (uid, gid))?;
            let bound = bind(file.to_string_lossy().into_owned(), &target)?;
            Ok(MountPoint { read_only: true, ..bound })
        }
        StepMount::Socket { target, mode, uid, gid, connect } => {
            let socket = scratch.socket(connect, mode, (uid, gid))?;
            bind(socket.to_string_lossy().into_owned(), &target)
        }
    }
}

fn bind(source: String, target: &str) -> Result<MountPoint> {
    Ok(MountPoint {
        kind: Kind::Bind,
        source,
        destination: checked_destination(target)?,
        propagation: "rprivate".into(),
        ..MountPoint::default()
    })
}
