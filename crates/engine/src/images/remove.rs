//! `rmi`.

use std::collections::BTreeMap;

use api::images::DeleteItem;
use store::images::{Removal, Removed, RemovedName};

use super::Images;
use crate::error::{Error, Result};

impl Images {
    pub fn remove(&self, name: &str, removal: Removal) -> Result<Vec<DeleteItem>> {
        if name.is_empty() {
            return Err(Error::invalid("image name cannot be blank"));
        }
        let images = self.store.images();
        let uses = self.containers.image_uses();
        let removed = images.remove(name, removal, &uses)?;
        self.publish_removed(&removed);
        Ok(removed.into_iter().map(item).collect())
    }

    /// One event for each name, which still has the image's labels, and one for each image. Layers have none.
    pub(super) fn publish_removed(&self, removed: &[Removed]) {
        for one in removed {
            match one {
                Removed::Name(RemovedName { image, labels, .. }) => {
                    self.publish_with("untag", image, image.as_str(), labels.clone());
                }
                Removed::Image(id) => self.publish_with("delete", id, id.as_str(), BTreeMap::new()),
                Removed::Layer(_) => {}
            }
        }
    }
}

pub(super) fn item(removed: Removed) -> DeleteItem {
    match removed {
        Removed::Name(RemovedName { name, .. }) => {
            DeleteItem { untagged: name, ..DeleteItem::default() }
        }
        Removed::Image(id) | Removed::Layer(id) => {
            DeleteItem { deleted: id.to_string(), ..DeleteItem::default() }
        }
    }
}
