//! `tag`.

use oci::Reference;

use super::{Images, set_reference};
use crate::database::Durability;
use crate::error::{Error, Result};

impl Images<'_> {
    /// Gives an image one more name, which another loses if it had it. A name of several platforms is one for all of them.
    pub fn tag(&self, image: &str, target: &Reference) -> Result<()> {
        if target.digest().is_some() {
            return Err(Error::invalid("refusing to create a tag with a digest reference"));
        }
        let id = self.resolve(image)?;
        let root = self.whole_index(image)?.map_or(id, |index| index.descriptor.digest);
        let target = target.clone().tag_default();
        self.store
            .write(Durability::PowerLoss, |transaction| set_reference(transaction, &target, &root))
    }
}
