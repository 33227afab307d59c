//! `/v2/<name>/blobs/uploads/`: a blob is there already, is mounted from a repository beside it, or is sent.

use std::fs::File;
use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use oci::Digest;

use super::authority::escaped;
use super::content::{Content, Progress};
use super::error::{Error, Result};
use super::origin::Origin;
use super::retry::Attempts;
use super::{Repository, resolve};

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
        let path = self.path_of(&format!("blobs/{digest}"));
        let headers = HeaderMap::new();
        let asked = self.ask_patiently(Method::HEAD, &path, &headers, &Content::Nothing);
        match asked.await {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
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

    /// Sends a blob of `size` bytes in one piece; from its start again where that breaks.
    pub async fn upload(
        &self,
        digest: &Digest,
        file: Arc<File>,
        size: u64,
        told: Progress,
    ) -> Result<()> {
        let content = Content::File { file, size, told };
        self.upload_content(digest, &content).await
    }

    /// As [`upload`](Self::upload), from memory.
    pub async fn upload_bytes(&self, digest: &Digest, bytes: bytes::Bytes) -> Result<()> {
        self.upload_content(digest, &Content::Bytes(bytes)).await
    }

    async fn upload_content(&self, digest: &Digest, content: &Content) -> Result<()> {
        let mut attempts = Attempts::new(self.attempts);
        loop {
            match self.upload_once(digest, content).await {
                Ok(()) => return Ok(()),
                Err(error) => self.wait(&mut attempts, error).await?,
            }
        }
    }

    async fn upload_once(&self, digest: &Digest, content: &Content) -> Result<()> {
        let (origin, path) = self.begin().await?;
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}digest={}", escaped(digest.as_str()));
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let answer = self.ask(&origin, Method::PUT, &path, &headers, content).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
            status => Err(Error::invalid(format!("received unexpected HTTP status: {status}"))),
        }
    }

    async fn begin(&self) -> Result<(Origin, String)> {
        let path = self.path_of("blobs/uploads/");
        let origin = &self.endpoint.origin;
        let headers = HeaderMap::new();
        let answer = self.ask(origin, Method::POST, &path, &headers, &Content::Nothing).await?;
        let location = answer.header(LOCATION);
        let location = location.ok_or_else(|| Error::invalid("an upload without a Location"))?;
        resolve(origin, &path, location)
    }
}
