//! GET /networks.

use api::Filters;
use api::networks::Network as Document;

use super::Networks;
use super::record::Record;
use crate::error::{Error, Kind, Result};
use crate::name_filter::NameFilter;

pub const FILTERS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

impl Networks {
    /// Without the containers on them.
    pub fn list(&self, filters: &Filters) -> Result<Vec<Document>> {
        let dangling = filters.boolean("dangling").map_err(|_| {
            Error::invalid(
                "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")",
            )
        })?;
        if let Some(kind) = filters.get("type").find(|kind| !matches!(*kind, "builtin" | "custom"))
        {
            return Err(Error::new(Kind::System, format!("invalid filter: 'type'='{kind}'")));
        }
        let is_left_over = |record: &Record| !record.is_builtin && self.members(record).is_empty();
        let networks = self.directory.all();
        let wanted = networks.iter().filter(|record| {
            is_wanted(record, filters)
                && dangling.is_none_or(|dangling| dangling == is_left_over(record))
        });
        Ok(wanted.map(|record| record.document()).collect())
    }
}

fn is_wanted(record: &Record, filters: &Filters) -> bool {
    let is_called =
        |filter, text| NameFilter::of(filters, filter).is_none_or(|names| names.matches(text));
    is_called("name", &record.name)
        && is_called("id", &record.id)
        && filters.matches_exactly("driver", &record.driver)
        && filters.matches_exactly("scope", &record.scope)
        && filters.matches_exactly("type", if record.is_builtin { "builtin" } else { "custom" })
        && filters.labels_match("label", |key| record.label(key))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::network;
    use super::*;

    #[test]
    fn every_filter_given_must_match() {
        let network = Record { is_builtin: true, ..network("bridge") };
        let wanted = |filters: &[(&str, &str)]| {
            is_wanted(&network, &filters.iter().map(|(name, value)| (*name, *value)).collect())
        };
        assert!(wanted(&[]));
        assert!(wanted(&[("name", "rid"), ("name", "none"), ("driver", "bridge")]));
        assert!(!wanted(&[("name", "rid"), ("driver", "host")]));
        assert!(wanted(&[("name", "^bridge$")]) && !wanted(&[("name", "^ridge$")]));
        assert!(!wanted(&[("type", "custom")]) && wanted(&[("type", "builtin")]));
        assert!(!wanted(&[("label", "a")]));
    }
}
