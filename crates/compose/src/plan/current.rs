//! What is there of a project, as the engine lists it.

use std::collections::{BTreeMap, BTreeSet};

use api::containers::Summary;

use super::Action;
use crate::labels;

#[derive(Debug, Clone, Default)]
pub struct Current {
    pub containers: Vec<Container>,
    /// Names.
    pub networks: BTreeSet<String>,
    pub volumes: BTreeSet<String>,
    /// The ids of images by the names that services give them.
    pub images: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    /// Without the slash.
    pub name: String,
    pub service: String,
    pub number: usize,
    pub one_off: bool,
    pub hash: String,
    /// The id of the image that it was made of.
    pub image: String,
    /// `running`, `exited`, `created`, ...
    pub state: String,
    /// Unix seconds.
    pub created: i64,
    /// Names.
    pub networks: BTreeSet<String>,
    /// Volumes by the place where they are mounted.
    pub volumes: BTreeMap<String, String>,
}

impl Container {
    pub fn of(summary: &Summary) -> Self {
        let label = |name: &str| {
            let labels = summary.labels.as_ref();
            labels.and_then(|labels| labels.get(name)).cloned().unwrap_or_default()
        };
        let networks = summary.network_settings.as_ref().and_then(|it| it.networks.as_ref());
        let volumes = summary.mounts.iter().filter(|mount| mount.kind == "volume");
        Self {
            id: summary.id.clone(),
            name: summary
                .names
                .first()
                .map(|name| name.trim_start_matches('/').to_owned())
                .unwrap_or_default(),
            service: label(labels::SERVICE),
            number: label(labels::NUMBER).parse().unwrap_or_default(),
            one_off: label(labels::ONE_OFF) == "True",
            hash: label(labels::CONFIG_HASH),
            image: label(labels::IMAGE),
            state: summary.state.clone(),
            created: summary.created,
            networks: networks.map(|it| it.keys().cloned().collect()).unwrap_or_default(),
            volumes: volumes.map(|mount| (mount.destination.clone(), mount.name.clone())).collect(),
        }
    }

    pub fn is_running(&self) -> bool {
        self.state == "running" || self.state == "restarting" || self.state == "paused"
    }

    pub(super) fn removal(&self) -> Action {
        let (id, name, service) = (self.id.clone(), self.name.clone(), self.service.clone());
        Action::Remove { id, name, service }
    }
}

impl Current {
    /// A service's containers by their numbers, of two with one number the one that is there longer first.
    pub fn of_service(&self, service: &str) -> Vec<&Container> {
        let mut found: Vec<&Container> =
            self.containers.iter().filter(|it| it.service == service && !it.one_off).collect();
        found.sort_by_key(|it| (it.number, it.created));
        found
    }
}
