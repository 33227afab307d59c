//! POST /volumes/prune.

use std::collections::BTreeMap;

use api::Filters;
use api::volumes::PruneReport;
use store::volumes::{ANONYMOUS, Volume};

use super::snapshot::{self, SNAPSHOT_OF};
use super::{Volumes, options::Mount};
use crate::error::{Error, Result};
use crate::events::Kind;

pub const FILTERS: &[&str] = &["all", "label", "label!"];

/// What goes, of what nobody uses.
pub struct Prune {
    /// Also volumes that somebody named.
    pub all: bool,
    filters: Filters,
}

impl Prune {
    pub fn from_filters(filters: Filters) -> Result<Self> {
        let values: Vec<&str> = filters.get("all").collect();
        let all = match values.as_slice() {
            [] => false,
            ["1" | "t" | "T" | "true" | "TRUE" | "True"] => true,
            ["0" | "f" | "F" | "false" | "FALSE" | "False"] => false,
            [other] => {
                return Err(Error::invalid(format!(
                    "invalid filter 'all': strconv.ParseBool: parsing {other:?}: invalid syntax"
                )));
            }
            several => {
                return Err(Error::invalid(format!(
                    "invalid filter 'all=[{}]': only one value is expected",
                    several.join(" ")
                )));
            }
        };
        Ok(Self { all, filters })
    }

    /// Snapshots go where they are asked for by their label only.
    fn takes(&self, volume: &Volume) -> bool {
        let label = |key: &str| Some(volume.labels.as_ref()?.get(key)?.as_str());
        let asked_for = |key: &str| {
            self.filters.get("label").any(|wanted| wanted.split('=').next() == Some(key))
        };
        (self.all || label(ANONYMOUS).is_some())
            && (!snapshot::is_one(volume) || asked_for(SNAPSHOT_OF))
            && self.filters.labels_match("label", label)
            && !(self.filters.contains("label!") && self.filters.labels_match("label!", label))
    }
}

impl Volumes {
    pub fn prune(&self, prune: &Prune) -> Result<PruneReport> {
        let mut report = PruneReport { volumes_deleted: Some(Vec::new()), space_reclaimed: 0 };
        for volume in self.records().all()?.iter().filter(|volume| prune.takes(volume)) {
            let name = &volume.name;
            let _hold = self.0.uses.hold(name);
            // Removed, made anew or claimed since we looked.
            if !self.0.uses.containers(name).is_empty()
                || self.records().get(name)?.as_ref() != Some(volume)
            {
                continue;
            }
            let size = if Mount::of(volume).is_some() { 0 } else { self.records().size(name)? };
            match self.remove_held(name) {
                Ok(()) => {
                    report.volumes_deleted.get_or_insert_default().push(name.clone());
                    report.space_reclaimed += size;
                }
                Err(error) => tracing::warn!(volume = name, "not pruned: {error}"),
            }
        }
        let reclaimed =
            BTreeMap::from([("reclaimed".to_owned(), report.space_reclaimed.to_string())]);
        self.0.events.publish(Kind::Volume, "prune", "", reclaimed);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(filters: &str, labels: &[(&str, &str)]) -> bool {
        let prune = Prune::from_filters(Filters::parse(filters).unwrap()).unwrap();
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        prune.takes(&Volume { labels: Some(labels), ..Volume::default() })
    }

    #[test]
    fn anonymous_ones_go_and_named_ones_where_all_are_meant() {
        assert!(takes("", &[(ANONYMOUS, "")]));
        assert!(!takes("", &[]));
        assert!(takes(r#"{"all":["1"]}"#, &[]));
        assert!(!takes(r#"{"all":["true"],"label":["k"]}"#, &[]));
        assert!(!takes(r#"{"all":["true"],"label!":["k"]}"#, &[("k", "")]));
        assert!(takes(r#"{"all":["true"],"label!":["k=v"]}"#, &[("k", "w")]));
    }

    #[test]
    fn snapshots_go_only_by_their_label() {
        let labels = [(SNAPSHOT_OF, "data")];
        assert!(!takes(r#"{"all":["true"]}"#, &labels));
        assert!(takes(&format!(r#"{{"all":["true"],"label":["{SNAPSHOT_OF}=data"]}}"#), &labels));
    }

    #[test]
    fn a_malformed_all_is_refused_in_dockers_words() {
        let said = |text: &str| {
            Prune::from_filters(Filters::parse(text).unwrap()).err().unwrap().to_string()
        };
        assert_eq!(
            said(r#"{"all":["maybe"]}"#),
            "invalid filter 'all': strconv.ParseBool: parsing \"maybe\": invalid syntax"
        );
        assert_eq!(
            said(r#"{"all":["true","false"]}"#),
            "invalid filter 'all=[false true]': only one value is expected"
        );
    }
}
