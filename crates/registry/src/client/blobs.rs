//! `/v2/<name>/blobs/<digest>`: from the start or from where it broke off.

use bytes::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE,
};
use hyper::{Method, StatusCode};
use oci::{Descriptor, Digest};
use tokio::sync::mpsc;

use super::content::Content;
use super::error::{Error, Result};
use super::manifests::has_digest;
use super::retry::Attempts;
use super::{Answer, Repository};

impl Repository {
    /// Sends the bytes of a blob from `from` on, each once, however often the connection breaks. That they are the
    /// right ones is for the receiver to find out; that there are not more of them is seen to here.
    ///
    /// A receiver that is gone ends it well.
    pub async fn blob(
        &self,
        blob: &Descriptor,
        from: u64,
        receiver: &mpsc::Sender<Bytes>,
    ) -> Result<()> {
        let mut at = from;
        let mut attempts = Attempts::new(self.attempts);
        while at < blob.size || blob.size == 0 {
            let before = at;
            match self.blob_once(blob, &mut at, receiver).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if at > before {
                        attempts.progressed();
                    }
                    self.wait(&mut attempts, error).await?;
                }
            }
        }
        Ok(())
    }

    async fn blob_once(
        &self,
        blob: &Descriptor,
        at: &mut u64,
        receiver: &mpsc::Sender<Bytes>,
    ) -> Result<()> {
        let path = self.path_of(&format!("blobs/{}", blob.digest));
        let mut headers = HeaderMap::new();
        // Another encoding would be other bytes.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if *at > 0 {
            let range = HeaderValue::try_from(format!("bytes={at}-"));
            headers.insert(RANGE, range.map_err(|_| Error::invalid("invalid range"))?);
        }
        let origin = &self.endpoint.origin;
        let mut answer = self.ask(origin, Method::GET, &path, &headers, &Content::Nothing).await?;
        let is_part = answer.status == StatusCode::PARTIAL_CONTENT;
        let range = answer.header(CONTENT_RANGE).unwrap_or_default();
        let mut skip = skipped(is_part, range, *at)?;
        let length = answer.header(CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        if length.is_some_and(|length| length + (*at - skip) != blob.size) {
            return Err(wrong_size(blob));
        }
        while let Some(mut chunk) = answer.chunk().await? {
            let known = skip.min(chunk.len() as u64);
            skip -= known;
            chunk = chunk.slice(usize::try_from(known).unwrap_or(chunk.len())..);
            if *at + chunk.len() as u64 > blob.size {
                return Err(wrong_size(blob));
            }
            *at += chunk.len() as u64;
            if !chunk.is_empty() && receiver.send(chunk).await.is_err() {
                return Ok(());
            }
        }
        if *at == blob.size { Ok(()) } else { Err(answer.failed("unexpected EOF".into())) }
    }

    /// How large a blob is; `None` if the registry does not have it.
    pub async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>> {
        let Some(answer) = self.look_for_blob(digest).await? else { return Ok(None) };
        let length = answer.header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        length.map(Some).ok_or_else(|| Error::invalid(format!("no size is told of {digest}")))
    }

    pub(super) async fn look_for_blob(&self, digest: &Digest) -> Result<Option<Answer<'_>>> {
        let path = self.path_of(&format!("blobs/{digest}"));
        let headers = HeaderMap::new();
        let asked = self.ask_patiently(Method::HEAD, &path, &headers, &Content::Nothing);
        match asked.await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A blob that is read as a whole, and is what the digest names.
    pub async fn document(&self, digest: &Digest, limit: usize) -> Result<Bytes> {
        let bytes = self.small_blob(digest, limit).await?;
        match has_digest(&bytes, digest) {
            true => Ok(bytes),
            false => Err(Error::invalid(format!("verification failed for digest {digest}"))),
        }
    }

    /// One that is read as a whole.
    pub(super) async fn small_blob(&self, digest: &Digest, limit: usize) -> Result<Bytes> {
        let path = self.path_of(&format!("blobs/{digest}"));
        let mut attempts = Attempts::new(self.attempts);
        loop {
            let origin = &self.endpoint.origin;
            let headers = HeaderMap::new();
            let asked = self.ask(origin, Method::GET, &path, &headers, &Content::Nothing).await;
            let read = match asked {
                Ok(answer) => answer.whole(limit).await,
                Err(error) => Err(error),
            };
            match read {
                Ok(bytes) => return Ok(bytes),
                Err(error) => self.wait(&mut attempts, error).await?,
            }
        }
    }
}

/// How many bytes at the start of the answer are known already: all of them where a server sends the whole.
pub(super) fn skipped(is_part: bool, range: &str, at: u64) -> Result<u64> {
    if !is_part {
        return Ok(at);
    }
    let start = range.strip_prefix("bytes ").and_then(|range| range.split('-').next());
    match start.and_then(|start| start.trim().parse::<u64>().ok()) {
        Some(start) if start == at => Ok(0),
        _ => Err(Error::invalid(format!("another range than asked for: {range:?}"))),
    }
}

fn wrong_size(blob: &Descriptor) -> Error {
    Error::invalid(format!("layer {} does not have the promised {} bytes", blob.digest, blob.size))
}
