//! One upload in a folder: what came, where it ends, and its hash so far. The client knows nothing but a random name;
//! where it is and to which repository it belongs stands in the storage.
//!
//! The state is written whenever a request ends and every [`CHECKPOINT`] bytes in between; what lies behind it in the
//! data was never acknowledged and is cut off by whoever goes on. A hash is taken up again only within one run of the
//! machine: after a loss of power the data is hashed again, for it may not be what was once written.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use oci::digest::Digest;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

use super::directory::Directory;
use super::error::{Code, Error};
use super::layout;
use super::names::{Repository, UploadId, hex};

const CHECKPOINT: u64 = 64 << 20;
/// Read at once where data is hashed again.
const PIECE: usize = 1 << 20;

/// Held by one request at a time, in all processes.
pub(super) struct Upload {
    id: UploadId,
    repository: Repository,
    directory: Directory,
    file: File,
    hash: Sha256,
    offset: u64,
    saved: u64,
}

#[derive(Serialize, Deserialize)]
struct State {
    repository: String,
    offset: u64,
    hash: String,
    boot: String,
}

impl Upload {
    pub(super) fn begin(directory: &Directory, repository: &Repository) -> Result<Self, Error> {
        let id = UploadId::random()?;
        let data = directory.path(&layout::upload_data(&id));
        fs::create_dir(data.parent().unwrap_or(&data))?;
        let file = File::options().read(true).write(true).create_new(true).open(&data)?;
        let mut upload = Self::of(directory, repository, id, file);
        upload.lock()?;
        upload.save()?;
        Ok(upload)
    }

