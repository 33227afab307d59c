//! POST /networks/prune.

use std::collections::BTreeMap;

use api::Filters;
use api::networks::NetworksPruned;

use super::Networks;
use super::record::Record;
use crate::error::Result;
use crate::events::Kind;
use crate::until;

pub const FILTERS: &[&str] = &["label", "label!", "until"];

impl Networks {
    /// Removes those that nobody has joined and that the filters allow.
    pub fn prune(&self, filters: &Filters) -> Result<NetworksPruned> {
        let until = until::single(filters)?;
        let is_old = |record: &Record| {
            until.is_none_or(|until| {
                record.created.parse::<jiff::Timestamp>().is_ok_and(|made| made < until)
            })
        };
        let mut deleted = Vec::new();
        for record in self.directory.all() {
            let stays = record.is_builtin || record.is_config_only();
            if stays || !is_old(&record) || !goes(&record, filters) {
                continue;
            }
            match self.remove_unused(&record) {
                Ok(()) => deleted.push(record.name.clone()),
                Err(error) => tracing::debug!(network = record.id, "not pruned: {error}"),
            }
        }
        let reclaimed = BTreeMap::from([("reclaimed".to_owned(), "0".to_owned())]);
        self.events.publish(Kind::Network, "prune", "", reclaimed);
        deleted.sort();
        Ok(NetworksPruned { networks_deleted: (!deleted.is_empty()).then_some(deleted) })
    }
}

fn goes(record: &Record, filters: &Filters) -> bool {
    filters.labels_match("label", |key| record.label(key))
        && !(filters.contains("label!") && filters.labels_match("label!", |key| record.label(key)))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::network;
    use super::*;

    #[test]
    fn labels_say_what_goes() {
        let mut record = network("web");
        record.labels = BTreeMap::from([("k".into(), "v".into())]);
        let goes = |text: &str| goes(&record, &Filters::parse(text).unwrap());
        assert!(goes("") && goes(r#"{"label":["k"]}"#) && goes(r#"{"label!":["other"]}"#));
        assert!(!goes(r#"{"label":["k=w"]}"#) && !goes(r#"{"label!":["k=v"]}"#));
    }
}
