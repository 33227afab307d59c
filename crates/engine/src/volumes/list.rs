//! GET /volumes.

use std::collections::HashSet;
use std::io;

use api::Filters;
use api::volumes::Volume;

use super::Volumes;
use crate::error::{Error, Result};

pub const FILTERS: &[&str] = &["dangling", "driver", "label", "name"];

impl Volumes {
    /// Sorted by name.
    pub fn list(&self, filters: &Filters) -> Result<Vec<Volume>> {
        let dangling = filters.boolean("dangling")?;
        let used = self.used();
        let mut volumes =
            self.all().map_err(|error| Error::system("cannot list the volumes").because(error))?;
        volumes.retain(|volume| {
            dangling.is_none_or(|dangling| dangling != used.contains(&volume.name))
                && is_wanted(volume, filters)
        });
        Ok(volumes)
    }

    fn all(&self) -> io::Result<Vec<Volume>> {
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        // One that is being made has a name of that kind.
        names.retain(|name| !name.starts_with('.'));
        names.sort_unstable();
        // One may have gone meanwhile.
        Ok(names.iter().filter_map(|name| self.read(name).ok()).collect())
    }

    /// The names of those that a container has, running or not.
    fn used(&self) -> HashSet<String> {
        let containers = self.containers.index().all();
        let records = containers.iter().map(|container| container.record());
        records
            .flat_map(|record| {
                record.mounts.iter().map(|mount| mount.name.clone()).collect::<Vec<_>>()
            })
            .collect()
    }
}

fn is_wanted(volume: &Volume, filters: &Filters) -> bool {
    let by_name =
        !filters.contains("name") || filters.get("name").any(|part| volume.name.contains(part));
    by_name
        && filters.matches_exactly("driver", &volume.driver)
        && filters.labels_match("label", |_| None)
}
