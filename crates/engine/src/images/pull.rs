//! `pull`: what a name leads to is found before the first line; then come the layers, several at once, and at last the
//! image becomes visible.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::registry::AuthConfig;
use oci::{Digest, Platform, Reference};
use registry::client::{Access, Fetched, Repository, Selected, Which};
use store::StagedLayer;
use store::images::Pulled;
use tokio::task::JoinSet;

use super::Images;
use super::progress::{PACE, Reporter};
use crate::error::{Error, Result, blocking};
use crate::events;
use crate::registries::{Arriving, Came, Failure, Refused, credentials, pulled};

/// What to pull.
pub struct Pull {
    /// Without tag and digest: everything that has a tag.
    pub name: Reference,
    pub platform: Option<Platform>,
    pub auth: AuthConfig,
}

/// What a registry has under one name.
pub struct Found {
    name: Reference,
    repository: Arc<Repository>,
    root: Fetched,
}

/// How it ended for one name.
enum Ended {
    New,
    Known,
}

impl Images {
    /// Asks the registry. Of all tags the first is returned, and the names of the others.
    pub async fn find(&self, pull: &Pull) -> Result<(Found, Vec<Reference>)> {
        if !pull.name.is_name_only() {
            return Ok((self.find_one(&pull.name, pull).await?, Vec::new()));
        }
        let mut names = self.tags(pull).await?.into_iter();
        let Some(first) = names.next() else {
            return Err(Error::not_found(format!("no tags in {}", pull.name.familiar_name())));
        };
        Ok((self.find_one(&first, pull).await?, names.collect()))
    }

    async fn find_one(&self, name: &Reference, pull: &Pull) -> Result<Found> {
        let settings = self.registries.settings();
        let credentials = credentials(pull.auth.clone());
        let found = Repository::find(&settings, name, &Which::of(name), &credentials).await;
        let (repository, root) = found.map_err(|error| pulled(error, name))?;
        Ok(Found { name: name.clone(), repository: Arc::new(repository), root })
    }

    async fn tags(&self, pull: &Pull) -> Result<Vec<Reference>> {
        let settings = self.registries.settings();
        let credentials = credentials(pull.auth.clone());
        let told = |error| pulled(error, &pull.name);
        let opened = Repository::open(&settings, &pull.name, &credentials, Access::Pull).await;
        let tags = opened.map_err(told)?.tags().await.map_err(told)?;
        let name = |tag: &String| pull.name.with_tag(tag).ok();
        Ok(tags.iter().filter_map(name).collect())
    }

    /// Fetches what was found, one name after the other.
    pub async fn pull(
        &self,
        pull: &Pull,
        first: Found,
        others: Vec<Reference>,
        report: &Reporter,
    ) -> Result<()> {
        let mut ended = self.pull_one(pull, first, report).await?;
        for name in others {
            let found = self.find_one(&name, pull).await?;
            if let Ended::New = self.pull_one(pull, found, report).await? {
                ended = Ended::New;
            }
        }
        let familiar = pull.name.familiar();
        report
            .status(match ended {
                Ended::New => format!("Status: Downloaded newer image for {familiar}"),
                Ended::Known => format!("Status: Image is up to date for {familiar}"),
            })
            .await;
        self.check_platform(pull)
    }

    async fn pull_one(&self, pull: &Pull, found: Found, report: &Reporter) -> Result<Ended> {
        let Found { name, repository, root } = found;
        report
            .send(api::progress::Message {
                id: Which::of(&name).to_string(),
                ..api::progress::Message::status(format!("Pulling from {}", name.path()))
            })
            .await;
        let platform = pull.platform.clone().unwrap_or_else(Platform::host);
        let selected = repository.select(&root, &platform).await;
        let selected = selected.map_err(|error| Error::from(Refused(error)))?;
        check_layers(&selected)?;
        // Holds what is here until the image does.
        let lease = self.store.lease("pull");
        let layers = self.fetch(&repository, &selected, &lease, report).await?;
        let digest = root.digest.clone();
        let staged = layers.iter().filter_map(|layer| match &layer.came {
            Came::Staged(staged) => Some(Arc::clone(staged)),
            Came::WasHere => None,
        });
        let ended = self.keep(&name, root, selected, staged.collect()).await?;
        drop((lease, layers));
        report.status(format!("Digest: {digest}")).await;
        Ok(ended)
    }

