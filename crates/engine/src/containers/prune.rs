//! `container prune`: everything that does not run.

use api::Filters;
use api::containers::{PruneReport, Status};

use super::record::Record;
use super::timestamp;
use super::{Containers, Remove};
use crate::error::{Kind, Result};
use crate::events;
use crate::until;

pub const FILTERS: [&str; 3] = ["until", "label", "label!"];

impl Containers {
    pub async fn prune(&self, filters: &Filters) -> Result<PruneReport> {
        let until = until::single(filters)?.map(|time| time.as_second());
        let mut deleted = Vec::new();
        let mut freed = 0;
        for handle in self.0.index.all() {
            let record = handle.record();
            if !goes(&record, filters, until) {
                continue;
            }
            let size = self.0.disk.sizes(&record.id).await.map_or(0, |sizes| sizes.rw);
            match self.remove(&record.id, Remove::default()).await {
                Ok(()) => {
                    deleted.push(record.id.clone());
                    freed += size;
                }
                // Started or removed since we looked.
                Err(error) if matches!(error.kind, Kind::Conflict | Kind::NotFound) => {}
                Err(error) => tracing::warn!(container = record.id, "not pruned: {error}"),
            }
        }
        let reclaimed = [("reclaimed".to_owned(), freed.to_string())].into();
        self.0.events.publish(events::Kind::Container, "prune", "", reclaimed);
        self.0.disk.compact();
        let containers_deleted = (!deleted.is_empty()).then_some(deleted);
        Ok(PruneReport { containers_deleted, space_reclaimed: freed })
    }
}

fn goes(record: &Record, filters: &Filters, until: Option<i64>) -> bool {
    matches!(record.state.status, Status::Created | Status::Exited | Status::Dead)
        && until.is_none_or(|until| timestamp::unix_seconds(&record.created) < until)
        && filters.labels_match("label", |key| record.label(key))
        && filters.get("label!").all(|unwanted| match unwanted.split_once('=') {
            Some((key, value)) => record.label(key) != Some(value),
            None => record.label(unwanted).is_none(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_containers_and_unwanted_labels_stay() {
        let mut record = super::super::record::tests::record("ab");
        record.config.labels = Some([("keep".into(), "1".into())].into());
        let filters = |text: &str| Filters::parse(text).unwrap();
        assert!(goes(&record, &filters(""), None));
        assert!(!goes(&record, &filters(r#"{"label!":["keep"]}"#), None));
        assert!(goes(&record, &filters(r#"{"label":["keep=1"]}"#), None));
        assert!(!goes(&record, &filters(""), Some(0)));
        record.state.status = Status::Running;
        assert!(!goes(&record, &filters(""), None));
    }
}
