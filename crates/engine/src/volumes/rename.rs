//! POST /volumes/{name}/rename, which Docker does not have.

use super::Volumes;
use super::create::check_name;
use crate::error::{Error, Result};

impl Volumes {
    /// Containers know their volumes by name, so it is refused while there are any.
    pub fn rename(&self, name: &str, new: &str) -> Result<()> {
        check_name(new)
            .map_err(|error| Error { what: format!("rename {name}: {}", error.what), ..error })?;
        let _holds = self.0.uses.hold_both(name, new);
        self.find(name)?;
        self.must_be_unused("rename", name)?;
        self.records().rename(name, new)?;
        self.tell("rename", new, [("oldName", name.to_owned())]);
        Ok(())
    }
}
