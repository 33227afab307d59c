//! `/v2/<name>/manifests/<reference>`.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LOCATION};
use hyper::{Method, StatusCode};
use oci::descriptor::Descriptor;
use oci::digest::Digest;
use sha2::{Digest as _, Sha256, Sha512};

use super::body::{Body, Cut};
use super::error::{Code, Error};
use super::http::{Call, empty};
use super::manifest::Manifest;
use super::names::{Reference, Repository, Tag, digest, hex};
use super::range::not_modified;
use super::registry::{CONTENT_DIGEST, Registry};
use super::storage::{Held, Storage};
use super::{Response, layout};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// A manifest as the storage has it.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
}

impl Stored {
    pub(super) fn find(
        storage: &Storage,
        repository: &Repository,
        reference: Reference,
    ) -> io::Result<Option<Self>> {
        match resolve(storage, repository, reference)? {
            Some(digest) => Self::load(storage, repository, digest),
            None => Ok(None),
        }
    }

    pub(super) fn load(
        storage: &Storage,
        repository: &Repository,
        digest: Digest,
    ) -> io::Result<Option<Self>> {
        let Some(text) = storage.read(&layout::manifest(repository, &digest))? else {
            return Ok(None);
        };
        let end = text.iter().position(|byte| *byte == b'\n');
        let end =
            end.ok_or_else(|| io::Error::other(format!("{digest} of {repository} is damaged")))?;
        let media_type = String::from_utf8_lossy(&text[..end]).into_owned();
        Ok(Some(Self { digest, media_type, bytes: text.slice(end + 1..) }))
    }
}

impl Registry {
    pub(super) async fn manifest(
        &self,
        call: &Call,
        repository: Repository,
        reference: Reference,
    ) -> Result<Response, Error> {
        let stored = match &self.upstream {
            Some(upstream) => upstream.manifest(&self.storage, repository, reference).await,
            None => {
                let found = self
                    .storage
                    .blocking(move |storage| Stored::find(storage, &repository, reference));
                found.await?.ok_or_else(unknown)
            }
        }?;
        let etag = format!("\"{}\"", stored.digest);
        let known = [(ETAG, etag.clone()), (CONTENT_DIGEST, stored.digest.to_string())];
        if not_modified(&call.headers, &etag) {
            return Ok(empty(StatusCode::NOT_MODIFIED, known));
        }
        let mut response = empty(StatusCode::OK, known);
        super::http::add(
            &mut response,
            [(CONTENT_TYPE, stored.media_type), (CONTENT_LENGTH, stored.bytes.len().to_string())],
        );
        if call.method != Method::HEAD {
            *response.body_mut() = Body::from(stored.bytes);
        }
        Ok(response)
    }

    pub(super) async fn put_manifest(
        &self,
        call: &mut Call,
        repository: Repository,
        reference: Reference,
    ) -> Result<Response, Error> {
        let stated = stated_type(&call.headers);
        let bytes = call.body.whole(oci::manifest::MAX_BYTES).await.map_err(|cut| refusal(&cut))?;
        let manifest = Manifest::parse(&bytes, stated.as_deref())?;
        let digest = match &reference {
            Reference::Digest(digest) if *digest != digest_of(&bytes, digest.algorithm())? => {
                return Err(Error::new(
                    Code::DigestInvalid,
                    "provided digest did not match uploaded content",
                ));
            }
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(_) => digest_of(&bytes, "sha256")?,
        };
        let mut response = empty(
            StatusCode::CREATED,
            [
                (LOCATION, format!("/v2/{repository}/manifests/{digest}")),
                (CONTENT_DIGEST, digest.to_string()),
            ],
        );
        if let Some(subject) = &manifest.subject {
            super::http::add(&mut response, [(SUBJECT, subject.to_string())]);
        }
        let tag = match reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        };
        let push = Push { repository, digest, manifest, bytes, tag };
        let (storage, quotas) = (self.storage.clone(), Arc::clone(&self.quotas));
        let done = tokio::task::spawn_blocking(move || {
            let size = push.bytes.len() as u64;
            quotas.take(&storage, &push.repository, &push.digest, size)?;
            push.carry_out(&storage)
        });
        done.await.map_err(io::Error::other)??;
        Ok(response)
    }

    /// A tag goes alone; a manifest with all tags that name it.
    pub(super) async fn delete_manifest(
        &self,
        repository: Repository,
        reference: Reference,
    ) -> Result<Response, Error> {
        let removed = self.storage.blocking(move |storage| {
            let held = storage.alone()?;
            match reference {
                Reference::Tag(tag) => storage.remove(&held, &layout::tag(&repository, &tag)),
                Reference::Digest(digest) => remove(storage, &held, &repository, digest),
            }
        });
        if !removed.await? {
            return Err(unknown());
        }
        Ok(empty(StatusCode::ACCEPTED, []))
    }
}

/// A manifest that was understood and is to be stored.
pub(super) struct Push {
    pub(super) repository: Repository,
    pub(super) digest: Digest,
    pub(super) manifest: Manifest,
    pub(super) bytes: Bytes,
    pub(super) tag: Option<Tag>,
}

impl Push {
    /// What it refers to is there, and cannot be removed until the manifest is seen to refer to it.
    fn carry_out(&self, storage: &Storage) -> Result<(), Error> {
        let held = storage.shared()?;
        self.check_references(storage, &held)?;
        Ok(self.store(storage, &held)?)
    }

