//! `image history`.

use api::images::HistoryItem;

use super::{Images, seconds};
use crate::error::Result;

impl Images {
    /// Newest first.
    pub fn history(&self, name: &str) -> Result<Vec<HistoryItem>> {
        let entries = self.store.images().history(name)?;
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
