//! `export`: the container's root as one tar.

use std::io::Write;

use super::{Snapshot, tree};
use crate::error::{Error, Result};

impl Snapshot<'_> {
    pub fn export(&self, out: &mut dyn Write) -> Result<()> {
        let failed = |error| Error::io(format!("export of container {}", self.container), error);
        let root = self.read_only().mount().map_err(failed)?;
        tree::write_plain(&root, out).map_err(failed)
    }
}
