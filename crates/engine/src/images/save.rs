//! `save`.

use std::io::{BufWriter, Write};

use oci::Platform;

use super::Images;
use super::list::own_fault;
use crate::error::{Error, Kind, Result};

/// Chunks of the stream.
const BUFFER: usize = 64 << 10;

impl Images {
    /// An error that names the first image that is not here, as typed.
    pub fn must_exist(&self, names: &[String], platform: Option<&Platform>) -> Result<()> {
        let missing = self.store.images().must_exist(names, platform);
        missing.map_err(|error| match Error::from(error) {
            malformed if malformed.kind == Kind::Invalid => own_fault(malformed),
            error => error,
        })
    }

    /// Writes one archive that Docker and OCI tools read.
    pub fn save(
        &self,
        names: &[String],
        platform: Option<&Platform>,
        output: &mut impl Write,
    ) -> Result<()> {
        let images = self.store.images();
        let mut output = BufWriter::with_capacity(BUFFER, output);
        images.save(names, platform, &mut output)?;
        output.flush().map_err(|error| Error::system("cannot write the archive").because(error))?;
        for name in names {
            // Removed meanwhile: it was saved all the same, but there is nobody to tell of.
            if let Ok(id) = images.resolve(name) {
                self.publish("save", &id, id.as_str());
            }
        }
        Ok(())
    }
}
