//! DELETE /volumes/{name}.

use super::{Volumes, mounting, no_such_volume};
use crate::error::{Error, Result};

impl Volumes {
    /// Never one that a container has.
    pub fn remove(&self, name: &str) -> Result<()> {
        let _hold = self.0.uses.hold(name);
        self.find(name)?;
        self.must_be_unused("remove", name)?;
        self.remove_held(name)
    }

    pub(super) fn remove_held(&self, name: &str) -> Result<()> {
        // First of all: what is mounted there is not the volume's to delete.
        mounting::unmount(&self.records().data(name))
            .map_err(|cause| Error::system(format!("remove {name}")).because(cause))?;
        if !self.records().remove(name)? {
            return Err(no_such_volume(name));
        }
        self.tell("destroy", name, []);
        Ok(())
    }
}
