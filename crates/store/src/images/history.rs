//! `history`: newest first, sizes from the layers that exist.

use oci::Digest;

use super::Images;
use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Known for the image itself and for parents that are here; else Docker shows `<missing>`.
    pub id: Option<Digest>,
    /// RFC 3339.
    pub created: Option<String>,
    pub created_by: String,
    pub comment: String,
    pub size: u64,
    pub tags: Vec<String>,
}

impl Images<'_> {
    pub fn history(&self, id: &Digest) -> Result<Vec<HistoryEntry>> {
        let image = self.by_id(id)?;
        let mut sizes = image.layers.iter().map(|layer| layer.size);
        let mut entries: Vec<HistoryEntry> = image
            .config
            .history
            .iter()
            .map(|entry| HistoryEntry {
                id: None,
                created: entry.created.clone(),
                created_by: entry.created_by.clone(),
                comment: entry.comment.clone(),
                size: if entry.empty_layer { 0 } else { sizes.next().unwrap_or(0) },
                tags: Vec::new(),
            })
            .collect();
        entries.reverse();
        let mut next = Some(image.id);
        for entry in &mut entries {
            let Some(id) = next.take() else { break };
            // A parent that was removed ends the chain of known IDs.
            let Ok(image) = self.by_id(&id) else { break };
            entry.tags = image.tags.iter().map(|tag| tag.familiar()).collect();
            entry.id = Some(image.id);
            next = image.parent;
        }
        Ok(entries)
    }
}