    /// As it is, whether or not what it refers to is there.
    pub(super) fn store(&self, storage: &Storage, held: &Held) -> io::Result<()> {
        let key = layout::manifest(&self.repository, &self.digest);
        // The referrer first: one whose manifest is not there is not listed.
        if let Some(subject) = &self.manifest.subject {
            let text = serde_json::to_vec(&self.descriptor()).map_err(io::Error::other)?;
            held.check()?;
            storage.write(&layout::referrer(&self.repository, subject, &self.digest), &[&text])?;
        }
        held.check()?;
        storage.write(&key, &[self.manifest.media_type.as_bytes(), b"\n", &self.bytes])?;
        if let Some(tag) = &self.tag {
            let key = layout::tag(&self.repository, tag);
            held.check()?;
            storage.write(&key, &[self.digest.as_str().as_bytes()])?;
        }
        Ok(())
    }

    fn check_references(&self, storage: &Storage, held: &Held) -> Result<(), Error> {
        let blobs = self
            .manifest
            .blobs
            .iter()
            .map(|digest| (digest, layout::blob_link(&self.repository, digest)));
        let manifests = &self.manifest.manifests;
        let manifests =
            manifests.iter().map(|digest| (digest, layout::manifest(&self.repository, digest)));
        for (digest, key) in blobs.chain(manifests) {
            held.check()?;
            if !storage.renew(&key)? {
                let text = format!("manifest references {digest}, which is not in this repository");
                return Err(Error::new(Code::ManifestBlobUnknown, text));
            }
        }
        Ok(())
    }

    /// As the list of referrers has it.
    fn descriptor(&self) -> Descriptor {
        let mut descriptor = Descriptor::new(
            self.manifest.media_type.clone(),
            self.digest.clone(),
            self.bytes.len() as u64,
        );
        descriptor.artifact_type.clone_from(&self.manifest.artifact_type);
        descriptor.annotations.clone_from(&self.manifest.annotations);
        descriptor
    }
}

/// In this order, so that no tag names what is not there whenever this is cut off.
pub(super) fn remove(
    storage: &Storage,
    held: &Held,
    repository: &Repository,
    digest: Digest,
) -> io::Result<bool> {
    let Some(stored) = Stored::load(storage, repository, digest)? else { return Ok(false) };
    for (name, _) in storage.list(&layout::tags(repository))? {
        let key = layout::tags(repository).below(&name);
        if storage.read(&key)?.is_some_and(|text| text == stored.digest.as_str().as_bytes()) {
            storage.remove(held, &key)?;
        }
    }
    remove_stored(storage, held, repository, &stored)?;
    Ok(true)
}

/// One that no tag names.
pub(super) fn remove_untagged(
    storage: &Storage,
    held: &Held,
    repository: &Repository,
    digest: &Digest,
) -> io::Result<bool> {
    let Some(stored) = Stored::load(storage, repository, digest.clone())? else { return Ok(false) };
    remove_stored(storage, held, repository, &stored)?;
    Ok(true)
}

fn remove_stored(
    storage: &Storage,
    held: &Held,
    repository: &Repository,
    stored: &Stored,
) -> io::Result<()> {
    storage.remove(held, &layout::manifest(repository, &stored.digest))?;
    let manifest = Manifest::parse(&stored.bytes, Some(&stored.media_type));
    if let Some(subject) = manifest.ok().and_then(|manifest| manifest.subject) {
        storage.remove(held, &layout::referrer(repository, &subject, &stored.digest))?;
    }
    Ok(())
}

fn resolve(
    storage: &Storage,
    repository: &Repository,
    reference: Reference,
) -> io::Result<Option<Digest>> {
    match reference {
        Reference::Digest(digest) => Ok(Some(digest)),
        Reference::Tag(tag) => tagged(storage, repository, &tag),
    }
}

/// What a tag names.
pub(super) fn tagged(
    storage: &Storage,
    repository: &Repository,
    tag: &Tag,
) -> io::Result<Option<Digest>> {
    let Some(text) = storage.read(&layout::tag(repository, tag))? else { return Ok(None) };
    let text = String::from_utf8_lossy(&text);
    let damaged = |_| io::Error::other(format!("tag {} of {repository} is damaged", tag.as_str()));
    Digest::parse(&text).map(Some).map_err(damaged)
}

fn digest_of(bytes: &[u8], algorithm: &str) -> Result<Digest, Error> {
    match algorithm {
        "sha512" => digest(&format!("sha512:{}", hex(&Sha512::digest(bytes)))),
        _ => Ok(Digest::from_sha256(Sha256::digest(bytes).into())),
    }
}

/// Without the parameters of the header.
fn stated_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next()?.trim().to_ascii_lowercase()).filter(|kind| !kind.is_empty())
}

pub(super) fn unknown() -> Error {
    Error::new(Code::ManifestUnknown, "manifest unknown")
}

fn refusal(cut: &Cut) -> Error {
    match cut {
        Cut::TooLarge(_) => Error::new(Code::SizeInvalid, cut.to_string())
            .with_status(StatusCode::PAYLOAD_TOO_LARGE),
        Cut::Slow => Error::new(Code::ManifestInvalid, cut.to_string())
            .with_status(StatusCode::REQUEST_TIMEOUT),
        Cut::Gone => Error::new(Code::ManifestInvalid, cut.to_string()),
    }
}
