//! `/v2/<name>/blobs/uploads/`: a blob is there already, is mounted from a repository beside it, or is sent.
//!
//! A large one is sent by one PATCH. Where that breaks, the registry is asked how much it has, and the next PATCH begins
//! there; where it has forgotten the upload, a new one begins.

use std::fs::File;
use std::sync::Arc;

use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use hyper::{Method, StatusCode};
use oci::Digest;

use super::authority::escaped;
use super::content::{Content, Progress};
use super::error::{Error, Result};
use super::origin::Origin;
use super::retry::Attempts;
use super::{Repository, resolve};

/// What is not larger is sent in one request.
const WHOLE: u64 = 1 << 20;

/// An upload that was begun, and goes on at byte `at`.
struct Session {
    origin: Origin,
    path: String,
    at: u64,
}

/// How a blob came to be in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Exists,
    /// From this repository of the same registry.
    Mounted(String),
    Sent,
}

impl Repository {
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool> {
        Ok(self.look_for_blob(digest).await?.is_some())
    }

    /// Mounts a blob of the repository `source`; `false` where the registry would rather have it sent.
    pub async fn mount(&self, digest: &Digest, source: &str) -> Result<bool> {
        self.authority.add_source(source).await;
        let query = format!("mount={}&from={}", escaped(digest.as_str()), escaped(source));
        let path = self.path_of(&format!("blobs/uploads/?{query}"));
        let headers = HeaderMap::new();
        match self.ask_patiently(Method::POST, &path, &headers, &Content::Nothing).await {
            Ok(answer) if answer.status == StatusCode::CREATED => Ok(true),
            Ok(answer) => {
                // It began an upload instead, which nobody will finish.
                if let Some(location) = answer.header(LOCATION)
                    && let Ok((origin, path)) = resolve(&answer.origin, &path, location)
                {
                    let _ =
                        self.ask(&origin, Method::DELETE, &path, &headers, &Content::Nothing).await;
                }
                Ok(false)
            }
            Err(error) if error.status().is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a blob of `size` bytes. A large one goes on where it broke off, as far as the registry has kept what came;
    /// a small one is sent again.
    pub async fn upload(
        &self,
        digest: &Digest,
        file: Arc<File>,
        size: u64,
        told: Progress,
    ) -> Result<()> {
        if size > WHOLE {
            return self.upload_on(digest, &file, size, &told).await;
        }
        self.upload_whole(digest, &Content::File { file, from: 0, size, told }).await
    }

    /// As [`upload`](Self::upload), from memory.
    pub async fn upload_bytes(&self, digest: &Digest, bytes: bytes::Bytes) -> Result<()> {
        self.upload_whole(digest, &Content::Bytes(bytes)).await
    }

    async fn upload_whole(&self, digest: &Digest, content: &Content) -> Result<()> {
        let mut attempts = Attempts::new(self.attempts);
        loop {
            let sent = match self.begin().await {
                Ok(session) => self.finish(&session, digest, content).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => return Ok(()),
                Err(error) => self.wait(&mut attempts, error).await?,
            }
        }
    }

    async fn upload_on(
        &self,
        digest: &Digest,
        file: &Arc<File>,
        size: u64,
        told: &Progress,
    ) -> Result<()> {
        let mut attempts = Attempts::new(self.attempts);
        let mut session = None;
        let mut furthest = 0;
        loop {
            let content =
                |from| Content::File { file: Arc::clone(file), from, size, told: told.clone() };
            let error = match self.go_on(&mut session, digest, size, content).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // A registry that forgets what it has is not asked for ever.
            let at = session.as_ref().map_or(0, |session: &Session| session.at);
            if at > furthest {
                attempts.progressed();
                furthest = at;
            }
            self.wait(&mut attempts, error).await?;
        }
    }

    /// What is left of a blob, by the session that the last try began if the registry still knows it.
    async fn go_on(
        &self,
        session: &mut Option<Session>,
        digest: &Digest,
        size: u64,
        content: impl Fn(u64) -> Content,
    ) -> Result<()> {
        if let Some(known) = session {
            *session = self.look_at(known, size).await?;
            // It may be over although nobody heard of it.
            if session.is_none() && self.has_blob(digest).await? {
                return Ok(());
            }
        }
        let session = match session {
            Some(session) => session,
            None => session.insert(self.begin().await?),
        };
        if session.at < size {
            *session = self.patch(session, size, &content(session.at)).await?;
        }
        self.finish(session, digest, &Content::Nothing).await
    }

    /// The same session with what the registry says it has of it; `None` where it has forgotten it.
    async fn look_at(&self, session: &Session, size: u64) -> Result<Option<Session>> {
        let Session { origin, path, .. } = session;
        let headers = HeaderMap::new();
        let answer = match self.ask(origin, Method::GET, path, &headers, &Content::Nothing).await {
            Ok(answer) => answer,
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => return Ok(None),
        };
        let at = arrived(answer.header(RANGE).unwrap_or_default());
        let Some(at) = at.filter(|at| *at <= size) else { return Ok(None) };
        let (origin, path) = match answer.header(LOCATION) {
            Some(location) => resolve(origin, path, location)?,
            None => (origin.clone(), path.clone()),
        };
        Ok(Some(Session { origin, path, at }))
    }

    async fn patch(&self, session: &Session, size: u64, content: &Content) -> Result<Session> {
        let Session { origin, path, at } = session;
        let mut headers = octets();
        if *at > 0 {
            let range = HeaderValue::try_from(format!("{at}-{}", size - 1));
            headers.insert(CONTENT_RANGE, range.map_err(|_| Error::invalid("invalid range"))?);
        }
        let asked = self.ask(origin, Method::PATCH, path, &headers, content).await;
        let answer = asked.map_err(|error| match error.status() {
            // It is elsewhere than we thought, or still busy with what broke off: that is asked before the next try.
            Some(409 | 416) => {
                let url = format!("{origin}{}", path.split('?').next().unwrap_or_default());
                Error::Unreachable { method: "Patch".to_owned(), url, why: error.to_string() }
            }
            _ => error,
        })?;
        let (origin, path) = match answer.header(LOCATION) {
            Some(location) => resolve(origin, path, location)?,
            None => (origin.clone(), path.clone()),
        };
        Ok(Session { origin, path, at: size })
    }

    /// The end of an upload, and its last or only content.
    async fn finish(&self, session: &Session, digest: &Digest, content: &Content) -> Result<()> {
        let Session { origin, path, .. } = session;
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}digest={}", escaped(digest.as_str()));
        let answer = self.ask(origin, Method::PUT, &path, &octets(), content).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
            status => Err(Error::invalid(format!("received unexpected HTTP status: {status}"))),
        }
    }

