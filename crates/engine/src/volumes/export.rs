//! GET /volumes/{name}/export, which Docker does not have: the content as a tar.

use std::io::Write;

use super::Volumes;
use super::clone::must_be_a_directory;
use crate::error::Result;

impl Volumes {
    /// Before the first byte: what cannot be exported is refused.
    pub fn can_export(&self, name: &str) -> Result<()> {
        must_be_a_directory(&self.find(name)?)
    }

    /// It may be in use: then each file is as it was at some moment meanwhile.
    pub fn export(&self, name: &str, out: &mut dyn Write) -> Result<()> {
        self.records().export(name, out)?;
        self.tell("export", name, []);
        Ok(())
    }
}
