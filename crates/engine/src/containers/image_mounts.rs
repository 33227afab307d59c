//! Images that are mounted into containers, read-only: named when the container is made, shown by their layers at
//! each start. An image that is mounted into a container is in use by it.

use std::borrow::Cow;

use oci::Digest;

use super::disk::Disk;
use super::mounts::{self, MountPoint};
use crate::error::{Error, Kind, Result, blocking};

/// Finds the images; a name means from then on what it means now.
pub async fn find(disk: &Disk, mut points: Vec<MountPoint>) -> Result<Vec<MountPoint>> {
    if !points.iter().any(is_image) {
        return Ok(points);
    }
    let disk = disk.clone();
    blocking(move || {
        for point in points.iter_mut().filter(|point| is_image(point)) {
            // Not what clients take for the container's own image being missing, and pull.
            let missing = |error: Error| match error.kind {
                Kind::NotFound => Error::invalid(error.what),
                _ => error,
            };
            point.image = disk.image(&point.name).map_err(missing)?.id;
        }
        Ok(points)
    })
    .await
}

/// The mounts with the layers of their images, as a start needs them. Blocks.
pub fn with_layers<'p>(disk: &Disk, points: &'p [MountPoint]) -> Result<Cow<'p, [MountPoint]>> {
    if !points.iter().any(is_image) {
        return Ok(Cow::Borrowed(points));
    }
    let mut points = points.to_vec();
    for point in points.iter_mut().filter(|point| is_image(point)) {
        let id = Digest::parse(&point.image)
            .map_err(|cause| Error::system("the mounted image's id").because(cause))?;
        point.layers = disk.image_root(&id)?.lower;
    }
    Ok(Cow::Owned(points))
}

/// Whose layers are not known yet.
fn is_image(point: &MountPoint) -> bool {
    point.kind == mounts::Kind::Image && point.layers.is_empty()
}
