//! Images, as the API has them: the store's facts in Docker's shapes, an event for each change. Everything here may
//! block and runs on blocking threads.

mod changes;
mod commit;
mod history;
mod import;
mod inspect;
mod list;
mod load;
mod manifests;
pub mod progress;
mod prune;
mod pull;
mod push;
mod push_index;
mod remove;
mod save;
mod tag;

use std::collections::BTreeMap;
use std::sync::Arc;

use oci::image::ContainerConfig;
use oci::{Digest, Reference};
use store::Store;

use crate::containers::Containers;
use crate::error::{Error, Kind, Result};
use crate::events::{self, Events};
use crate::registries::Registries;

pub use commit::Commit;
pub use import::Import;
pub use manifests::platform as api_platform;
pub use prune::Prune;
pub use pull::Pull;
pub use push::Push;

/// A handle that is cheap to copy.
#[derive(Clone)]
pub struct Images {
    store: Arc<Store>,
    events: Events,
    containers: Containers,
    registries: Registries,
}

impl Images {
    pub fn new(
        store: Arc<Store>,
        events: Events,
        containers: Containers,
        registries: Registries,
    ) -> Self {
        Self { store, events, containers, registries }
    }

    pub fn registries(&self) -> &Registries {
        &self.registries
    }

    /// `attributes.name` is what the event is about: a reference, or the id again.
    fn publish(&self, action: &str, id: &Digest, name: &str) {
        // One that was deleted meanwhile has no labels to tell.
        let image = self.store.images().by_id(id).ok();
        let config = image.and_then(|image| image.config.config);
        let labels = config.and_then(|config| config.labels).unwrap_or_default();
        self.publish_with(action, id, name, labels);
    }

    /// The attributes are the image's labels and its name, which wins over a label of this name.
    fn publish_with(
        &self,
        action: &str,
        id: &Digest,
        name: &str,
        mut attributes: BTreeMap<String, String>,
    ) {
        attributes.insert("name".to_owned(), name.to_owned());
        self.events.publish(events::Kind::Image, action, id.as_str(), attributes);
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let kind = match error.kind() {
            store::Kind::NotFound => Kind::NotFound,
            store::Kind::Conflict => Kind::Conflict,
            store::Kind::Invalid => Kind::Invalid,
            store::Kind::System => Kind::System,
        };
        Self::new(kind, error.to_string())
    }
}

/// The image's configuration as the API writes it; the two forms have the same names.
pub fn api_config(config: &ContainerConfig) -> Result<api::containers::Config> {
    serde_json::to_value(config)
        .and_then(serde_json::from_value)
        .map_err(|error| Error::system("the image's configuration").because(error))
}

fn oci_config(config: &api::containers::Config) -> Result<ContainerConfig> {
    serde_json::to_value(config)
        .and_then(serde_json::from_value)
        .map_err(|error| Error::invalid("the image's configuration").because(error))
}

/// `repository` with an optional `tag`, which wins over one in `repository`; `None` for an empty repository.
fn target(repository: &str, tag: &str) -> Result<Option<Reference>> {
    if repository.is_empty() {
        return Ok(None);
    }
    let invalid = |error: oci::reference::ParseError| Error::invalid(error.to_string());
    let reference = Reference::parse(repository).map_err(invalid)?;
    if reference.digest().is_some() {
        return Err(Error::invalid("cannot import digest reference"));
    }
    let reference = if tag.is_empty() {
        reference.tag_default()
    } else {
        reference.with_tag(tag).map_err(invalid)?
    };
    Ok(Some(reference))
}

fn familiar(references: &[Reference]) -> Vec<String> {
    references.iter().map(Reference::familiar).collect()
}

/// Unix seconds of an RFC 3339 time; 0 where there is none.
fn seconds(time: Option<&str>) -> i64 {
    time.and_then(|text| text.parse::<jiff::Timestamp>().ok()).map_or(0, |time| time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_repository_and_a_tag() {
        let target = |repository, tag| {
            target(repository, tag)
                .map(|target| target.map(|target| target.familiar()))
                .map_err(|error| error.to_string())
        };
        assert_eq!(target("", "x"), Ok(None));
        assert_eq!(target("a", ""), Ok(Some("a:latest".to_owned())));
        assert_eq!(target("a:1", "2"), Ok(Some("a:2".to_owned())));
        assert_eq!(
            target("Bad", "1").unwrap_err(),
            "invalid reference format: repository name (library/Bad) must be lowercase"
        );
        let digest = format!("a@sha256:{}", "0".repeat(64));
        assert_eq!(target(&digest, "").unwrap_err(), "cannot import digest reference");
    }
}