    /// The layers that are not here, once they are staged.
    async fn fetch(
        &self,
        repository: &Arc<Repository>,
        selected: &Selected,
        lease: &store::Lease<'_>,
        report: &Reporter,
    ) -> Result<Vec<Here>> {
        let mut followed = JoinSet::new();
        let mut turn = None;
        let at_once = self.registries.downloads_at_once();
        let diff_ids = &selected.parsed.rootfs.diff_ids;
        for (blob, diff_id) in selected.manifest.layers.iter().zip(diff_ids) {
            let id = blob.digest.short().to_owned();
            if self.store.hold_layer(diff_id, lease)?.is_some() {
                report.layer(&id, "Already exists").await;
                continue;
            }
            report.layer(&id, "Pulling fs layer").await;
            let (done, next) = tokio::sync::oneshot::channel::<()>();
            let layer = Layer {
                images: self.clone(),
                repository: Arc::clone(repository),
                blob: blob.clone(),
                diff_id: diff_id.clone(),
                at_once,
                report: report.clone(),
            };
            let before = turn.replace(next);
            followed.spawn(async move {
                let staged = layer.follow(&id, before).await;
                drop(done);
                staged
            });
        }
        let mut staged = Vec::new();
        while let Some(followed) = followed.join_next().await {
            let layer =
                followed.map_err(|gone| Error::system("a layer was given up").because(gone))?;
            let layer = layer?;
            let was_here = matches!(layer.came, Came::WasHere);
            if was_here && self.store.hold_layer(&layer.diff_id, lease)?.is_none() {
                return Err(Error::system(format!("layer {} was removed", layer.diff_id)));
            }
            staged.push(layer);
        }
        Ok(staged)
    }

    async fn keep(
        &self,
        name: &Reference,
        root: Fetched,
        selected: Selected,
        layers: Vec<Arc<StagedLayer>>,
    ) -> Result<Ended> {
        let by_digest = name.with_digest(root.digest);
        let names = match name.tag() {
            Some(_) if name.digest().is_none() => vec![name.clone(), by_digest],
            _ => vec![by_digest],
        };
        let blobs: Vec<Digest> =
            selected.manifest.layers.iter().map(|layer| layer.digest.clone()).collect();
        let pulled = Pulled {
            config: selected.config.to_vec(),
            documents: selected.documents.iter().map(|document| document.to_vec()).collect(),
            layers,
            names,
        };
        let (store, repository) = (Arc::clone(&self.store), name.name());
        let taken = blocking(move || {
            let lease = store.lease("pull");
            let taken = store.images().take_pulled(pulled, &lease)?;
            store.add_blob_source(&blobs, &repository)?;
            Ok(taken)
        })
        .await?;
        let image = self.store.images().by_id(&taken.id)?;
        let labels = image.config.config.and_then(|config| config.labels).unwrap_or_default();
        self.tell("pull", name, labels);
        Ok(if taken.is_new { Ended::New } else { Ended::Known })
    }

    /// As Docker has it, the event is about the name.
    pub(super) fn tell(
        &self,
        action: &str,
        name: &Reference,
        mut labels: BTreeMap<String, String>,
    ) {
        labels.insert("name".to_owned(), name.familiar_name());
        self.events.publish(events::Kind::Image, action, name.familiar(), labels);
    }

