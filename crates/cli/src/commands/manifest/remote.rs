//! What registries have.

use api::registry::AuthConfig;
use oci::manifest::{Document, MAX_BYTES};
use oci::{Descriptor, Digest, Platform, Reference, media_type};
use registry::client::{
    Access, Credentials, Error, Fetched, Places, Proxies, Repository, Settings, Which,
};

use super::entry::Entry;
use crate::context::Context;
use crate::error::{Failure, Result};

pub(crate) struct Remote<'c> {
    context: &'c Context,
    insecure: bool,
}

/// What a name leads to.
pub(super) enum Found {
    Manifest(Box<Entry>),
    List(Vec<Entry>),
}

impl<'c> Remote<'c> {
    pub(crate) fn new(context: &'c Context, insecure: bool) -> Self {
        Self { context, insecure }
    }

    pub(super) async fn find(&self, name: &Reference) -> Result<Found> {
        let (settings, credentials) = self.way_to(name);
        let told = |error| told(error, name);
        let found = Repository::find(&settings, name, &Which::of(name), &credentials).await;
        let (repository, root) = found.map_err(told)?;
        let index = match read(&root, name)? {
            Document::Index(index) => index,
            Document::Manifest(manifest) => {
                let config = repository.document(&manifest.config.digest, MAX_BYTES).await;
                // What is no image has a configuration that says nothing of a platform.
                let platform = serde_json::from_slice(&config.map_err(told)?).ok();
                let entry = Box::new(entry(name.clone(), root, platform));
                return Ok(Found::Manifest(entry));
            }
        };
        let mut entries = Vec::new();
        for listed in index.manifests {
            let which = Which::Digest(listed.digest.clone());
            let fetched = repository.manifest(&which).await.map_err(told)?;
            let own = entry(listed_as(name, &listed.digest)?, fetched, listed.platform);
            own.manifest()?;
            entries.push(own);
        }
        Ok(Found::List(entries))
    }

    /// The manifest of an image, which is no list.
    pub(super) async fn manifest(&self, name: &Reference) -> Result<Entry> {
        match self.find(name).await? {
            Found::Manifest(entry) => Ok(*entry),
            Found::List(_) => Err(Failure::new(format!("{name} is a manifest list"))),
        }
    }

    /// The repository of a name, to push to.
    pub(crate) async fn open(&self, name: &Reference) -> Result<Repository> {
        let (settings, credentials) = self.way_to(name);
        let opened = Repository::open(&settings, name, &credentials, Access::Push).await;
        opened.map_err(|error| told(error, name))
    }

    /// Of what a name leads to now.
    pub(crate) async fn digest(&self, name: &Reference) -> Result<Digest> {
        let (settings, credentials) = self.way_to(name);
        let found = Repository::find(&settings, name, &Which::of(name), &credentials).await;
        found.map(|(_, root)| root.digest).map_err(|error| told(error, name))
    }

    fn way_to(&self, name: &Reference) -> (Settings, Credentials) {
        let insecure = self.insecure.then(|| name.domain().to_owned());
        let proxies = Proxies::of_environment();
        let places =
            Places { insecure: insecure.into_iter().collect(), proxies, ..Places::default() };
        let auth = self.context.config().auth_for_image(&name.to_string());
        let AuthConfig { username, password, identitytoken, registrytoken, .. } = auth;
        let credentials = Credentials {
            username,
            password,
            identity_token: identitytoken,
            registry_token: registrytoken,
        };
        (Settings { places, ..Settings::default() }, credentials)
    }
}

/// The list's name with the digest of one in it: what it is known by is the list's tag.
fn listed_as(list: &Reference, digest: &Digest) -> Result<Reference> {
    let tag = list.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    Reference::parse(&format!("{}{tag}@{digest}", list.name()))
        .map_err(|error| Failure::new(error.to_string()))
}

fn read(fetched: &Fetched, name: &Reference) -> Result<Document> {
    Document::parse(&fetched.bytes).map_err(|error| Failure::new(format!("{name}: {error}")))
}

fn entry(name: Reference, fetched: Fetched, platform: Option<Platform>) -> Entry {
    let media_type = match media_type::is_manifest(&fetched.media_type) {
        true => fetched.media_type,
        false => media_type::OCI_MANIFEST.to_owned(),
    };
    let descriptor = Descriptor {
        platform,
        ..Descriptor::new(&media_type, fetched.digest, fetched.bytes.len() as u64)
    };
    Entry { name, descriptor, bytes: fetched.bytes }
}

pub(super) fn told(error: Error, name: &Reference) -> Failure {
    Failure::new(match &error {
        Error::Unreachable { .. } => {
            format!("failed to configure transport: error pinging v2 registry: {error}")
        }
        _ if error.status() == Some(404) => format!("no such manifest: {name}"),
        _ => error.to_string(),
    })
}
