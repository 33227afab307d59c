//! `export`: the container's root as one tar.

use std::io::Write;

use archive::pack;

use super::Snapshot;
use crate::error::{Error, Result};

impl Snapshot<'_> {
    pub fn export(&self, out: &mut dyn Write) -> Result<()> {
        let failed = |error| Error::io(format!("export of container {}", self.container), error);
        let root = self.read_only().mount().map_err(failed)?;
        pack::write_plain(&root, out).map_err(failed)
    }
}
