//! `container prune`: everything that does not run.

use std::time::{Duration, SystemTime};

use api::Filters;
use api::containers::{PruneReport, Status};

use super::record::Record;
use super::timestamp;
use super::{Containers, Remove};
use crate::error::{Error, Kind, Result};
use crate::events;

pub const FILTERS: [&str; 3] = ["until", "label", "label!"];

impl Containers {
    pub async fn prune(&self, filters: &Filters) -> Result<PruneReport> {
        let until = until(filters)?;
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

/// A time, Unix seconds, or so long ago.
fn until(filters: &Filters) -> Result<Option<i64>> {
    let mut values = filters.get("until");
    let (Some(text), None) = (values.next(), values.next()) else {
        return match filters.get("until").count() {
            0 => Ok(None),
            _ => Err(Error::invalid("more than one until filter specified")),
        };
    };
    let invalid = || Error::invalid(format!("invalid until filter: {text:?}"));
    if let Some(ago) = duration(text) {
        let then = SystemTime::now().checked_sub(ago).ok_or_else(invalid)?;
        let since = then.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| invalid())?;
        return Ok(i64::try_from(since.as_secs()).ok());
    }
    if let Ok(seconds) = text.split('.').next().unwrap_or("").parse() {
        return Ok(Some(seconds));
    }
    timestamp::parse(text).map(|time| Some(time.as_second())).ok_or_else(invalid)
}

/// Go's durations, in the units people use: `24h`, `1h30m`, `10s`.
fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    if !rest.ends_with(|last: char| last.is_ascii_alphabetic()) {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u32 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |end| digits + end);
        let unit = match &rest[digits..unit_end] {
            "h" => Duration::from_secs(3600),
            "m" => Duration::from_secs(60),
            "s" => Duration::from_secs(1),
            "ms" => Duration::from_millis(1),
            _ => return None,
        };
        total = total.checked_add(unit.checked_mul(number)?)?;
        rest = &rest[unit_end..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("10s"), Some(Duration::from_secs(10)));
        for bad in ["", "10", "h", "1x", "2026-11-21"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

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
