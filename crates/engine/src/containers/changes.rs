//! `diff`: what a container changed in its root.

use std::path::Path;

use api::containers::Change;

use super::Containers;
use crate::error::Result;

/// Of a change.
const ADDED: u8 = 1;

impl Containers {
    pub async fn changes(&self, wanted: &str) -> Result<Vec<Change>> {
        let record = self.find(wanted)?.record();
        let changes = self.0.disk.changes(&record.id).await?;
        let places = record.mounts.iter().map(|point| point.destination.as_str());
        Ok(without(changes, &places.collect::<Vec<_>>()))
    }
}

/// Leaves out the empty files and directories that were made to mount on, and the directories that are listed for
/// their sake alone. `changes` is sorted by path.
fn without(mut changes: Vec<Change>, places: &[&str]) -> Vec<Change> {
    for place in places {
        let Some(found) = changes.iter().position(|change| change.path == **place) else {
            continue;
        };
        if changes[found].kind != ADDED {
            continue;
        }
        changes.remove(found);
        for parent in Path::new(place).ancestors().skip(1) {
            let is_below = |change: &Change| {
                Path::new(&change.path) != parent && Path::new(&change.path).starts_with(parent)
            };
            if changes.iter().any(is_below) {
                break;
            }
            changes.retain(|change| Path::new(&change.path) != parent);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(changes: &[(u8, &str)], places: &[&str]) -> Vec<String> {
        let change = |(kind, path): &(u8, &str)| Change { kind: *kind, path: (*path).to_owned() };
        let changes = changes.iter().map(change).collect();
        without(changes, places).into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn places_to_mount_on_are_no_changes() {
        assert_eq!(shown(&[(0, "/etc"), (1, "/etc/hosts")], &["/etc/hosts"]), [""; 0]);
        let more = [(0, "/etc"), (1, "/etc/hosts"), (1, "/etc/mine")];
        assert_eq!(shown(&more, &["/etc/hosts"]), ["/etc", "/etc/mine"]);
        assert_eq!(shown(&[(0, "/etc/hosts")], &["/etc/hosts"]), ["/etc/hosts"]);
    }
}
