//! Volumes: so far those that containers' mounts made. A volume is its directory.

mod inspect;
mod list;

use std::io;
use std::path::{Path, PathBuf};

use api::volumes::Volume;
use jiff::Timestamp;

use crate::containers::Containers;

pub use list::FILTERS as LIST_FILTERS;

pub struct Volumes {
    directory: PathBuf,
    containers: Containers,
}

impl Volumes {
    pub fn new(data_root: &Path, containers: Containers) -> Self {
        Self { directory: data_root.join("volumes"), containers }
    }

    /// Fails with `NotFound` where there is none of that name.
    fn read(&self, name: &str) -> io::Result<Volume> {
        let mountpoint = self.directory.join(name).join("_data");
        let made = std::fs::metadata(self.directory.join(name)).and_then(|found| found.modified());
        let created_at = Timestamp::try_from(made?).map_err(io::Error::other)?;
        Ok(Volume {
            created_at: created_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            driver: "local".into(),
            mountpoint: mountpoint.to_string_lossy().into_owned(),
            name: name.into(),
            scope: "local".into(),
            ..Volume::default()
        })
    }
}
