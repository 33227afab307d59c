//! The build cache as the API has it: what it holds, and what of it goes.

use std::collections::BTreeMap;

use api::Filters;
use api::build::{CachePruneReport, CacheRecord};
use api::system::Usage;
use oci::Digest;
use store::builds::{Listed, Wanted};

use super::Builds;
use crate::error::{Error, Result};
use crate::events::Kind;
use crate::until;

/// Digits of a record's key that name it.
const ID: usize = 25;

/// Filters that a prune knows. A cache has no labels: those choose nothing, as with Docker, whose `system prune` asks for the
/// same of everything.
const KNOWN: [&str; 11] = [
    "description",
    "id",
    "inuse",
    "label",
    "label!",
    "parent",
    "private",
    "shared",
    "type",
    "unused-for",
    "until",
];

impl Builds {
    pub fn cache_usage(&self) -> Result<Usage<CacheRecord>> {
        let listed = self.store.builds().all()?;
        let own = || listed.iter().filter(|listed| !listed.shared);
        let size = |listed: &Listed| i64::try_from(listed.size).unwrap_or(i64::MAX);
        Ok(Usage {
            active_count: listed.iter().filter(|listed| listed.in_use).count() as i64,
            total_count: listed.len() as i64,
            reclaimable: own().filter(|listed| !listed.in_use).map(size).sum(),
            total_size: own().map(size).sum(),
            items: listed.iter().map(record).collect(),
        })
    }

    pub fn prune(&self, wanted: &Wanted) -> Result<CachePruneReport> {
        let pruned = self.store.builds().prune(wanted)?;
        self.store.compact();
        let reclaimed = BTreeMap::from([("reclaimed".to_owned(), pruned.reclaimed.to_string())]);
        self.events.publish(Kind::Builder, "prune", "", reclaimed);
        let deleted: Vec<String> = pruned.removed.iter().map(id).collect();
        Ok(CachePruneReport {
            caches_deleted: Some(deleted).filter(|deleted| !deleted.is_empty()),
            space_reclaimed: pruned.reclaimed,
        })
    }
}

/// What a prune's filters mean.
pub fn wanted(filters: &Filters, all: bool, keep: u64) -> Result<Wanted> {
    if let Some(unknown) = filters.unknown(&KNOWN) {
        return Err(Error::invalid(format!(
            "failed to prune build cache: invalid filter '{unknown}'"
        )));
    }
    let texts = |name: &str| filters.get(name).map(str::to_owned).collect();
    let flag = |name: &str| {
        filters
            .boolean(name)
            .map_err(|error| Error::invalid(format!("failed to prune build cache: {}", error.0)))
    };
    let mut unused = Filters::default();
    for name in ["until", "unused-for"] {
        filters.get(name).for_each(|value| unused.add("until", value));
    }
    Ok(Wanted {
        all,
        unused_since: until::single(&unused)?,
        ids: texts("id"),
        parents: texts("parent"),
        kinds: texts("type"),
        descriptions: texts("description"),
        in_use: flag("inuse")?,
        shared: match flag("private")? {
            Some(private) => Some(!private),
            None => flag("shared")?,
        },
        keep,
    })
}

fn record(listed: &Listed) -> CacheRecord {
    let record = &listed.record;
    CacheRecord {
        id: id(&record.key),
        parents: record.parents.iter().map(id).collect(),
        kind: record.kind.clone(),
        description: record.description.clone(),
        in_use: listed.in_use,
        shared: listed.shared,
        size: i64::try_from(listed.size).unwrap_or(i64::MAX),
        created_at: record.created.to_string(),
        last_used_at: listed.last_used.map(|time| time.to_string()),
        usage_count: i64::try_from(listed.uses).unwrap_or(i64::MAX),
    }
}

fn id(key: &Digest) -> String {
    key.hex()[..ID].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_say_what_goes() {
        let filters = |text: &str| Filters::parse(text).unwrap();
        let text = r#"{"type":["regular"],"id":["abc"],"until":["24h"],"private":["true"]}"#;
        let found = wanted(&filters(text), true, 5).unwrap();
        assert_eq!((found.all, found.keep, found.shared), (true, 5, Some(false)));
        assert_eq!((found.kinds, found.ids), (vec!["regular".to_owned()], vec!["abc".to_owned()]));
        assert!(found.unused_since.is_some());
        let said = wanted(&filters(r#"{"bad":["x"]}"#), false, 0).unwrap_err().to_string();
        assert_eq!(said, "failed to prune build cache: invalid filter 'bad'");
        assert!(wanted(&filters(r#"{"inuse":["x"]}"#), false, 0).is_err());
        let labels = wanted(&filters(r#"{"label":["x"],"label!":["y"]}"#), false, 0).unwrap();
        assert_eq!(labels, wanted(&Filters::default(), false, 0).unwrap());
    }
}
