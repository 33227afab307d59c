//! `/v2/<name>/blobs/uploads/`: begun, gone on with, asked about, finished and cancelled.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderName, LOCATION, RANGE};
use oci::digest::Digest;
use tokio::task::{JoinHandle, spawn_blocking};

use super::access::Action;
use super::body::{Cut, Received};
use super::chunk::Chunk;
use super::error::{Code, Error};
use super::http::{Call, empty};
use super::names::{Repository, UploadId, digest};
use super::quotas::Room;
use super::registry::{CONTENT_DIGEST, Registry};
use super::storage::Upload;
use super::{Response, layout};

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
/// Hashed and written at once, while as much again is received.
const BATCH: usize = 1 << 20;

impl Registry {
    /// `POST`: by mount, whole, or to be gone on with.
    pub(super) async fn begin_upload(
        &self,
        call: &mut Call,
        repository: Repository,
    ) -> Result<Response, Error> {
        if let Some(mounted) = self.mount(call, &repository).await? {
            return Ok(created(&repository, &mounted));
        }
        let whole = call.query.get("digest").map(digest).transpose()?;
        let chunk = Chunk::parse(&call.headers)?;
        let room = self.room(&repository).await?;
        if whole.is_some() {
            room.check(chunk.length.unwrap_or_default())?;
        }
        let upload = self.begin(&repository).await?;
        let Some(digest) = whole else {
            return Ok(progress(StatusCode::ACCEPTED, &repository, upload.id(), 0));
        };
        let (upload, result) = self.receive(upload, &mut call.body, &chunk, &room).await?;
        if let Err(error) = result {
            let _ = spawn_blocking(move || upload.abandon()).await;
            return Err(error);
        }
        self.finish(upload, repository, digest).await
    }

    /// `GET`: how far it is.
    pub(super) async fn upload(
        &self,
        repository: Repository,
        id: Option<UploadId>,
    ) -> Result<Response, Error> {
        let (storage, id) = (self.storage.clone(), id.ok_or_else(unknown)?);
        blocking(move || {
            let offset = storage.progress_of_upload(&repository, &id)?;
            Ok(progress(StatusCode::NO_CONTENT, &repository, &id, offset))
        })
        .await
    }

    pub(super) async fn patch_upload(
        &self,
        call: &mut Call,
        repository: Repository,
        id: Option<UploadId>,
    ) -> Result<Response, Error> {
        let chunk = Chunk::parse(&call.headers)?;
        let room = self.room(&repository).await?;
        let upload = self.go_on(&repository, id, &chunk).await?;
        let (mut upload, result) = self.receive(upload, &mut call.body, &chunk, &room).await?;
        // What arrived is kept, even of a body that was cut off.
        let upload = blocking(move || {
            upload.save()?;
            Ok(upload)
        })
        .await?;
        result?;
        Ok(progress(StatusCode::ACCEPTED, &repository, upload.id(), upload.offset()))
    }

    pub(super) async fn put_upload(
        &self,
        call: &mut Call,
        repository: Repository,
        id: Option<UploadId>,
    ) -> Result<Response, Error> {
        let missing = || Error::new(Code::DigestInvalid, "the digest parameter is missing");
        let digest = digest(call.query.get("digest").ok_or_else(missing)?)?;
        let chunk = Chunk::parse(&call.headers)?;
        let room = self.room(&repository).await?;
        let upload = self.go_on(&repository, id, &chunk).await?;
        let (mut upload, result) = self.receive(upload, &mut call.body, &chunk, &room).await?;
        if let Err(error) = result {
            blocking(move || upload.save()).await?;
            return Err(error);
        }
        self.finish(upload, repository, digest).await
    }

    pub(super) async fn cancel_upload(
        &self,
        repository: Repository,
        id: Option<UploadId>,
    ) -> Result<Response, Error> {
        let (storage, id) = (self.storage.clone(), id.ok_or_else(unknown)?);
        blocking(move || storage.cancel_upload(&repository, &id)).await?;
        Ok(empty(StatusCode::NO_CONTENT, []))
    }

