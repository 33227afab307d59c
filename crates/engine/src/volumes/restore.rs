//! POST /volumes/{name}/restore, which Docker does not have: the content becomes that of a snapshot, or of any other
//! volume, in one step.

use super::Volumes;
use super::clone::must_be_a_directory;
use crate::error::{Error, Result};

impl Volumes {
    /// Refused while a container runs with it: it would go on with the files it has.
    pub fn restore(&self, name: &str, snapshot: &str) -> Result<()> {
        let _holds = self.0.uses.hold_both(name, snapshot);
        let volume = self.find(name)?;
        must_be_a_directory(&volume)?;
        self.find(snapshot)?;
        if self.0.uses.is_running(name) {
            return Err(Error::conflict(format!(
                "restore {name}: a running container has the volume: stop it first"
            )));
        }
        let content = self.copied(snapshot, &volume)?;
        self.records().replace(name, content)?;
        self.tell("restore", name, [("snapshot", snapshot.to_owned())]);
        Ok(())
    }
}