    /// Goes on with one of this repository that is open.
    pub(super) fn resume(
        directory: &Directory,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<Self, Error> {
        State::read(directory, repository, id)?;
        let path = directory.path(&layout::upload_data(id));
        let file = File::options().read(true).write(true).open(path).map_err(|_| unknown())?;
        let mut upload = Self::of(directory, repository, id.clone(), file);
        upload.lock()?;
        // Another request may have gone on with it, or have ended it, before this one got the lock.
        upload.take_up(&State::read(directory, repository, id)?)?;
        Ok(upload)
    }

    fn of(directory: &Directory, repository: &Repository, id: UploadId, file: File) -> Self {
        Self {
            id,
            repository: repository.clone(),
            directory: directory.clone(),
            file,
            hash: Sha256::new(),
            offset: 0,
            saved: 0,
        }
    }

    /// How much of an upload has been acknowledged.
    pub(super) fn progress(
        directory: &Directory,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<u64, Error> {
        State::read(directory, repository, id).map(|state| state.offset)
    }

    pub(super) fn cancel(
        directory: &Directory,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<(), Error> {
        State::read(directory, repository, id)?;
        let removed = directory.remove_folder(&layout::uploads().below(id.as_str()))?;
        removed.then_some(()).ok_or_else(unknown)
    }

    pub(super) fn id(&self) -> &UploadId {
        &self.id
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn append(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        for piece in pieces {
            self.file.write_all_at(piece, self.offset)?;
            self.hash.update(piece);
            self.offset += piece.len() as u64;
        }
        if self.offset - self.saved >= CHECKPOINT { self.save() } else { Ok(()) }
    }

    /// Makes what came so far outlive this process.
    pub(super) fn save(&mut self) -> io::Result<()> {
        let state = State {
            repository: self.repository.as_str().to_owned(),
            offset: self.offset,
            hash: freeze(&self.hash),
            boot: boot_id(),
        };
        let text = serde_json::to_vec(&state)?;
        self.directory.write_unsynced(&layout::upload_state(&self.id), &text)?;
        self.saved = self.offset;
        Ok(())
    }

    /// Makes it the content of that digest, of which the repository has a blob from then on.
    pub(super) fn finish(self, digest: &Digest) -> Result<(), Error> {
        if self.digest(digest.algorithm())? != *digest {
            self.abandon();
            return Err(Error::new(
                Code::DigestInvalid,
                "provided digest did not match uploaded content",
            ));
        }
        let key = layout::blob(digest);
        // What is behind the end was never acknowledged, and is no part of what was hashed.
        self.file.set_len(self.offset)?;
        self.file.sync_data()?;
        let _held = self.directory.locks().shared()?;
        if self.directory.facts(&key)?.is_some() {
            self.directory.touch(&key)?;
        } else {
            self.file.set_times(fs::FileTimes::new().set_modified(SystemTime::now()))?;
            self.directory.place(&self.directory.path(&layout::upload_data(&self.id)), &key)?;
        }
        self.directory.touch(&layout::blob_link(&self.repository, digest))?;
        self.abandon();
        Ok(())
    }

    /// Removes it; one that cannot be removed is swept later.
    pub(super) fn abandon(&self) {
        let folder = layout::uploads().below(self.id.as_str());
        if let Err(error) = self.directory.remove_folder(&folder) {
            tracing::warn!("cannot remove upload {}: {error}", self.id.as_str());
        }
    }

    fn lock(&self) -> Result<(), Error> {
        flock(&self.file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Error::new(Code::BlobUploadInvalid, "another request is going on with this upload")
                .with_status(hyper::StatusCode::CONFLICT)
        })
    }

    fn take_up(&mut self, state: &State) -> Result<(), Error> {
        let length = self.file.metadata()?.len();
        match thaw(&state.hash) {
            Some(hash) if state.boot == boot_id() && length >= state.offset => {
                (self.hash, self.offset) = (hash, state.offset);
            }
            _ => {
                self.offset = state.offset.min(length);
                self.hash = hash_again::<Sha256>(&self.file, self.offset)?;
            }
        }
        self.saved = self.offset;
        Ok(())
    }

    fn digest(&self, algorithm: &str) -> Result<Digest, Error> {
        Ok(match algorithm {
            "sha512" => {
                let hash = hash_again::<Sha512>(&self.file, self.offset)?.finalize();
                super::names::digest(&format!("sha512:{}", hex(&hash)))?
            }
            _ => Digest::from_sha256(self.hash.clone().finalize().into()),
        })
    }
}

impl State {
    /// An upload is known under its repository alone.
    fn read(directory: &Directory, repository: &Repository, id: &UploadId) -> Result<Self, Error> {
        let text = directory.read(&layout::upload_state(id))?.ok_or_else(unknown)?;
        let state: Self = serde_json::from_slice(&text).map_err(io::Error::other)?;
        if state.repository == repository.as_str() { Ok(state) } else { Err(unknown()) }
    }
}

/// A hash that can be taken up again.
pub(super) fn freeze(hash: &Sha256) -> String {
    hex(&hash.serialize())
}

pub(super) fn thaw(text: &str) -> Option<Sha256> {
    let digits = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.map(byte).collect();
    let state = SerializedState::<Sha256>::try_from(bytes?.as_slice()).ok()?;
    Sha256::deserialize(&state).ok()
}

/// How long nothing has come of an upload; `None` of one that is gone.
pub(super) fn idle(directory: &Directory, listed: &str) -> io::Result<Option<Duration>> {
    let folder = layout::uploads().below(listed);
    let modified = |key| io::Result::Ok(directory.facts(&key)?.map(|facts| facts.modified));
    let (data, own) = (modified(folder.below("data"))?, modified(folder)?);
    let last = data.max(own);
    Ok(last.map(|last| last.elapsed().unwrap_or_default()))
}

fn unknown() -> Error {
    Error::new(Code::BlobUploadUnknown, "blob upload unknown to registry")
}

fn hash_again<H: sha2::Digest>(file: &File, end: u64) -> io::Result<H> {
    let mut hash = H::new();
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < end {
        let length = usize::try_from(end - at).map_or(PIECE, |rest| rest.min(PIECE));
        file.read_exact_at(&mut piece[..length], at)?;
        hash.update(&piece[..length]);
        at += length as u64;
    }
    Ok(hash)
}

fn boot_id() -> String {
    let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id");
    // Where the kernel does not say, no two runs are the same one.
    let text =
        read().unwrap_or_else(|_| format!("{:?}", SystemTime::now().duration_since(UNIX_EPOCH)));
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        _folder: tempfile::TempDir,
        directory: Directory,
        repository: Repository,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        Place { _folder: folder, directory, repository: Repository::parse("a").unwrap() }
    }

    fn sha256(bytes: &[u8]) -> Digest {
        Digest::from_sha256(Sha256::digest(bytes).into())
    }

    impl Place {
        fn begin(&self) -> Upload {
            Upload::begin(&self.directory, &self.repository).unwrap()
        }

        fn resume(&self, id: &UploadId) -> Result<Upload, Error> {
            Upload::resume(&self.directory, &self.repository, id)
        }

        fn rewrite(&self, id: &UploadId, change: impl Fn(&mut serde_json::Value)) {
            let key = layout::upload_state(id);
            let text = self.directory.read(&key).unwrap().unwrap();
            let mut state = serde_json::from_slice(&text).unwrap();
            change(&mut state);
            self.directory.write_unsynced(&key, state.to_string().as_bytes()).unwrap();
        }
    }

    #[test]
    fn it_goes_on_where_it_was_saved_and_what_was_not_is_cut_off() {
        let place = place();
        let mut upload = place.begin();
        let id = upload.id().clone();
        upload.append(&["hello ".into()]).unwrap();
        upload.save().unwrap();
        upload.append(&["lost and longer".into()]).unwrap();
        // As if the process were killed here.
        drop(upload);
        let mut upload = place.resume(&id).unwrap();
        assert_eq!(upload.offset(), 6);
        upload.append(&["world".into()]).unwrap();
        let digest = sha256(b"hello world");
        upload.finish(&digest).unwrap();
        let content = place.directory.path(&layout::blob(&digest));
        assert_eq!(fs::read(content).unwrap(), b"hello world");
        assert!(
            place
                .directory
                .facts(&layout::blob_link(&place.repository, &digest))
                .unwrap()
                .is_some()
        );
        assert_eq!(place.resume(&id).err().unwrap().code, Code::BlobUploadUnknown);
    }

    #[test]
    fn a_hash_of_another_boot_or_a_damaged_one_is_made_again() {
        let place = place();
        for change in ["boot", "hash"] {
            let mut upload = place.begin();
            let id = upload.id().clone();
            upload.append(&["data".into()]).unwrap();
            upload.save().unwrap();
            drop(upload);
            place.rewrite(&id, |state| state[change] = "00".into());
            place.resume(&id).unwrap().finish(&sha256(b"data")).unwrap();
        }
    }

    #[test]
    fn data_that_a_loss_of_power_cut_goes_on_from_what_is_there() {
        let place = place();
        let mut upload = place.begin();
        let id = upload.id().clone();
        upload.append(&["abcdef".into()]).unwrap();
        upload.save().unwrap();
        upload.file.set_len(3).unwrap();
        drop(upload);
        let upload = place.resume(&id).unwrap();
        assert_eq!(upload.offset(), 3);
        upload.finish(&sha256(b"abc")).unwrap();
    }

    #[test]
    fn one_request_at_a_time_goes_on_and_only_in_its_repository() {
        let place = place();
        let upload = place.begin();
        let id = upload.id().clone();
        assert_eq!(place.resume(&id).err().unwrap().code, Code::BlobUploadInvalid);
        drop(upload);
        let other = Repository::parse("b").unwrap();
        let elsewhere = Upload::resume(&place.directory, &other, &id).err().unwrap();
        assert_eq!(elsewhere.code, Code::BlobUploadUnknown);
        assert!(Upload::cancel(&place.directory, &other, &id).is_err());
        Upload::cancel(&place.directory, &place.repository, &id).unwrap();
        assert!(place.resume(&id).is_err());
    }

    #[test]
    fn content_of_another_digest_is_never_visible() {
        let place = place();
        let mut upload = place.begin();
        upload.append(&["other".into()]).unwrap();
        let digest = sha256(b"claimed");
        assert_eq!(upload.finish(&digest).unwrap_err().code, Code::DigestInvalid);
        assert!(place.directory.facts(&layout::blob(&digest)).unwrap().is_none());
        assert!(place.directory.list(&layout::uploads()).unwrap().is_empty());
    }

    #[test]
    fn sha512_names_content_too() {
        let place = place();
        let mut upload = place.begin();
        upload.append(&["x".into()]).unwrap();
        let digest = Digest::parse(&format!("sha512:{}", hex(&Sha512::digest(b"x")))).unwrap();
        upload.finish(&digest).unwrap();
        assert!(place.directory.facts(&layout::blob(&digest)).unwrap().is_some());
    }
}