    /// `?mount=DIGEST&from=NAME`: the blob of another repository, if it is there.
    async fn mount(&self, call: &Call, to: &Repository) -> Result<Option<Digest>, Error> {
        let Some(wanted) = call.query.get("mount") else { return Ok(None) };
        let digest = digest(wanted)?;
        // Without a source, or with one that is no name, it is an upload like any other.
        let Some(from) = call.query.get("from").and_then(|from| Repository::parse(from).ok())
        else {
            return Ok(None);
        };
        if !self.access.allows(&call.identity, &from, Action::Pull) {
            return Ok(None);
        }
        let (theirs, ours) = (layout::blob_link(&from, &digest), layout::blob_link(to, &digest));
        let blob = layout::blob(&digest);
        let (storage, quotas) = (self.storage.clone(), Arc::clone(&self.quotas));
        let (to, mounted) = (to.clone(), digest.clone());
        let is_mounted = blocking(move || {
            let Some(facts) = storage.facts(&blob)? else { return Ok(false) };
            if !storage.exists(&theirs)? {
                return Ok(false);
            }
            quotas.take(&storage, &to, &mounted, facts.size)?;
            let held = storage.shared()?;
            if !storage.exists(&theirs)? || !storage.renew(&blob)? {
                return Ok(false);
            }
            held.check()?;
            storage.touch(&ours)?;
            Ok(true)
        });
        Ok(is_mounted.await?.then_some(digest))
    }

    /// One more, if there are not too many already.
    pub(super) async fn begin(&self, repository: &Repository) -> Result<Upload, Error> {
        let (storage, repository) = (self.storage.clone(), repository.clone());
        let (limit, age, beginning) = (self.max_uploads, self.upload_age, self.beginning.clone());
        blocking(move || {
            let _one_at_a_time = beginning.lock().unwrap_or_else(PoisonError::into_inner);
            let is_full = || Ok::<_, Error>(storage.list(&layout::uploads())?.len() >= limit);
            if is_full()? {
                storage.sweep(age)?;
                if is_full()? {
                    return Err(Error::too_many("too many open uploads"));
                }
            }
            storage.begin_upload(&repository)
        })
        .await
    }

    async fn go_on(
        &self,
        repository: &Repository,
        id: Option<UploadId>,
        chunk: &Chunk,
    ) -> Result<Upload, Error> {
        let id = id.ok_or_else(unknown)?;
        let (storage, name) = (self.storage.clone(), repository.clone());
        let upload = blocking(move || storage.resume_upload(&name, &id)).await?;
        if chunk.start.is_some_and(|start| start != upload.offset()) {
            return Err(out_of_order(repository, &upload));
        }
        Ok(upload)
    }

    async fn finish(
        &self,
        upload: Upload,
        repository: Repository,
        digest: Digest,
    ) -> Result<Response, Error> {
        let response = created(&repository, &digest);
        let (storage, quotas) = (self.storage.clone(), Arc::clone(&self.quotas));
        blocking(move || {
            if let Err(error) = quotas.take(&storage, &repository, &digest, upload.offset()) {
                upload.abandon();
                return Err(error);
            }
            upload.finish(&digest)
        })
        .await?;
        Ok(response)
    }

    async fn room(&self, repository: &Repository) -> Result<Room, Error> {
        if self.quotas.is_empty() {
            return Ok(Room::unbounded());
        }
        let (quotas, repository) = (Arc::clone(&self.quotas), repository.clone());
        Ok(self.storage.blocking(move |storage| quotas.room(storage, &repository)).await?)
    }

