//! `image prune`.

use oci::Reference;

use super::{Filter, Images, Listed, Removal, Removed, Use};
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
        let before = self.layers_size()?;
        let removal = Removal { force: false, prune: true };
        for image in self.list(&Filter { all: true, ..Filter::default() })? {
            let in_use = uses.iter().any(|one| one.image == image.id);
            if in_use || !is_unused(&image, all) || !filter.matches(&image) {
                continue;
            }
            let names = image.tags.iter().chain(&image.digests).map(Reference::familiar);
            let names: Vec<String> = names.collect();
            let names = if names.is_empty() { vec![image.id.to_string()] } else { names };
            for name in names {
                // A conflict (a child that stays) is no failure of the prune, nor is one that went with a child.
                pruned.removed.extend(self.remove(&name, removal, uses).unwrap_or_default());
            }
        }
        pruned.reclaimed = before.saturating_sub(self.layers_size()?);
        Ok(pruned)
    }

    /// Bytes of all layers, each once, but for those that the build cache alone has: they are on its account.
    pub fn disk_usage(&self) -> Result<u64> {
        self.sum_of(
            "SELECT coalesce(sum(own), 0) FROM layers
             WHERE number IN (SELECT part FROM layer_parts JOIN image_layers USING (layer))
             OR number NOT IN (SELECT part FROM layer_parts JOIN build_layers USING (layer))",
        )
    }

    /// Bytes of all that is here.
    fn layers_size(&self) -> Result<u64> {
        self.sum_of("SELECT coalesce(sum(own), 0) FROM layers")
    }

    fn sum_of(&self, sql: &str) -> Result<u64> {
        self.store.database.read(|db| Ok(db.query_row(sql, [], |row| row.get(0))?))
    }
}

/// By Docker's rules: intermediate images go with what was made of them, and one that has only digests for names is
/// dangling.
fn is_unused(image: &Listed, all: bool) -> bool {
    match all {
        true => !(image.is_dangling() && image.has_children),
        false => image.tags.is_empty() && !image.has_children,
    }
}
