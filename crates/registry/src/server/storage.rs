//! Where everything is: a folder, or a bucket of an object storage. What the one does with the kernel's locks and times
//! of files, the other does with objects; nobody else knows which of them it is.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use oci::digest::Digest;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::task::spawn_blocking;

use super::body::Body;
use super::bucket::{self, Bucket, Flag};
use super::directory::{Directory, Facts, Kind};
use super::error::Error;
use super::layout::{self, Key};
use super::locks;
use super::names::{Repository, UploadId};
use super::options::Options;
use super::upload;
use super::upstream::Flight;

#[derive(Clone)]
pub(super) enum Storage {
    Folder(Directory),
    Bucket(Bucket),
}

/// Content that is there.
pub(super) struct Content {
    source: Source,
    pub(super) size: u64,
}

enum Source {
    /// Whatever becomes of its name.
    File(Arc<File>),
    Object(Bucket, Key),
    /// On its way from another registry.
    Coming(Arc<Flight>),
    /// There, as far as is known, and not to be read.
    Elsewhere,
}

/// A lock, until it is dropped.
pub(super) enum Held {
    Kernel(#[expect(dead_code, reason = "it is held, not used")] locks::Held),
    Flag(Flag),
}

/// Whoever has it does what one process does at a time.
pub(super) enum Turn {
    Kernel(#[expect(dead_code, reason = "it is held, not used")] File),
    Flag(#[expect(dead_code, reason = "it is held, not used")] Flag),
}

pub(super) enum Upload {
    Folder(upload::Upload),
    Bucket(bucket::upload::Upload),
}

impl Storage {
    pub(super) fn open(options: &Options) -> io::Result<Self> {
        let named =
            |error: io::Error| super::named(&format!("cannot use {}", options.place()), &error);
        match &options.storage {
            Some(place) => Bucket::open(place).map(Self::Bucket).map_err(named),
            None => Directory::open(&options.root).map(Self::Folder).map_err(named),
        }
    }

    /// Does something with it on a thread that may block.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let own = self.clone();
        spawn_blocking(move || work(&own)).await.map_err(io::Error::other)?
    }

    /// Nothing is removed meanwhile.
    pub(super) fn shared(&self) -> io::Result<Held> {
        match self {
            Self::Folder(folder) => folder.locks().shared().map(Held::Kernel),
            Self::Bucket(bucket) => bucket.shared().map(Held::Flag),
        }
    }

    /// Nothing is added meanwhile.
    pub(super) fn alone(&self) -> io::Result<Held> {
        match self {
            Self::Folder(folder) => folder.locks().alone().map(Held::Kernel),
            Self::Bucket(bucket) => bucket.alone().map(Held::Flag),
        }
    }

    /// `None` if another process is at it.
    pub(super) fn turn(&self, key: &Key) -> io::Result<Option<Turn>> {
        match self {
            Self::Folder(folder) => lock_turn(folder, key),
            Self::Bucket(bucket) => Ok(bucket.turn(key)?.map(Turn::Flag)),
        }
    }

    pub(super) async fn open_content(&self, key: Key) -> io::Result<Option<Content>> {
        self.blocking(move |storage| match storage {
            Self::Folder(folder) => {
                let Some(file) = folder.open_file(&key)? else { return Ok(None) };
                let size = file.metadata()?.len();
                Ok(Some(Content { source: Source::File(Arc::new(file)), size }))
            }
            Self::Bucket(bucket) => Ok(bucket
                .size(&key)?
                .map(|size| Content { source: Source::Object(bucket.clone(), key), size })),
        })
        .await
    }

    pub(super) fn read(&self, key: &Key) -> io::Result<Option<Bytes>> {
        match self {
            Self::Folder(folder) => folder.read(key),
            Self::Bucket(bucket) => bucket.read(key),
        }
    }

    pub(super) fn exists(&self, key: &Key) -> io::Result<bool> {
        match self {
            Self::Folder(folder) => Ok(folder.facts(key)?.is_some()),
            Self::Bucket(bucket) => bucket.exists(key),
        }
    }

    /// Whether there is, or ever was, anything below it, as far as the storage knows.
    pub(super) fn has_folder(&self, key: &Key) -> io::Result<bool> {
        match self {
            Self::Folder(folder) => Ok(folder.facts(key)?.is_some()),
            Self::Bucket(bucket) => Ok(!bucket.list(key)?.is_empty()),
        }
    }

    /// The time is when somebody last referred to it.
    pub(super) fn facts(&self, key: &Key) -> io::Result<Option<Facts>> {
        match self {
            Self::Folder(folder) => folder.facts(key),
            Self::Bucket(bucket) => bucket.facts(key),
        }
    }

    /// The names one level below, sorted.
    pub(super) fn list(&self, key: &Key) -> io::Result<Vec<(String, Kind)>> {
        match self {
            Self::Folder(folder) => folder.list(key),
            Self::Bucket(bucket) => bucket.list(key),
        }
    }

    /// A whole file in place of what was there, if anything; it outlives the machine.
    pub(super) fn write(&self, key: &Key, parts: &[&[u8]]) -> io::Result<()> {
        match self {
            Self::Folder(folder) => folder.write(key, parts),
            Self::Bucket(bucket) => bucket.write(key, parts),
        }
    }

    /// An empty file, with the present time.
    pub(super) fn touch(&self, key: &Key) -> io::Result<()> {
        match self {
            Self::Folder(folder) => folder.touch(key),
            Self::Bucket(bucket) => bucket.touch(key),
        }
    }

    /// Gives what is there the present time, so that it is not taken for garbage; whether it is there.
    pub(super) fn renew(&self, key: &Key) -> io::Result<bool> {
        match self {
            Self::Folder(folder) => folder.renew(key),
            Self::Bucket(bucket) => bucket.renew(key),
        }
    }

    /// Whether it was there. `held` is the lock held alone, whatever else was done since it was taken.
    pub(super) fn remove(&self, held: &Held, key: &Key) -> io::Result<bool> {
        match self {
            Self::Folder(folder) => folder.remove(key),
            Self::Bucket(bucket) => bucket.remove(key, || held.check()),
        }
    }

    /// Removes what nobody refers to, which needs no lock; whether it was there.
    pub(super) fn forget(&self, key: &Key) -> io::Result<bool> {
        match self {
            Self::Folder(folder) => folder.remove(key),
            Self::Bucket(bucket) => bucket.remove(key, || Ok(())),
        }
    }

    pub(super) fn begin_upload(&self, repository: &Repository) -> Result<Upload, Error> {
        match self {
            Self::Folder(folder) => upload::Upload::begin(folder, repository).map(Upload::Folder),
            Self::Bucket(bucket) => {
                bucket::upload::Upload::begin(bucket, repository).map(Upload::Bucket)
            }
        }
    }

    /// Goes on with one of this repository that is open.
    pub(super) fn resume_upload(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<Upload, Error> {
        match self {
            Self::Folder(folder) => {
                upload::Upload::resume(folder, repository, id).map(Upload::Folder)
            }
            Self::Bucket(bucket) => {
                bucket::upload::Upload::resume(bucket, repository, id).map(Upload::Bucket)
            }
        }
    }

    /// How much of an upload has been acknowledged.
    pub(super) fn progress_of_upload(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<u64, Error> {
        match self {
            Self::Folder(folder) => upload::Upload::progress(folder, repository, id),
            Self::Bucket(bucket) => bucket::upload::Upload::progress(bucket, repository, id),
        }
    }

    pub(super) fn cancel_upload(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => upload::Upload::cancel(folder, repository, id),
            Self::Bucket(bucket) => bucket::upload::Upload::cancel(bucket, repository, id),
        }
    }

    /// Removes uploads of which nothing came for that long, and what never got to its place. Returns how many uploads
    /// they were.
    pub(super) fn sweep(&self, age: Duration) -> io::Result<usize> {
        let mut count = 0;
        for (id, _) in self.list(&layout::uploads())? {
            let folder = layout::uploads().below(&id);
            if self.idle(&folder, &id)?.is_some_and(|idle| idle > age) {
                count += usize::from(self.remove_folder(&folder)?);
            }
        }
        match self {
            Self::Folder(folder) => sweep_staging(folder, age)?,
            Self::Bucket(bucket) => bucket.sweep_joins(age)?,
        }
        Ok(count)
    }

    fn idle(&self, folder: &Key, id: &str) -> io::Result<Option<Duration>> {
        match self {
            Self::Folder(directory) => upload::idle(directory, id),
            Self::Bucket(bucket) => bucket.idle(folder),
        }
    }

    fn remove_folder(&self, key: &Key) -> io::Result<bool> {
        match self {
            Self::Folder(folder) => folder.remove_folder(key),
            Self::Bucket(bucket) => bucket.remove_folder(key),
        }
    }
}

impl Content {
    pub(super) fn coming(flight: Arc<Flight>) -> Self {
        Self { size: flight.size(), source: Source::Coming(flight) }
    }

    pub(super) fn elsewhere(size: u64) -> Self {
        Self { size, source: Source::Elsewhere }
    }

    pub(super) fn body(&self, part: Range<u64>) -> Body {
        match &self.source {
            Source::File(file) => Body::part(Arc::clone(file), part),
            _ if part.is_empty() => Body::empty(),
            Source::Elsewhere => Body::empty(),
            Source::Coming(flight) => {
                Body::remote(Arc::clone(flight).read(part.clone()), part.end - part.start)
            }
            Source::Object(bucket, key) => {
                Body::remote(bucket.stream(key, &part, self.size), part.end - part.start)
            }
        }
    }
}

impl Held {
    /// # Errors
    /// It was held for so long that others may no longer heed it: nothing may be acknowledged any more.
    pub(super) fn check(&self) -> io::Result<()> {
        match self {
            Self::Kernel(_) => Ok(()),
            Self::Flag(flag) => flag.check(),
        }
    }
}

impl Upload {
    pub(super) fn id(&self) -> &UploadId {
        match self {
            Self::Folder(upload) => upload.id(),
            Self::Bucket(upload) => upload.id(),
        }
    }

    pub(super) fn offset(&self) -> u64 {
        match self {
            Self::Folder(upload) => upload.offset(),
            Self::Bucket(upload) => upload.offset(),
        }
    }

    /// What came so far, where that is one file.
    pub(super) fn file(&self) -> Option<&File> {
        match self {
            Self::Folder(upload) => Some(upload.file()),
            Self::Bucket(_) => None,
        }
    }

    pub(super) fn append(&mut self, pieces: &[Bytes]) -> Result<(), Error> {
        match self {
            Self::Folder(upload) => Ok(upload.append(pieces)?),
            Self::Bucket(upload) => upload.append(pieces),
        }
    }

    /// Makes what came so far outlive this process.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        match self {
            Self::Folder(upload) => Ok(upload.save()?),
            Self::Bucket(upload) => upload.save(),
        }
    }

