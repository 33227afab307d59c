//! `image prune`.

use super::{Filter, Images, Removal, Removed, Use};
use crate::error::Result;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    pub removed: Vec<Removed>,
    pub reclaimed: u64,
}

impl Images<'_> {
    /// Removes dangling images, or with `all` every image without a container, if `filter` holds for it.
    pub fn prune(&self, all: bool, filter: &Filter, uses: &[Use]) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        let before = self.disk_usage()?;
        for id in self.ids()? {
            // Gone with a child meanwhile.
            let Ok(image) = self.by_id(&id) else { continue };
            let in_use = uses.iter().any(|one| one.image == id);
            if in_use || !(all || image.is_dangling()) || !filter.matches(&image) {
                continue;
            }
            let removal = Removal { force: false, prune: true };
            let names: Vec<String> =
                image.tags.iter().chain(&image.digests).map(|name| name.familiar()).collect();
            let names = if names.is_empty() { vec![id.to_string()] } else { names };
            for name in names {
                // A conflict (a child that stays) is no failure of the prune.
                pruned.removed.extend(self.remove(&name, removal, uses).unwrap_or_default());
            }
        }
        pruned.reclaimed = before.saturating_sub(self.disk_usage()?);
        Ok(pruned)
    }

    /// Bytes of all layers, each once.
    pub fn disk_usage(&self) -> Result<u64> {
        let sql = "SELECT coalesce(sum(size), 0) FROM layers";
        self.store.database.read(|db| Ok(db.query_row(sql, [], |row| row.get(0))?))
    }
}
