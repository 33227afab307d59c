//! `image history`.

use api::images::HistoryItem;

use oci::Platform;

use super::{Images, seconds};
use crate::error::Result;

impl Images {
    /// Newest first.
    pub fn history(&self, name: &str, platform: Option<&Platform>) -> Result<Vec<HistoryItem>> {
        let images = self.store.images();
        let entries = images.history(&images.resolve_for(name, platform)?)?;
        let item = |entry: store::images::HistoryEntry| HistoryItem {
            comment: entry.comment,
            created: seconds(entry.created.as_deref()),
            created_by: entry.created_by,
            id: entry.id.map_or_else(|| "<missing>".to_owned(), |id| id.to_string()),
            size: entry.size as i64,
            tags: Some(entry.tags).filter(|tags| !tags.is_empty()),
        };
        Ok(entries.into_iter().map(item).collect())
    }
}
