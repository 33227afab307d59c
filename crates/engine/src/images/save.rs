//! `save`.

use std::io::{BufWriter, Write};

use super::Images;
use crate::error::{Error, Result};

/// Chunks of the stream.
const BUFFER: usize = 64 << 10;

impl Images {
    /// An error that names the first image that is not here, as typed.
    pub fn must_exist(&self, names: &[String]) -> Result<()> {
        names.iter().try_for_each(|name| match self.store.images().resolve(name) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == store::Kind::NotFound => {
                Err(Error::not_found(format!("No such image: {name}")))
            }
            Err(error) => Err(error.into()),
        })
    }

    /// Writes one archive that Docker and OCI tools read.
    pub fn save(&self, names: &[String], output: &mut impl Write) -> Result<()> {
        let images = self.store.images();
        let mut output = BufWriter::with_capacity(BUFFER, output);
        images.save(names, &mut output)?;
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
