//! `images`.

use std::collections::{HashMap, HashSet};

use api::Filters;
use api::images::Summary;
use store::images::{Filter, Listed};

use super::{Images, familiar};
use crate::error::{Error, Result};

impl Images {
    /// Newest first. `shared_size` counts what images have in common with others, which costs a pass over all layers.
    pub fn list(&self, filters: &Filters, all: bool, shared_size: bool) -> Result<Vec<Summary>> {
        let mut filter = filter(filters)?;
        filter.all = all;
        let images = self.store.images().list(&filter)?;
        let mut summaries: Vec<_> = images.iter().map(summary).collect();
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

    /// All images, with what they share and how many containers use each.
    pub fn disk_usage(&self) -> Result<Vec<Summary>> {
        let uses = self.containers.image_uses();
        let mut images = self.list(&Filters::default(), false, true)?;
        for image in &mut images {
            let used = uses.iter().filter(|one| one.image.as_str() == image.id);
            image.containers = used.count() as i64;
        }
        Ok(images)
    }

    /// Bytes of all layers, each once.
    pub fn layers_size(&self) -> Result<i64> {
        Ok(self.store.images().disk_usage()? as i64)
    }
}

/// The filters of list and prune in the store's terms.
pub fn filter(filters: &Filters) -> Result<Filter> {
    let all = |name| filters.get(name).map(str::to_owned).collect::<Vec<_>>();
    let until = filters.get("until").next().map(until).transpose()?;
    Ok(Filter {
        all: false,
        dangling: filters.boolean("dangling")?,
        labels: all("label"),
        without_labels: all("label!"),
        before: all("before").pop(),
        since: all("since").pop(),
        until,
        references: all("reference"),
    })
}

/// Unix seconds, an RFC 3339 time, or how long ago in Go's durations.
fn until(text: &str) -> Result<jiff::Timestamp> {
    let invalid = || Error::invalid(format!("invalid value {text:?} for until"));
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Some((seconds, _)) = text.split_once('.').or(Some((text, "")))
        && let Ok(seconds) = seconds.parse()
    {
        return jiff::Timestamp::from_second(seconds).map_err(|_| invalid());
    }
    let ago = super::changes::nanoseconds(text).ok_or_else(invalid)?;
    jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_nanos(ago)).map_err(|_| invalid())
}

fn summary(image: &Listed) -> Summary {
    Summary {
        containers: -1,
        created: image.created.as_second(),
        id: image.id.to_string(),
        labels: image.labels.clone(),
        parent_id: image.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        repo_digests: Some(familiar(&image.digests)),
        repo_tags: familiar(&image.tags),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_is_a_time_or_an_age() {
        assert_eq!(until("1700000000").unwrap().as_second(), 1_700_000_000);
        assert_eq!(until("1700000000.5").unwrap().as_second(), 1_700_000_000);
        assert_eq!(until("2023-11-14T22:13:20Z").unwrap().as_second(), 1_700_000_000);
        let hour_ago = jiff::Timestamp::now().as_second() - 3600;
        assert!((until("1h").unwrap().as_second() - hour_ago).abs() < 5);
        assert_eq!(until("x").unwrap_err().to_string(), "invalid value \"x\" for until");
    }
}
