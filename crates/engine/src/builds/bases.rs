//! Images that a build stands on: those that are here, and what registries have.

use std::sync::Arc;

use api::build::BuildOptions;
use api::registry::AuthConfig;
use builder::plan::{Images, Wanted};
use oci::image::ImageConfig;
use oci::{Platform, Reference};
use tokio::task::JoinSet;

use super::Builds;
use super::client::Client;
use super::progress::Task;
use crate::error::{Error, Result, blocking};
use crate::images::Pull;
use crate::images::progress::Reporter;

impl Builds {
    /// Looks for images side by side, and pulls what is missing.
    pub async fn find_bases(
        &self,
        wanted: impl IntoIterator<Item = Wanted>,
        options: &Arc<BuildOptions>,
        client: &Arc<Client>,
        known: &mut Images,
    ) -> Result<()> {
        let mut tasks = JoinSet::new();
        for wanted in wanted {
            let (builds, options, client) = (self.clone(), Arc::clone(options), Arc::clone(client));
            tasks.spawn(async move {
                let found = builds.find_base(&wanted, &options, &client).await;
                found.map(|image| (wanted, image))
            });
        }
        while let Some(ended) = tasks.join_next().await {
            let ended =
                ended.map_err(|cause| Error::system("the build was aborted").because(cause));
            let (wanted, image) = ended??;
            known.insert(wanted, image);
        }
        Ok(())
    }

    /// Whether a classic build that names these images as its cache has one. As in Docker, images that are not here are not
    /// looked for elsewhere, and where all are missing everything runs anew. What an image claims makes no step known.
    pub async fn may_use_cache(&self, images: Vec<String>) -> Result<bool> {
        if images.is_empty() {
            return Ok(true);
        }
        let store = Arc::clone(&self.store);
        blocking(move || Ok(images.iter().any(|name| store.images().resolve(name).is_ok()))).await
    }

    async fn find_base(
        &self,
        wanted: &Wanted,
        options: &BuildOptions,
        client: &Arc<Client>,
    ) -> Result<ImageConfig> {
        let reference = Reference::parse(&wanted.reference);
        let shown = match &reference {
            Ok(reference) => reference.clone().tag_default().to_string(),
            Err(_) => wanted.reference.clone(),
        };
        let task = Task::begin(client, &format!("[internal] load metadata for {shown}"));
        let found = self.look(wanted, options, reference.ok(), &task).await;
        task.end(&found);
        found
    }

    async fn look(
        &self,
        wanted: &Wanted,
        options: &BuildOptions,
        reference: Option<Reference>,
        task: &Task,
    ) -> Result<ImageConfig> {
        let here = match options.pull {
            true => None,
            false => self.local(wanted).await?,
        };
        if let Some(image) = here {
            return Ok(image);
        }
        let Some(reference) = reference else {
            let text = format!("invalid reference format: {}", wanted.reference);
            return Err(Error::invalid(text));
        };
        self.pull(wanted, options, reference.tag_default(), task).await?;
        let missing = || {
            Error::not_found(format!(
                "{}: no match for platform {}: not found",
                wanted.reference, wanted.platform
            ))
        };
        self.local(wanted).await?.ok_or_else(missing)
    }

    async fn local(&self, wanted: &Wanted) -> Result<Option<ImageConfig>> {
        let (store, wanted) = (Arc::clone(&self.store), wanted.clone());
        blocking(move || {
            let images = store.images();
            let found = images
                .resolve_for(&wanted.reference, Some(&wanted.platform))
                .and_then(|id| images.by_id(&id));
            match found {
                Ok(image) if matches(&wanted.platform, &image.config.platform()) => {
                    Ok(Some(image.config))
                }
                Ok(_) => Ok(None),
                Err(error) if error.kind() == store::Kind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    async fn pull(
        &self,
        wanted: &Wanted,
        options: &BuildOptions,
        name: Reference,
        task: &Task,
    ) -> Result<()> {
        let auth = auth_of(options, name.domain());
        let pull = Pull { platform: Some(wanted.platform.clone()), auth, name };
        let (first, others) = self.images.find(&pull).await.map_err(|error| {
            let kind = error.kind;
            Error::new(kind, format!("failed to resolve source metadata for {}", pull.name))
                .because(error)
        })?;
        let (report, mut lines) = Reporter::new();
        let pulling = self.images.pull(&pull, first, others, &report);
        tokio::pin!(pulling);
        loop {
            tokio::select! {
                ended = &mut pulling => return ended,
                line = lines.recv() => {
                    let Some(line) = line else { continue };
                    task.layer(&line);
                }
            }
        }
    }
}

/// An image that says nothing of its platform is for any.
fn matches(wanted: &Platform, actual: &Platform) -> bool {
    actual.architecture.is_empty() || wanted.rank(actual).is_some()
}

/// What the client knows of a registry.
pub fn auth_of(options: &BuildOptions, domain: &str) -> AuthConfig {
    let known = options.auths.iter().find(|(server, _)| is_of(server, domain));
    known.map(|(_, auth)| auth.clone()).unwrap_or_default()
}

/// Keys of configurations may be addresses: `https://index.docker.io/v1/`.
fn is_of(server: &str, domain: &str) -> bool {
    let host = server.split("://").last().unwrap_or(server);
    let host = host.split('/').next().unwrap_or(host);
    host == domain || (domain == "docker.io" && host == "index.docker.io")
}