    /// Makes it the content of that digest, of which the repository has a blob from then on.
    pub(super) fn finish(self, digest: &Digest) -> Result<(), Error> {
        match self {
            Self::Folder(upload) => upload.finish(digest),
            Self::Bucket(upload) => upload.finish(digest),
        }
    }

    /// Removes it; one that cannot be removed is swept later.
    pub(super) fn abandon(&self) {
        match self {
            Self::Folder(upload) => upload.abandon(),
            Self::Bucket(upload) => upload.abandon(),
        }
    }
}

fn lock_turn(folder: &Directory, key: &Key) -> io::Result<Option<Turn>> {
    let path = folder.path(key);
    let file = File::options().create(true).append(true).open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Turn::Kernel(file))),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn sweep_staging(folder: &Directory, age: Duration) -> io::Result<()> {
    for (name, _) in folder.list(&layout::staging())? {
        let key = layout::staging().below(&name);
        let written = folder.facts(&key)?.and_then(|facts| facts.modified.elapsed().ok());
        if written.is_some_and(|idle| idle > age) {
            folder.remove(&key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_that_nobody_goes_on_with_are_removed_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::Folder(Directory::open(folder.path()).unwrap());
        drop(storage.begin_upload(&Repository::parse("a").unwrap()).unwrap());
        std::fs::write(folder.path().join("staging/x"), "").unwrap();
        assert_eq!(storage.sweep(Duration::from_secs(60)).unwrap(), 0);
        assert_eq!(storage.list(&layout::uploads()).unwrap().len(), 1);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(storage.sweep(Duration::ZERO).unwrap(), 1);
        assert!(storage.list(&layout::uploads()).unwrap().is_empty());
        assert!(storage.list(&layout::staging()).unwrap().is_empty());
    }
}
