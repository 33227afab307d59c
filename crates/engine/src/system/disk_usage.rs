//! GET /system/df.

use api::system::{DiskUsage, Usage};
use api::volumes::Volume;
use api::{containers, images};

use super::System;
use crate::error::{Error, Result};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objects {
    pub images: bool,
    pub containers: bool,
    pub volumes: bool,
    pub build_cache: bool,
}

impl Objects {
    pub const ALL: Self = Self { images: true, containers: true, volumes: true, build_cache: true };

    /// The names of `type` parameters; none means all.
    pub fn parse<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self> {
        let none = Self { images: false, containers: false, volumes: false, build_cache: false };
        let mut chosen = none;
        for name in names {
            match name {
                "image" => chosen.images = true,
                "container" => chosen.containers = true,
                "volume" => chosen.volumes = true,
                "build-cache" => chosen.build_cache = true,
                other => return Err(Error::invalid(format!("unknown object type: {other}"))),
            }
        }
        Ok(if chosen == none { Self::ALL } else { chosen })
    }
}

impl System {
    pub fn disk_usage(&self, objects: Objects) -> Result<DiskUsage> {
        let images = |size| Ok(image_usage(self.images.disk_usage()?, size));
        let images = match objects.images {
            true => Some(self.images.layers_size().and_then(images)?),
            false => None,
        };
        let containers = objects.containers.then(|| self.containers.disk_usage()).transpose()?;
        let volumes = objects.volumes.then(|| self.volumes.disk_usage()).transpose()?;
        let cache = objects.build_cache.then(|| self.builds.cache_usage()).transpose()?;
        Ok(DiskUsage {
            legacy: None,
            image_usage: images,
            container_usage: containers.map(container_usage),
            volume_usage: volumes.map(volume_usage),
            build_cache_usage: cache,
        })
    }
}

/// What only unused images have can be reclaimed, and so can what images share.
fn image_usage(images: Vec<images::Summary>, layers_size: i64) -> Usage<images::Summary> {
    let used = images.iter().filter(|image| image.containers > 0);
    let unique: i64 = used.clone().map(|image| image.size - image.shared_size).sum();
    Usage {
        active_count: used.count() as i64,
        total_count: images.len() as i64,
        reclaimable: layers_size - unique,
        total_size: layers_size,
        items: images,
    }
}

fn container_usage(containers: Vec<containers::Summary>) -> Usage<containers::Summary> {
    let is_active = |container: &&containers::Summary| {
        ["running", "paused", "restarting"].contains(&container.state.as_str())
    };
    let active = containers.iter().filter(is_active);
    let total_size: i64 = containers.iter().map(|one| one.size_rw).sum();
    Usage {
        active_count: active.clone().count() as i64,
        total_count: containers.len() as i64,
        reclaimable: total_size - active.map(|one| one.size_rw).sum::<i64>(),
        total_size,
        items: containers,
    }
}

fn volume_usage(volumes: Vec<Volume>) -> Usage<Volume> {
    let usage = volumes.iter().filter_map(|volume| volume.usage_data.as_ref());
    let known = usage.clone().filter(|usage| usage.size != -1);
    let unused = known.clone().filter(|usage| usage.ref_count == 0);
    Usage {
        active_count: usage.filter(|usage| usage.ref_count > 0).count() as i64,
        total_count: volumes.len() as i64,
        reclaimable: unused.map(|usage| usage.size).sum(),
        total_size: known.map(|usage| usage.size).sum(),
        items: volumes,
    }
}

#[cfg(test)]
mod tests {
    use api::volumes::UsageData;

    use super::*;

    #[test]
    fn types_choose_and_none_means_all() {
        let parse = |names: &[&str]| Objects::parse(names.iter().copied());
        assert_eq!(parse(&[]).unwrap(), Objects::ALL);
        let images = parse(&["image"]).unwrap();
        assert!(images.images && !images.containers && !images.volumes);
        assert_eq!(parse(&["foo"]).unwrap_err().to_string(), "unknown object type: foo");
    }

    #[test]
    fn what_is_used_or_shared_is_told_from_what_can_be_reclaimed() {
        let image = |size, shared_size, containers| images::Summary {
            size,
            shared_size,
            containers,
            ..images::Summary::default()
        };
        let images = image_usage(vec![image(600, 100, 1), image(500, 100, 0)], 1000);
        assert_eq!((images.active_count, images.total_count), (1, 2));
        assert_eq!((images.reclaimable, images.total_size), (500, 1000));
        let container = |state: &str, size_rw| containers::Summary {
            state: state.into(),
            size_rw,
            ..containers::Summary::default()
        };
        let containers = container_usage(vec![container("paused", 30), container("exited", 10)]);
        assert_eq!((containers.active_count, containers.total_count), (1, 2));
        assert_eq!((containers.reclaimable, containers.total_size), (10, 40));
        let volume = |ref_count, size| Volume {
            usage_data: Some(UsageData { ref_count, size }),
            ..Volume::default()
        };
        let volumes = volume_usage(vec![volume(1, 5), volume(0, 7), volume(0, -1)]);
        assert_eq!((volumes.active_count, volumes.total_count), (1, 3));
        assert_eq!((volumes.reclaimable, volumes.total_size), (7, 12));
    }
}
