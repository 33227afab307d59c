//! `commit`: a container's changes as an image.

use api::containers::{Config, Status};
use oci::{Digest, Reference};

use super::{Images, changes, oci_config, target};
use crate::containers::merge;
use crate::containers::record::Record;
use crate::error::{Result, blocking};
use crate::events::Kind;

pub struct Commit {
    /// Name or id.
    pub container: String,
    pub repository: String,
    pub tag: String,
    pub comment: String,
    pub author: String,
    /// Instructions of a Dockerfile.
    pub changes: Vec<String>,
    /// In place of the container's own configuration, which then only fills what is left open.
    pub config: Option<Config>,
}

impl Images {
    /// The new image's id. A running container is paused meanwhile if asked for, so that its files are of one moment.
    pub async fn commit(&self, commit: Commit, pause: bool) -> Result<String> {
        let reference = target(&commit.repository, &commit.tag)?;
        let record = self.containers.find(&commit.container)?.record();
        let wanted = wanted(&commit, &record, reference)?;
        let name = wanted.reference.as_ref().map(oci::Reference::familiar);
        // One that ends just now is as still as a paused one.
        let pause = pause && record.state.status == Status::Running;
        let paused = pause && self.containers.hold(&record.id).await.is_ok();
        let store = self.store.clone();
        let committed = blocking(move || Ok(store.images().commit(wanted)?)).await;
        if let Ok(id) = &committed {
            self.tell_of_commit(&record, commit.comment, id, name);
        }
        if paused && let Err(error) = self.containers.unpause(&record.id).await {
            tracing::warn!(container = record.id, "after a commit: {error}");
        }
        Ok(committed?.to_string())
    }

    fn tell_of_commit(&self, record: &Record, comment: String, id: &Digest, name: Option<String>) {
        if let Some(name) = &name {
            self.publish("tag", id, name);
        }
        let mut attributes = record.config.labels.clone().unwrap_or_default();
        let told = [
            ("comment", comment),
            ("image", record.config.image.clone()),
            ("imageID", id.to_string()),
            ("imageRef", name.unwrap_or_default()),
            ("name", record.name.clone()),
        ];
        attributes.extend(told.map(|(key, value)| (key.to_owned(), value)));
        self.events.publish(Kind::Container, "commit", record.id.as_str(), attributes);
    }
}

fn wanted(
    commit: &Commit,
    record: &Record,
    reference: Option<Reference>,
) -> Result<store::images::Commit> {
    let mut config = commit.config.clone().unwrap_or_else(|| record.config.clone());
    changes::apply(&mut config, &commit.changes)?;
    merge::with_image(&mut config, &record.config);
    Ok(store::images::Commit {
        container: record.id.clone(),
        config: oci_config(&config)?,
        container_config: oci_config(&record.config)?,
        author: commit.author.clone(),
        message: commit.comment.clone(),
        reference,
    })
}
