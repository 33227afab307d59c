//! POST /volumes/{name}/snapshot, which Docker does not have.
//!
//! A snapshot is a volume with a copy of the content and a label that says of what; so the verbs of volumes are those
//! of snapshots, too. Prune leaves them alone unless it is asked for that label.

use jiff::Timestamp;
use store::volumes::{ANONYMOUS, Volume};

use super::Volumes;
use crate::error::Result;

pub const SNAPSHOT_OF: &str = "gantry.snapshot.of";

pub fn is_one(volume: &Volume) -> bool {
    volume.labels.as_ref().is_some_and(|labels| labels.contains_key(SNAPSHOT_OF))
}

impl Volumes {
    /// `snapshot` is empty for a name after the volume and the time.
    pub fn snapshot(&self, name: &str, snapshot: &str) -> Result<api::volumes::Volume> {
        let made_up = format!("{name}-{}", Timestamp::now().strftime("%Y%m%d-%H%M%S"));
        let target = if snapshot.is_empty() { made_up.as_str() } else { snapshot };
        let _holds = self.0.uses.hold_both(name, target);
        let mut labels = self.find(name)?.labels.unwrap_or_default();
        labels.remove(ANONYMOUS);
        labels.insert(SNAPSHOT_OF.into(), name.into());
        Ok(self.shown(self.make_copy(name, target, Some(labels))?))
    }
}
