//! `image prune`.

use std::collections::BTreeMap;

use api::Filters;
use api::images::PruneReport;
use store::images::Filter;

use super::Images;
use super::list::{filter, own_fault};
use super::remove::item;
use crate::error::Result;
use crate::events::Kind;
use crate::until;

/// Which images go.
pub struct Prune {
    /// Those that no container uses, not only those without a name.
    all: bool,
    filter: Filter,
}

impl Prune {
    pub fn from_filters(filters: &Filters) -> Result<Self> {
        let until = until::single(filters).map_err(own_fault)?;
        let mut filter = Filter { until, ..filter(filters)? };
        let all = filter.dangling.take() == Some(false);
        Ok(Self { all, filter })
    }
}

impl Images {
    pub fn prune(&self, prune: &Prune) -> Result<PruneReport> {
        let uses = self.containers.image_uses();
        let pruned = self.store.images().prune(prune.all, &prune.filter, &uses)?;
        self.store.compact();
        self.publish_removed(&pruned.removed);
        let reclaimed = BTreeMap::from([("reclaimed".to_owned(), pruned.reclaimed.to_string())]);
        self.events.publish(Kind::Image, "prune", "", reclaimed);
        let deleted: Vec<_> = pruned.removed.into_iter().map(item).collect();
        Ok(PruneReport {
            images_deleted: Some(deleted).filter(|deleted| !deleted.is_empty()),
            space_reclaimed: pruned.reclaimed,
        })
    }
}