    /// Takes a body in, as far as there is room for it. The outer error is one after which the upload cannot be used.
    async fn receive(
        &self,
        upload: Upload,
        body: &mut Received,
        chunk: &Chunk,
        room: &Room,
    ) -> Result<(Upload, Result<(), Error>), Error> {
        let begin = upload.offset();
        if let Err(error) = room.check(begin.saturating_add(chunk.length.unwrap_or_default())) {
            return Ok((upload, Err(error)));
        }
        let mut sink = Sink::Idle(Box::new(upload));
        let (mut batch, mut size, mut total) = (Vec::new(), 0, 0);
        let result = loop {
            let piece = match body.piece().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break Ok(()),
                Err(cut) => break Err(refusal(&cut)),
            };
            total += piece.len() as u64;
            if chunk.length.is_some_and(|length| total > length) {
                break Err(wrong_length());
            }
            if let Err(error) = room.check(begin + total) {
                break Err(error);
            }
            size += piece.len();
            batch.push(piece);
            if size >= BATCH {
                match sink.write(std::mem::take(&mut batch)).await? {
                    (next, Ok(())) => (sink, size) = (next, 0),
                    (next, Err(error)) => return Ok((next.end().await?.0, Err(error))),
                }
            }
        };
        let (sink, written) = sink.write(batch).await?;
        let (upload, last) = sink.end().await?;
        self.metrics.received(total);
        let complete = match result {
            Ok(()) if chunk.length.is_some_and(|length| total < length) => Err(wrong_length()),
            result => result,
        };
        Ok((upload, complete.and(written.and(last))))
    }
}

/// An upload and, while a batch is written, the thread that does it.
enum Sink {
    Idle(Box<Upload>),
    Writing(JoinHandle<(Box<Upload>, Result<(), Error>)>),
}

impl Sink {
    /// Waits for the batch before this one, and says what became of it.
    async fn write(self, batch: Vec<Bytes>) -> Result<(Self, Result<(), Error>), Error> {
        let (mut upload, result) = self.end_boxed().await?;
        if result.is_err() || batch.is_empty() {
            return Ok((Self::Idle(upload), result));
        }
        let writing = spawn_blocking(move || {
            let result = upload.append(&batch);
            (upload, result)
        });
        Ok((Self::Writing(writing), Ok(())))
    }

    async fn end(self) -> Result<(Upload, Result<(), Error>), Error> {
        self.end_boxed().await.map(|(upload, result)| (*upload, result))
    }

    async fn end_boxed(self) -> Result<(Box<Upload>, Result<(), Error>), Error> {
        match self {
            Self::Idle(upload) => Ok((upload, Ok(()))),
            Self::Writing(writing) => Ok(writing.await.map_err(std::io::Error::other)?),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(std::io::Error::other)?
}

fn created(repository: &Repository, digest: &Digest) -> Response {
    empty(
        StatusCode::CREATED,
        [
            (LOCATION, format!("/v2/{repository}/blobs/{digest}")),
            (CONTENT_DIGEST, digest.to_string()),
        ],
    )
}

/// Where it goes on, and how far it is.
fn progress(status: StatusCode, repository: &Repository, id: &UploadId, offset: u64) -> Response {
    empty(
        status,
        [
            (LOCATION, location(repository, id)),
            (RANGE, range(offset)),
            (UPLOAD_UUID, id.as_str().to_owned()),
        ],
    )
}

fn location(repository: &Repository, id: &UploadId) -> String {
    format!("/v2/{repository}/blobs/uploads/{}", id.as_str())
}

/// The last byte included; of nothing it is `0-0`, as others say it.
fn range(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

fn out_of_order(repository: &Repository, upload: &Upload) -> Error {
    Error::new(Code::BlobUploadInvalid, "the chunk does not begin where the last one ended")
        .with_status(StatusCode::RANGE_NOT_SATISFIABLE)
        .with_header(LOCATION, location(repository, upload.id()))
        .with_header(RANGE, range(upload.offset()))
}

fn wrong_length() -> Error {
    Error::new(Code::SizeInvalid, "the content is not of the length that was stated")
}

fn refusal(cut: &Cut) -> Error {
    let error = Error::new(Code::BlobUploadInvalid, cut.to_string());
    match cut {
        Cut::Slow => error.with_status(StatusCode::REQUEST_TIMEOUT),
        _ => error,
    }
}

fn unknown() -> Error {
    Error::new(Code::BlobUploadUnknown, "blob upload unknown to registry")
}
