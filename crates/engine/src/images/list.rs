//! `images`.

use std::collections::{HashMap, HashSet};

use api::Filters;
use api::images::Summary;
use oci::Reference;
use store::images::{Filter, Listed};

use super::{Images, familiar};
use crate::error::{Error, Kind, Result};
use crate::until;

impl Images {
    /// Newest first. `shared_size` counts what images have in common with others, which costs a pass over all layers.
    pub fn list(&self, filters: &Filters, all: bool, shared_size: bool) -> Result<Vec<Summary>> {
        let until = until::earliest(filters).map_err(own_fault)?;
        let filter = Filter { all, until, ..filter(filters)? };
        let is_pattern = |pattern: &String| Reference::is_pattern(pattern);
        if !filter.references.iter().all(is_pattern) {
            return Err(Error::system("syntax error in pattern"));
        }
        let images = self.store.images().list(&filter)?;
        let mut summaries: Vec<_> = images.iter().map(summary).collect();
        self.count_containers(&mut summaries);
        if shared_size {
            let owners = self.layer_owners()?;
            for (summary, image) in summaries.iter_mut().zip(&images) {
                summary.shared_size = shared(image, &owners);
            }
        }
        Ok(summaries)
    }

    /// How many images have each layer, by its number.
    fn layer_owners(&self) -> Result<HashMap<u64, usize>> {
        let mut owners = HashMap::new();
        for image in self.store.images().list(&Filter { all: true, ..Filter::default() })? {
            let layers: HashSet<u64> = image.layers.iter().map(|(number, _)| *number).collect();
            layers.into_iter().for_each(|number| *owners.entry(number).or_default() += 1);
        }
        Ok(owners)
    }

    pub fn count(&self) -> Result<i64> {
        Ok(self.store.images().count()? as i64)
    }

    fn count_containers(&self, images: &mut [Summary]) {
        let mut counts: HashMap<String, i64> = HashMap::new();
        for one in self.containers.image_uses() {
            *counts.entry(one.image.to_string()).or_default() += 1;
        }
        for image in images {
            image.containers = counts.get(&image.id).copied().unwrap_or(0);
        }
    }

    /// All images, with what they share.
    pub fn disk_usage(&self) -> Result<Vec<Summary>> {
        self.list(&Filters::default(), false, true)
    }

    /// Bytes of all layers, each once.
    pub fn layers_size(&self) -> Result<i64> {
        Ok(self.store.images().disk_usage()? as i64)
    }
}

/// What Docker takes for a failure of its own.
pub fn own_fault(error: Error) -> Error {
    Error { kind: Kind::System, ..error }
}

/// The filters of list and prune in the store's terms, but for `until`.
pub fn filter(filters: &Filters) -> Result<Filter> {
    let all = |name| filters.get(name).map(str::to_owned).collect::<Vec<_>>();
    Ok(Filter {
        dangling: filters.boolean("dangling")?,
        labels: all("label"),
        without_labels: all("label!"),
        before: all("before").pop(),
        since: all("since").pop(),
        references: all("reference"),
        ..Filter::default()
    })
}

fn summary(image: &Listed) -> Summary {
    Summary {
        created: image.created.as_second(),
        id: image.id.to_string(),
        labels: image.labels.clone(),
        parent_id: image.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        repo_digests: Some(familiar(&image.digests)),
        repo_tags: Some(familiar(&image.tags)),
        shared_size: -1,
        size: image.size() as i64,
        ..Summary::default()
    }
}

fn shared(image: &Listed, owners: &HashMap<u64, usize>) -> i64 {
    let is_shared = |number| owners.get(number).is_some_and(|owners| *owners > 1);
    let shared = image.layers.iter().filter(|(number, _)| is_shared(number));
    shared.map(|(_, size)| *size as i64).sum()
}
