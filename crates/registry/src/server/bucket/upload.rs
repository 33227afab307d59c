//! One upload in an object storage: pieces, each an object that is written once, and a state that lists them. A piece
//! is never changed, so a state is always one that somebody acknowledged, whole. Of two requests that go on with one
//! upload the second to write its state is refused; where the storage does not know conditions, the last one's counts.
//!
//! All pieces but the last are of the size that storages demand of the parts of an object ([`PIECE`]): a shorter last
//! one is read back by whoever goes on, and replaced.

use std::io;

use bytes::{Bytes, BytesMut};
use oci::digest::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

use super::Bucket;
use crate::server::error::{Code, Error};
use crate::server::layout;
use crate::server::names::{Repository, UploadId, hex};
use crate::server::upload::{freeze, thaw};

const CHECKPOINT: u64 = 64 << 20;
/// Storages take no less of any part but the last, and 10,000 parts at most: later pieces are larger.
const PIECE: usize = 8 << 20;
const PIECES_OF_A_SIZE: usize = 2000;
/// Of content that appears and is collected again before it is referred to.
const TRIES: usize = 3;

pub(in crate::server) struct Upload {
    bucket: Bucket,
    id: UploadId,
    state: State,
    /// Of the state in the storage.
    version: String,
    hash: Sha256,
    offset: u64,
    /// What came and is in no whole piece.
    tail: BytesMut,
    /// The piece that the state in the storage has of the tail.
    short: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct State {
    repository: String,
    offset: u64,
    hash: String,
    /// Their names below the upload's; the last one may be short.
    pieces: Vec<Piece>,
}

#[derive(Serialize, Deserialize)]
struct Piece {
    name: String,
    size: usize,
}

impl Upload {
    pub(in crate::server) fn begin(
        bucket: &Bucket,
        repository: &Repository,
    ) -> Result<Self, Error> {
        let hash = Sha256::new();
        let state = State {
            repository: repository.as_str().to_owned(),
            offset: 0,
            hash: freeze(&hash),
            pieces: Vec::new(),
        };
        let mut upload = Self {
            bucket: bucket.clone(),
            id: UploadId::random()?,
            state,
            version: String::new(),
            hash,
            offset: 0,
            tail: BytesMut::new(),
            short: None,
        };
        upload.save()?;
        Ok(upload)
    }

