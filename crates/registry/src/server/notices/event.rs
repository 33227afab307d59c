//! An event as Docker's registry has it.

use std::io;

use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use oci::digest::Digest;
use serde::{Deserialize, Serialize};

use super::Asked;
use crate::server::Response;
use crate::server::layout;
use crate::server::manifests::Stored;
use crate::server::names::{Reference, Repository, UploadId};
use crate::server::registry::CONTENT_DIGEST;
use crate::server::route::Route;
use crate::server::storage::Storage;

const BLOB: &str = "application/octet-stream";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Pull,
    Push,
    Mount,
    Delete,
}

#[derive(Debug, Serialize)]
pub(super) struct Event {
    id: String,
    timestamp: String,
    pub(super) action: Action,
    pub(super) target: Target,
    request: Request,
    actor: Actor,
    source: Source,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    /// The same as the size, for clients of old.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    repository: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Request {
    pub(super) addr: String,
    pub(super) host: String,
    pub(super) method: String,
    pub(super) useragent: String,
}

#[derive(Debug, Serialize)]
struct Actor {
    name: String,
}

/// Which process it was.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(rename = "instanceID")]
    instance_id: String,
}

impl Event {
    /// `None` of what nobody is told: lists, questions, uploads that go on, what failed.
    pub(super) fn of(asked: Asked, response: &Response) -> io::Result<Option<Self>> {
        let Some((action, repository, reference)) = what(&asked, response) else {
            return Ok(None);
        };
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let (tag, named) = match reference {
            Some(Reference::Tag(tag)) => (Some(tag.as_str().to_owned()), None),
            Some(Reference::Digest(digest)) => (None, Some(digest)),
            None => (None, None),
        };
        let told = header(CONTENT_DIGEST).and_then(|text| Digest::parse(text).ok());
        let is_blob = !matches!(asked.route, Route::Manifest(..));
        let pulled = action == Action::Pull;
        let kind = header(CONTENT_TYPE).filter(|_| pulled && !is_blob).unwrap_or_default();
        let size = header(CONTENT_LENGTH).filter(|_| pulled).and_then(|text| text.parse().ok());
        let digest = told.or(named);
        let url = url(&asked, &repository, is_blob, digest.as_ref());
        let target = Target {
            media_type: if is_blob { BLOB.to_owned() } else { kind.to_owned() },
            size,
            digest,
            length: size,
            repository: repository.as_str().to_owned(),
            url,
            from_repository: asked.source.filter(|_| action == Action::Mount),
            tag,
        };
        Ok(Some(Self {
            id: UploadId::random()?.as_str().to_owned(),
            timestamp: Timestamp::now().to_string(),
            action,
            target,
            request: asked.request,
            actor: Actor { name: asked.actor },
            source: Source { instance_id: format!("{}", std::process::id()) },
        }))
    }

    /// With what the storage knows of what was pushed.
    pub(super) fn completed(mut self, storage: &Storage) -> io::Result<Self> {
        let is_new = matches!(self.action, Action::Push | Action::Mount);
        let Some(digest) = self.target.digest.clone().filter(|_| is_new) else { return Ok(self) };
        if self.target.media_type == BLOB {
            self.target.size = storage.facts(&layout::blob(&digest))?.map(|facts| facts.size);
        } else if let Ok(repository) = Repository::parse(&self.target.repository)
            && let Some(stored) = Stored::load(storage, &repository, digest)?
        {
            self.target.size = Some(stored.bytes.len() as u64);
            self.target.media_type = stored.media_type;
        }
        self.target.length = self.target.size;
        Ok(self)
    }
}

fn what(asked: &Asked, response: &Response) -> Option<(Action, Repository, Option<Reference>)> {
    let status = response.status();
    match (&asked.route, &asked.method) {
        (Route::Manifest(name, reference), method) => {
            let action = match (method, status) {
                (&Method::GET, StatusCode::OK) => Action::Pull,
                (&Method::PUT, StatusCode::CREATED) => Action::Push,
                (&Method::DELETE, StatusCode::ACCEPTED) => Action::Delete,
                _ => return None,
            };
            Some((action, name.clone(), Some(reference.clone())))
        }
        (Route::Blob(name, digest), method) => {
            let action = match (method, status) {
                (&Method::GET, StatusCode::OK) => Action::Pull,
                // Of a blob that comes in parts the first one is told of.
                (&Method::GET, StatusCode::PARTIAL_CONTENT) if is_first(response) => Action::Pull,
                (&Method::DELETE, StatusCode::ACCEPTED) => Action::Delete,
                _ => return None,
            };
            Some((action, name.clone(), Some(Reference::Digest(digest.clone()))))
        }
        (Route::Uploads(name) | Route::Upload(name, _), _) if status == StatusCode::CREATED => {
            let whole = asked.source.is_none() || matches!(asked.route, Route::Upload(..));
            Some((if whole { Action::Push } else { Action::Mount }, name.clone(), None))
        }
        _ => None,
    }
}

/// Where the client found it, as far as it said so.
fn url(asked: &Asked, repository: &Repository, is_blob: bool, digest: Option<&Digest>) -> String {
    let (host, kind) = (&asked.request.host, if is_blob { "blobs" } else { "manifests" });
    let scheme = if asked.is_encrypted { "https" } else { "http" };
    match digest {
        Some(digest) if !host.is_empty() => {
            format!("{scheme}://{host}/v2/{repository}/{kind}/{digest}")
        }
        _ => String::new(),
    }
}

fn is_first(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_RANGE)
        .is_some_and(|range| range.as_bytes().starts_with(b"bytes 0-"))
}
