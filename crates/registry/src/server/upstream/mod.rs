//! A registry whose content this one keeps: what is asked for and is not here is fetched from there, once for all who
//! want it meanwhile, checked against its digest, and kept in the storage like what was pushed.
//!
//! What a tag names is asked each time; what a digest names is asked once. While the upstream is out of reach, what is
//! here is served. A repository has of a blob only what the upstream says it has: that another one has it is not enough.

mod flight;
mod once;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode, Uri};
use oci::Reference as Name;
use oci::descriptor::Descriptor;
use oci::digest::Digest;

use super::error::{Code, Error};
use super::http::Call;
use super::manifest::Manifest;
use super::manifests::{Push, Stored, tagged};
use super::names::{Reference, Repository, Tag};
use super::options::Options;
use super::registry::Registry;
use super::storage::{Content, Storage};
use super::{blobs, layout, manifests, tags};
use crate::client::{self, Access, Credentials, Patience, Places, Proxies, Settings, Which};
pub(super) use flight::Flight;
use once::Once;

/// Somebody waits for what may be here already.
const PATIENCE: Patience =
    Patience { connect: Duration::from_secs(5), silence: Duration::from_secs(30) };
const ATTEMPTS: u32 = 3;
/// How long a session with its token is used for one request after the other; then the credentials are read anew.
const SESSION: Duration = Duration::from_secs(60);
/// Each keeps connections. Other repositories get a session for each request.
const MAX_SESSIONS: usize = 64;

pub(super) struct Upstream {
    settings: Settings,
    /// With its port.
    domain: String,
    credentials: Option<PathBuf>,
    sessions: Mutex<HashMap<Repository, (Instant, Arc<client::Repository>)>>,
    manifests: Once<(Repository, Reference), Result<Stored, Miss>>,
    blobs: Once<(Repository, Digest), Result<Got, Miss>>,
    flights: Arc<Mutex<HashMap<Digest, Arc<Flight>>>>,
    /// Held while it is seen whether a blob is on its way, and set out for.
    setting_out: tokio::sync::Mutex<()>,
}

/// Where a blob is.
#[derive(Clone)]
enum Got {
    Here,
    Coming(Arc<Flight>),
}

/// Why something is not to be had. Everybody who waited for it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Miss {
    /// The upstream does not have it.
    Unknown,
    /// It does not let us have it.
    Denied,
    /// It is out of reach, overloaded, or breaks the protocol.
    Away,
    /// The storage failed.
    Storage,
    Busy,
}

impl Upstream {
    /// `None` if no upstream is wanted.
    pub(super) fn of(options: &Options) -> Result<Option<Self>, String> {
        let Some(address) = &options.proxy else {
            return match options.proxy_credentials {
                Some(_) => Err("--proxy-credentials needs --proxy".to_owned()),
                None => Ok(None),
            };
        };
        if options.read_only {
            return Err("--proxy keeps what it fetches, and cannot be --read-only".to_owned());
        }
        let uri = address.parse::<Uri>().ok().filter(|uri| {
            let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
            plain && matches!(uri.path(), "" | "/") && uri.query().is_none()
        });
        // It may hold what is no one's business.
        let invalid = || "--proxy needs an address like https://registry.example".to_owned();
        let uri = uri.ok_or_else(invalid)?;
        let domain = client::Origin::of(&uri).map_err(|_| invalid())?.address();
        let insecure =
            if uri.scheme_str() == Some("http") { vec![domain.clone()] } else { Vec::new() };
        let places = Places { insecure, proxies: Proxies::of_environment(), ..Places::default() };
        let upstream = Self {
            settings: Settings { places, patience: PATIENCE, attempts: ATTEMPTS },
            domain,
            credentials: options.proxy_credentials.clone(),
            sessions: Mutex::default(),
            manifests: Once::default(),
            blobs: Once::default(),
            flights: Arc::default(),
            setting_out: tokio::sync::Mutex::default(),
        };
        upstream.credentials()?;
        Ok(Some(upstream))
    }

    /// What a reference names there now, or by its digest ever did.
    pub(super) async fn manifest(
        &self,
        storage: &Storage,
        repository: Repository,
        reference: Reference,
    ) -> Result<Stored, Error> {
        let key = (repository, reference);
        let (repository, reference) = key.clone();
        let found = match reference {
            Reference::Digest(digest) => {
                let known = stored(storage, &repository, &digest).await?;
                match known {
                    Some(stored) => return Ok(stored),
                    None => {
                        let fetch = self.fetch(storage, &repository, Which::Digest(digest), None);
                        self.manifests.get(&key, fetch).await
                    }
                }
            }
            Reference::Tag(tag) => {
                let named =
                    self.manifests.get(&key, self.tagged(storage, &repository, tag.clone()));
                match named.await {
                    Err(Miss::Away) => here(storage, &repository, &tag).await?.ok_or(Miss::Away),
                    named => named,
                }
            }
        };
        found.map_err(|miss| miss.error(manifests::unknown))
    }

