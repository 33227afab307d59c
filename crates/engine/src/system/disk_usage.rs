//! GET /system/df.

use api::system::DiskUsage;

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
        let images = objects.images.then(|| self.images.disk_usage()).transpose()?;
        let containers = objects.containers.then(|| self.containers.disk_usage()).transpose()?;
        Ok(DiskUsage {
            layers_size: if objects.images { self.images.layers_size()? } else { 0 },
            images,
            containers,
            volumes: objects.volumes.then(|| self.volumes.disk_usage()).transpose()?,
            build_cache: objects.build_cache.then(Vec::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_choose_and_none_means_all() {
        let parse = |names: &[&str]| Objects::parse(names.iter().copied());
        assert_eq!(parse(&[]).unwrap(), Objects::ALL);
        let images = parse(&["image"]).unwrap();
        assert!(images.images && !images.containers && !images.volumes);
        assert_eq!(parse(&["foo"]).unwrap_err().to_string(), "unknown object type: foo");
    }
}