    pub(in crate::server) fn resume(
        bucket: &Bucket,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<Self, Error> {
        let (mut state, version) = State::read(bucket, repository, id)?;
        let damaged = || io::Error::other(format!("upload {} is damaged", id.as_str()));
        let hash = thaw(&state.hash).ok_or_else(damaged)?;
        let (mut tail, mut short) = (BytesMut::new(), None);
        if let Some(last) = state.pieces.pop_if(|piece| piece.size < PIECE) {
            // Gone: another request has gone on since the state was read.
            let (bytes, _) = bucket.get(&key(id, &last.name))?.ok_or_else(conflict)?;
            tail.extend_from_slice(&bytes);
            short = Some(last.name);
        }
        let offset = state.offset;
        let bucket = bucket.clone();
        Ok(Self { bucket, id: id.clone(), state, version, hash, offset, tail, short })
    }

    pub(in crate::server) fn progress(
        bucket: &Bucket,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<u64, Error> {
        State::read(bucket, repository, id).map(|(state, _)| state.offset)
    }

    pub(in crate::server) fn cancel(
        bucket: &Bucket,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<(), Error> {
        State::read(bucket, repository, id)?;
        bucket.remove_folder(&layout::uploads().below(id.as_str()))?;
        Ok(())
    }

    pub(in crate::server) fn id(&self) -> &UploadId {
        &self.id
    }

    pub(in crate::server) fn offset(&self) -> u64 {
        self.offset
    }

    pub(in crate::server) fn append(&mut self, pieces: &[Bytes]) -> Result<(), Error> {
        for piece in pieces {
            self.hash.update(piece);
            self.tail.extend_from_slice(piece);
            self.offset += piece.len() as u64;
        }
        while self.tail.len() >= self.piece_size() {
            let size = self.piece_size();
            let whole = self.tail.split_to(size).freeze();
            let piece = self.write_piece(whole)?;
            self.state.pieces.push(piece);
        }
        if self.offset - self.state.offset >= CHECKPOINT { self.save() } else { Ok(()) }
    }

    /// Makes what came so far outlive this process.
    pub(in crate::server) fn save(&mut self) -> Result<(), Error> {
        let old = self.short.take();
        self.state.hash = freeze(&self.hash);
        self.state.offset = self.offset;
        let whole = self.state.pieces.len();
        if !self.tail.is_empty() {
            let piece = self.write_piece(Bytes::copy_from_slice(&self.tail))?;
            self.short = Some(piece.name.clone());
            self.state.pieces.push(piece);
        }
        let text = serde_json::to_vec(&self.state).map_err(io::Error::other)?;
        self.state.pieces.truncate(whole);
        let version = Some(self.version.as_str()).filter(|version| !version.is_empty());
        let key = layout::upload_state(&self.id);
        self.version = self.bucket.replace(key.as_str(), version, text)?.ok_or_else(conflict)?;
        if let Some(old) = old {
            self.bucket.delete(&self::key(&self.id, &old))?;
        }
        Ok(())
    }

    pub(in crate::server) fn finish(self, digest: &Digest) -> Result<(), Error> {
        if self.digest(digest.algorithm())? != *digest {
            self.abandon();
            return Err(Error::new(
                Code::DigestInvalid,
                "provided digest did not match uploaded content",
            ));
        }
        let repository = Repository::parse(&self.state.repository)?;
        let (blob, link) = (layout::blob(digest), layout::blob_link(&repository, digest));
        for _ in 0..TRIES {
            if !self.bucket.exists(&blob)? {
                self.place(blob.as_str())?;
            }
            let held = self.bucket.shared()?;
            if self.bucket.renew(&blob)? {
                held.check()?;
                self.bucket.touch(&link)?;
                drop(held);
                self.abandon();
                return Ok(());
            }
        }
        Err(io::Error::other(format!("{digest} was collected before it was referred to")).into())
    }

    /// Removes it; one that cannot be removed is swept later.
    pub(in crate::server) fn abandon(&self) {
        let folder = layout::uploads().below(self.id.as_str());
        if let Err(error) = self.bucket.remove_folder(&folder) {
            tracing::warn!("cannot remove upload {}: {error}", self.id.as_str());
        }
    }

    fn place(&self, blob: &str) -> io::Result<()> {
        let tail = Bytes::copy_from_slice(&self.tail);
        let pieces = &self.state.pieces;
        if pieces.is_empty() {
            return self.bucket.put(blob, tail);
        }
        let pieces: Vec<_> = pieces.iter().map(|piece| key(&self.id, &piece.name)).collect();
        self.bucket.join(blob, &pieces, tail)
    }

    fn piece_size(&self) -> usize {
        PIECE << (self.state.pieces.len() / PIECES_OF_A_SIZE)
    }

    fn write_piece(&self, bytes: Bytes) -> io::Result<Piece> {
        let piece = Piece { name: UploadId::random()?.as_str().to_owned(), size: bytes.len() };
        self.bucket.put(&key(&self.id, &piece.name), bytes)?;
        Ok(piece)
    }

    fn digest(&self, algorithm: &str) -> Result<Digest, Error> {
        if algorithm != "sha512" {
            return Ok(Digest::from_sha256(self.hash.clone().finalize().into()));
        }
        let mut hash = Sha512::new();
        for piece in &self.state.pieces {
            let (bytes, _) = self.bucket.get(&key(&self.id, &piece.name))?.ok_or_else(conflict)?;
            hash.update(&bytes);
        }
        hash.update(&self.tail);
        crate::server::names::digest(&format!("sha512:{}", hex(&hash.finalize())))
    }
}

impl State {
    /// An upload is known under its repository alone. With its version.
    fn read(
        bucket: &Bucket,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<(Self, String), Error> {
        let (text, version) = bucket.get(layout::upload_state(id).as_str())?.ok_or_else(unknown)?;
        let state: Self = serde_json::from_slice(&text).map_err(io::Error::other)?;
        if state.repository == repository.as_str() { Ok((state, version)) } else { Err(unknown()) }
    }
}

fn key(id: &UploadId, piece: &str) -> String {
    format!("{}/{piece}", layout::uploads().below(id.as_str()).as_str())
}

fn unknown() -> Error {
    Error::new(Code::BlobUploadUnknown, "blob upload unknown to registry")
}

fn conflict() -> Error {
    Error::new(Code::BlobUploadInvalid, "another request is going on with this upload")
        .with_status(hyper::StatusCode::CONFLICT)
}