    /// A blob that the repository here does not have. A client that reads it need not wait until all of it has come.
    pub(super) async fn blob(
        &self,
        registry: &Registry,
        call: &Call,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Content, Error> {
        let got = if call.method == Method::HEAD {
            self.blob_size(repository, digest).await.map(|(_, size)| Content::elsewhere(size))
        } else {
            let key = (repository.clone(), digest.clone());
            let got = self.blobs.get(&key, self.set_out(registry, repository, digest));
            match got.await {
                Ok(Got::Coming(flight)) => Ok(Content::coming(flight)),
                Ok(Got::Here) => {
                    let opened = registry.storage.open_content(layout::blob(digest)).await?;
                    opened.ok_or(Miss::Unknown)
                }
                Err(miss) => Err(miss),
            }
        };
        got.map_err(|miss| miss.error(blobs::unknown))
    }

    /// All tags there, sorted; `None` while it is out of reach.
    pub(super) async fn tags(&self, repository: &Repository) -> Result<Option<Vec<String>>, Error> {
        let asked = async { self.session(repository).await?.tags().await.map_err(Miss::of) };
        match asked.await {
            Ok(mut tags) => {
                tags.sort();
                Ok(Some(tags))
            }
            Err(Miss::Away) => Ok(None),
            Err(miss) => Err(miss.error(tags::unknown)),
        }
    }

    async fn tagged(
        &self,
        storage: &Storage,
        repository: &Repository,
        tag: Tag,
    ) -> Result<Stored, Miss> {
        let session = self.session(repository).await?;
        let which = Which::Tag(tag.as_str().to_owned());
        let promised = session.promised_digest(&which).await.map_err(Miss::of)?;
        if let (Some(promised), Some(here)) = (promised, here(storage, repository, &tag).await?)
            && promised == here.digest
        {
            return Ok(here);
        }
        self.fetch(storage, repository, which, Some(tag)).await
    }

    async fn fetch(
        &self,
        storage: &Storage,
        repository: &Repository,
        which: Which,
        tag: Option<Tag>,
    ) -> Result<Stored, Miss> {
        let session = self.session(repository).await?;
        let fetched = session.manifest(&which).await.map_err(Miss::of)?;
        let client::Fetched { bytes, media_type, digest } = fetched;
        let manifest = Manifest::parse(&bytes, Some(&media_type)).map_err(|error| {
            tracing::warn!("{digest} of {repository} at the upstream is no manifest: {error}");
            Miss::Away
        })?;
        let stored = Stored { digest, media_type: manifest.media_type.clone(), bytes };
        let push = Push {
            repository: repository.clone(),
            digest: stored.digest.clone(),
            manifest,
            bytes: stored.bytes.clone(),
            tag,
        };
        let keep = move |storage: &Storage| push.store(storage, &storage.shared()?);
        storage.blocking(keep).await?;
        Ok(stored)
    }

    /// That the repository has it there, and how large it is.
    async fn blob_size(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<(Arc<client::Repository>, u64), Miss> {
        let session = self.session(repository).await?;
        let size = session.blob_size(digest).await.map_err(Miss::of)?.ok_or(Miss::Unknown)?;
        Ok((session, size))
    }

    async fn set_out(
        &self,
        registry: &Registry,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Got, Miss> {
        let (session, size) = self.blob_size(repository, digest).await?;
        let _alone = self.setting_out.lock().await;
        let flight = lock(&self.flights).get(digest).cloned();
        if let Some(flight) = flight {
            flight.join(&registry.storage, repository.clone());
            return Ok(Got::Coming(flight));
        }
        // Only now: one that has ended since then is here.
        if flight::link(&registry.storage, repository.clone(), digest.clone()).await? {
            return Ok(Got::Here);
        }
        let upload = registry.begin(repository).await.map_err(|error| match error.code {
            Code::TooManyRequests => Miss::Busy,
            _ => {
                tracing::error!("cannot keep {digest}: {error}");
                Miss::Storage
            }
        })?;
        let flight = Arc::new(Flight::new(upload.file(), digest.clone(), size)?);
        lock(&self.flights).insert(digest.clone(), Arc::clone(&flight));
        let (own, flights) = (Arc::clone(&flight), Arc::clone(&self.flights));
        let metrics = Arc::clone(&registry.metrics);
        let blob = Descriptor::new("", digest.clone(), size);
        tokio::spawn(async move {
            let came = own.carry_out(&session, &blob, upload).await;
            lock(&flights).remove(&blob.digest);
            own.end(came);
            if came {
                metrics.fetched(blob.size);
            }
        });
        Ok(Got::Coming(flight))
    }

    async fn session(&self, repository: &Repository) -> Result<Arc<client::Repository>, Miss> {
        let known = {
            let mut sessions = lock(&self.sessions);
            sessions.retain(|_, (since, _)| since.elapsed() < SESSION);
            sessions.get(repository).map(|(_, session)| Arc::clone(session))
        };
        if let Some(session) = known {
            return Ok(session);
        }
        let credentials = self.credentials().map_err(|why| {
            tracing::error!("{why}");
            Miss::Denied
        })?;
        let name = Name::parse(&format!("{}/{repository}", self.domain));
        let name = name.map_err(|_| Miss::Unknown)?;
        let opened = client::Repository::open(&self.settings, &name, &credentials, Access::Pull);
        let session = Arc::new(opened.await.map_err(Miss::of)?);
        let mut sessions = lock(&self.sessions);
        if sessions.len() < MAX_SESSIONS {
            sessions.insert(repository.clone(), (Instant::now(), Arc::clone(&session)));
        }
        drop(sessions);
        Ok(session)
    }

    fn credentials(&self) -> Result<Credentials, String> {
        let Some(path) = &self.credentials else { return Ok(Credentials::default()) };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let (user, password) = text
            .trim_end_matches(['\r', '\n'])
            .split_once(':')
            .ok_or_else(|| format!("{} does not have USER:PASSWORD", path.display()))?;
        let (username, password) = (user.to_owned(), password.to_owned());
        Ok(Credentials { username, password, ..Credentials::default() })
    }
}

/// What a digest names, as far as it is here.
async fn stored(
    storage: &Storage,
    repository: &Repository,
    digest: &Digest,
) -> std::io::Result<Option<Stored>> {
    let (repository, digest) = (repository.clone(), digest.clone());
    storage.blocking(move |storage| Stored::load(storage, &repository, digest)).await
}

/// What a tag named when it was last asked.
async fn here(
    storage: &Storage,
    repository: &Repository,
    tag: &Tag,
) -> std::io::Result<Option<Stored>> {
    let (repository, tag) = (repository.clone(), tag.clone());
    let find = move |storage: &Storage| match tagged(storage, &repository, &tag)? {
        Some(digest) => Stored::load(storage, &repository, digest),
        None => Ok(None),
    };
    storage.blocking(find).await
}

impl Miss {
    fn of(error: client::Error) -> Self {
        match error.status() {
            Some(404) => Self::Unknown,
            Some(401 | 403) => Self::Denied,
            _ if matches!(error, client::Error::NoCredentials { .. }) => Self::Denied,
            _ => {
                tracing::warn!("the upstream: {error}");
                Self::Away
            }
        }
    }

    fn error(self, unknown: impl FnOnce() -> Error) -> Error {
        match self {
            Self::Unknown => unknown(),
            Self::Denied => Error::new(Code::Denied, "the upstream registry denies access"),
            Self::Away => Error::new(Code::Unknown, "the upstream registry does not answer")
                .with_status(StatusCode::BAD_GATEWAY),
            Self::Storage => Error::new(Code::Unknown, "the storage failed")
                .with_status(StatusCode::INTERNAL_SERVER_ERROR),
            Self::Busy => Error::too_many("too many open uploads"),
        }
    }
}

impl From<std::io::Error> for Miss {
    fn from(error: std::io::Error) -> Self {
        tracing::error!("the storage failed: {error}");
        Self::Storage
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Whole values are put in and taken out: a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_address_and_who_we_are_is_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        let of = |address: &str, text: Option<&str>| {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            let proxy_credentials = text.map(|_| file.clone());
            let proxy = Some(address.to_owned()).filter(|address| !address.is_empty());
            let upstream =
                Upstream::of(&Options { proxy, proxy_credentials, ..Options::default() })?;
            let upstream = upstream.ok_or("none")?;
            let who = upstream.credentials()?;
            let insecure = upstream.settings.places.insecure;
            Ok::<_, String>((upstream.domain, insecure, who.username, who.password))
        };
        let own = |words: [&str; 3]| words.map(str::to_owned);
        let (domain, insecure, ..) = of("https://reg.example", None).unwrap();
        assert_eq!((domain.as_str(), insecure.len()), ("reg.example:443", 0));
        let (domain, insecure, user, password) =
            of("http://reg.example:5000/", Some("ann:a:b\n")).unwrap();
        assert_eq!(own([&domain, &user, &password]), own(["reg.example:5000", "ann", "a:b"]));
        assert_eq!(insecure, ["reg.example:5000"]);
        for bad in
            ["reg.example", "ftp://reg.example", "https://u:secret@reg.example", "https://r/x"]
        {
            let error = of(bad, None).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(of("https://reg.example", Some("nobody")).unwrap_err().contains("USER:PASSWORD"));
        assert_eq!(of("", Some("a:b")).unwrap_err(), "--proxy-credentials needs --proxy");
        let both = Options {
            proxy: Some("https://reg.example".to_owned()),
            read_only: true,
            ..Options::default()
        };
        assert!(Upstream::of(&both).is_err());
    }
}