    /// A manifest without an index is pulled whatever it is for.
    fn check_platform(&self, pull: &Pull) -> Result<()> {
        let Some(wanted) = &pull.platform else { return Ok(()) };
        let images = self.store.images();
        let name = pull.name.familiar();
        let Ok(id) = images.resolve(&pull.name.to_string()) else { return Ok(()) };
        let actual = images.by_id(&images.resolve_for(id.as_str(), Some(wanted)).unwrap_or(id))?;
        let actual = actual.config.platform();
        if wanted.rank(&actual).is_some() {
            return Ok(());
        }
        Err(Error::not_found(format!(
            "image with reference {name} was found but does not match the specified platform: wanted {wanted}, actual: {actual}"
        )))
    }
}

/// A layer that came.
struct Here {
    came: Came,
    diff_id: Digest,
    /// Others find it here until it is visible.
    _arriving: Arc<Arriving>,
}

/// One layer that a pull waits for.
struct Layer {
    images: Images,
    repository: Arc<Repository>,
    blob: oci::Descriptor,
    diff_id: Digest,
    at_once: usize,
    report: Reporter,
}

impl Layer {
    /// Tells how it comes. That it is complete is told after the one below it.
    async fn follow(
        &self,
        id: &str,
        before: Option<tokio::sync::oneshot::Receiver<()>>,
    ) -> Result<Here> {
        let layers = &self.images.registries.layers;
        let fetch = || layers.fetch(&self.repository, &self.blob, &self.diff_id, self.at_once);
        let (mut arriving, own) = fetch();
        let came = match self.watch(id, &arriving).await {
            // Another pull's registry may have failed where ours does not.
            Err(_) if !own => {
                arriving = fetch().0;
                self.watch(id, &arriving).await
            }
            result => result,
        };
        let came = came?;
        if let Came::Staged(staged) = &came
            && *staged.diff_id() != self.diff_id
        {
            return Err(Error::system("layers from manifest don't match image configuration"));
        }
        if let Some(before) = before {
            // It was dropped: that one is done, or the whole pull is.
            let _ = before.await;
        }
        let size = self.blob.size;
        self.report.moving(id, "Extracting", size, size).await;
        self.report.layer(id, "Pull complete").await;
        Ok(Here { came, diff_id: self.diff_id.clone(), _arriving: arriving })
    }

    async fn watch(&self, id: &str, arriving: &Arriving) -> Result<Came, Failure> {
        let mut changes = arriving.state();
        let total = self.blob.size;
        let mut downloaded = false;
        if !changes.borrow().begun {
            tokio::task::yield_now().await;
            if !changes.borrow().begun {
                self.report.layer(id, "Waiting").await;
            }
        }
        loop {
            let state = changes.borrow_and_update().clone();
            let whole = state.read >= total && state.begun;
            if (whole || matches!(state.outcome, Some(Ok(_)))) && !downloaded {
                downloaded = true;
                self.report.layer(id, "Verifying Checksum").await;
                self.report.layer(id, "Download complete").await;
            }
            if let Some(outcome) = state.outcome {
                return outcome;
            }
            if state.read > 0 && !downloaded {
                self.report.moving(id, "Downloading", state.read, total).await;
                let finished = |state: &crate::registries::State| {
                    state.outcome.is_some() || state.read >= total
                };
                if let Ok(Ok(_)) = tokio::time::timeout(PACE, changes.wait_for(finished)).await {
                    continue;
                }
            }
            if changes.changed().await.is_err() {
                // The task was ended without an outcome: with the engine.
                return Err(Failure::Store("the download was given up".into()));
            }
        }
    }
}

/// Config and manifest must agree on how many there are; what they are the store finds out.
fn check_layers(selected: &Selected) -> Result<()> {
    let diff_ids = &selected.parsed.rootfs.diff_ids;
    if diff_ids.len() != selected.manifest.layers.len() {
        return Err(Error::system("layers from manifest don't match image configuration"));
    }
    let os = selected.parsed.platform().os;
    if os != "linux" {
        return Err(Error::system(format!(
            "image operating system \"{os}\" cannot be used on this platform"
        )));
    }
    Ok(())
}
