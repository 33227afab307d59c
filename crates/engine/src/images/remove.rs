//! `rmi`.

use api::images::DeleteItem;
use oci::Digest;
use store::images::{Removal, Removed};

use super::Images;
use crate::error::{Error, Result};

impl Images {
    pub fn remove(&self, name: &str, removal: Removal) -> Result<Vec<DeleteItem>> {
        if name.is_empty() {
            return Err(Error::invalid("image name cannot be blank"));
        }
        let images = self.store.images();
        let id = images.resolve(name)?;
        let uses = self.containers.image_uses();
        let removed = images.remove(name, removal, &uses)?;
        self.publish_removed(&id, &removed);
        Ok(removed.into_iter().map(item).collect())
    }

    /// One event for each reference, one for the image. Layers have none.
    pub(super) fn publish_removed(&self, id: &Digest, removed: &[Removed]) {
        for one in removed {
            match one {
                Removed::Untagged(_) => self.publish("untag", id, id.as_str()),
                Removed::Deleted(deleted) if deleted == id => {
                    self.publish("delete", id, id.as_str());
                }
                Removed::Deleted(_) => {}
            }
        }
    }
}

pub(super) fn item(removed: Removed) -> DeleteItem {
    match removed {
        Removed::Untagged(name) => DeleteItem { untagged: name, ..DeleteItem::default() },
        Removed::Deleted(id) => DeleteItem { deleted: id.to_string(), ..DeleteItem::default() },
    }
}
