//! GET /networks.

use api::Filters;
use api::networks::Network as Document;

use super::Networks;
use crate::error::Result;

pub const FILTERS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

impl Networks {
    pub fn list(&self, filters: &Filters) -> Result<Vec<Document>> {
        // A network that is always there never counts as left over.
        let dangling = filters.boolean("dangling")? == Some(true);
        let mut networks = self.all();
        networks.retain(|network| !dangling && is_wanted(network, filters));
        Ok(networks)
    }
}

fn is_wanted(network: &Document, filters: &Filters) -> bool {
    let part_of = |filter: &str, text: &str| {
        !filters.contains(filter) || filters.get(filter).any(|part| text.contains(part))
    };
    part_of("name", &network.name)
        && part_of("id", &network.id)
        && filters.matches_exactly("driver", &network.driver)
        && filters.matches_exactly("scope", &network.scope)
        && filters.matches_exactly("type", "builtin")
        && filters.labels_match("label", |key| network.labels.get(key).map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_given_must_match() {
        let network =
            Document { name: "bridge".into(), driver: "bridge".into(), ..Document::default() };
        let wanted = |filters: &[(&str, &str)]| {
            is_wanted(&network, &filters.iter().map(|(name, value)| (*name, *value)).collect())
        };
        assert!(wanted(&[]));
        assert!(wanted(&[("name", "rid"), ("name", "none"), ("driver", "bridge")]));
        assert!(!wanted(&[("name", "rid"), ("driver", "host")]));
        assert!(!wanted(&[("type", "custom")]));
        assert!(!wanted(&[("label", "a")]));
    }
}
