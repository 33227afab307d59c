//! `build`: an image of layers that the steps of a build made.

use oci::image::ImageConfig;
use oci::{Digest, Reference};

use super::{Images, NewImage, set_reference};
use crate::blobs::digest_of;
use crate::database::Durability;
use crate::error::{Error, Result};

impl Images<'_> {
    /// An image of this config, which the names mean from now on. Its layers are held by the caller; what they need to
    /// survive the host, and the rest of the image, is synced once. The same config is the same image, however often it
    /// is built.
    pub fn put_built(
        &self,
        config: &[u8],
        layers: &[Digest],
        references: &[Reference],
    ) -> Result<Digest> {
        let parsed = ImageConfig::parse(config)
            .map_err(|error| Error::invalid(format!("invalid image configuration: {error}")))?;
        if parsed.rootfs.diff_ids != layers {
            return Err(Error::invalid("the image's configuration names other layers"));
        }
        if references.iter().any(|reference| reference.digest().is_some()) {
            return Err(Error::invalid("refusing to create a tag with a digest reference"));
        }
        let references: Vec<Reference> =
            references.iter().cloned().map(Reference::tag_default).collect();
        let id = digest_of(config);
        if self.is_named(&id, &references)? && self.name_again(&id, &references).is_ok() {
            return Ok(id);
        }
        let new = NewImage {
            config,
            parsed: &parsed,
            parent: None,
            documents: &[],
            root: None,
            manifest: None,
        };
        self.put(&new, &references)
    }

    /// Whether the image is there and all these names mean it.
    fn is_named(&self, id: &Digest, references: &[Reference]) -> Result<bool> {
        self.store.database.read(|db| {
            let mut known = db.prepare_cached("SELECT 1 FROM images WHERE id = ?1")?;
            let mut named =
                db.prepare_cached("SELECT 1 FROM refs WHERE name = ?1 AND root = ?2")?;
            if !known.exists([id.as_str()])? {
                return Ok(false);
            }
            for reference in references {
                if !named.exists((reference.to_string(), id.as_str()))? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// The moment of a name that stays as it is need not survive the host.
    fn name_again(&self, id: &Digest, references: &[Reference]) -> Result<()> {
        self.store.write(Durability::ProcessDeath, |transaction| {
            references.iter().try_for_each(|reference| set_reference(transaction, reference, id))
        })
    }
}