    async fn begin(&self) -> Result<Session> {
        let path = self.path_of("blobs/uploads/");
        let origin = &self.endpoint.origin;
        let headers = HeaderMap::new();
        let answer = self.ask(origin, Method::POST, &path, &headers, &Content::Nothing).await?;
        let location = answer.header(LOCATION);
        let location = location.ok_or_else(|| Error::invalid("an upload without a Location"))?;
        let (origin, path) = resolve(origin, &path, location)?;
        Ok(Session { origin, path, at: 0 })
    }
}

fn octets() -> HeaderMap {
    let kind = HeaderValue::from_static("application/octet-stream");
    HeaderMap::from_iter([(CONTENT_TYPE, kind)])
}

/// How many bytes a `Range: 0-N` says have come. Of none it is `0-0` with some registries, and missing with others.
pub(super) fn arrived(range: &str) -> Option<u64> {
    let range = range.trim();
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    if matches!(range, "" | "0-0" | "0--1") {
        return Some(0);
    }
    range.strip_prefix("0-")?.parse::<u64>().ok()?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_arrived_is_read_from_a_range() {
        assert_eq!(arrived("0-9"), Some(10));
        assert_eq!(arrived(" bytes=0-9 "), Some(10));
        for nothing in ["", "0-0", "0--1"] {
            assert_eq!(arrived(nothing), Some(0), "{nothing}");
        }
        for none in ["1-9", "0-x", "0-", "0-18446744073709551615", "-5", "9"] {
            assert_eq!(arrived(none), None, "{none}");
        }
    }
}
