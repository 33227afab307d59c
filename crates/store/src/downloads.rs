//! Blobs on their way here: `downloads/<hex>` holds the bytes that have arrived, from the first on.
//!
//! ```text
//!   network ──► file ──► hash, inflate, unpack (layers/pipeline.rs)
//! ```
//! What breaks off stays, and the next try begins behind it, in the next engine too. What turns out to be wrong goes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use oci::Digest;
use rusqlite::Connection;

use crate::Store;
use crate::error::{Error, Result};
use crate::layers::StagedLayer;

/// What has arrived of a blob. Whoever fetches one sees to it that nobody else does.
pub struct Download {
    digest: Digest,
    path: PathBuf,
    file: File,
    arrived: u64,
}

/// All of a blob, verified, under its name among the downloads.
pub(crate) struct Arrived {
    digest: Digest,
    path: PathBuf,
    size: u64,
}

/// A row of a blob that is kept.
pub(crate) struct Kept {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) size: u64,
}

impl Store {
    pub fn download(&self, digest: &Digest) -> Result<Download> {
        if digest.algorithm() != "sha256" {
            return Err(Error::invalid(format!("unsupported digest algorithm: {digest}")));
        }
        let path = self.root.download(digest);
        let failed = |error| Error::io(format!("download {digest}"), error);
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        let file = options.open(&path).map_err(failed)?;
        let arrived = file.metadata().map_err(failed)?.len();
        Ok(Download { digest: digest.clone(), path, file, arrived })
    }

    /// Unpacks a blob whose bytes go on with `rest`, while they come. `progress` gets the bytes unpacked so far.
    ///
    /// # Errors
    /// What is no layer, or not the one that the digest names, and what cannot be unpacked: nothing of it is kept. An
    /// error of `rest` keeps what has arrived.
    pub fn unpack(
        &self,
        mut download: Download,
        rest: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Arc<StagedLayer>> {
        use std::io::Seek as _;
        let failed = |error| Error::io("read download", error);
        download.file.seek(io::SeekFrom::Start(0)).map_err(failed)?;
        let mut source =
            Source { known: download.arrived, download: &mut download, rest, broken: None };
        let staged = self.stage_layer(&mut source, progress);
        if let Some(broken) = source.broken {
            return Err(broken.into());
        }
        let wrong = || {
            let digest = &download.digest;
            Error::invalid(format!("filesystem layer verification failed for digest {digest}"))
        };
        let staged =
            staged.and_then(
                |staged| {
                    if staged.blob == download.digest { Ok(staged) } else { Err(wrong()) }
                },
            );
        match staged {
            Ok(mut staged) => {
                let Download { digest, path, arrived: size, .. } = download;
                staged.download = Some(Arrived { digest, path, size });
                Ok(Arc::new(staged))
            }
            Err(error) => {
                // Bytes that are wrong would be wrong the next time.
                if !is_of_the_kernel(&error) {
                    let _ = fs::remove_file(&download.path);
                }
                Err(error)
            }
        }
    }

    /// Puts a whole blob in its place; its row comes with the layer's.
    pub(crate) fn keep_download(&self, arrived: &Arrived, diff_id: &Digest) -> Result<Kept> {
        let Arrived { digest, path, size } = arrived;
        let target = self.root.blob(digest);
        match fs::rename(path, &target) {
            // Another pull that shares it was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound && target.exists() => {}
            Err(error) => return Err(Error::io(format!("keep blob {digest}"), error)),
            Ok(()) => {}
        }
        Ok(Kept { digest: digest.clone(), diff_id: diff_id.clone(), size: *size })
    }
}

/// A full disk, say: it tells nothing of the bytes.
fn is_of_the_kernel(error: &Error) -> bool {
    let causes =
        std::iter::successors(Some(error as &dyn std::error::Error), |cause| cause.source());
    let is_errno = |cause: &io::Error| cause.raw_os_error().is_some();
    causes.filter_map(|cause| cause.downcast_ref()).any(is_errno)
}

impl Download {
    /// Bytes that need not be fetched again.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Begins anew.
    pub fn restart(&mut self) -> Result<()> {
        self.arrived = 0;
        self.file.set_len(0).map_err(|error| Error::io(format!("download {}", self.digest), error))
    }
}

impl Kept {
    pub(crate) fn insert(&self, db: &Connection) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO layer_blobs (digest, diff_id, size) VALUES (?1, ?2, ?3)";
        let values = (self.digest.as_str(), self.diff_id.as_str(), self.size);
        db.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

/// First what is in the file, then what comes, which goes into the file.
struct Source<'s> {
    /// Bytes of the file that are still to be read.
    known: u64,
    download: &'s mut Download,
    rest: &'s mut dyn Read,
    /// What ended the rest before its end.
    broken: Option<io::Error>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.known > 0 {
            let most = buffer.len().min(usize::try_from(self.known).unwrap_or(usize::MAX));
            let count = self.download.file.read(&mut buffer[..most])?;
            self.known = if count == 0 { 0 } else { self.known - count as u64 };
            return Ok(count);
        }
        let count = match self.rest.read(buffer) {
            Ok(count) => count,
            Err(error) => {
                self.broken = Some(io::Error::new(error.kind(), error.to_string()));
                return Err(error);
            }
        };
        self.download.file.write_all(&buffer[..count])?;
        self.download.arrived += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::digest_of;

    fn tar() -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(100_000);
        header.set_mode(0o644);
        let content: Vec<u8> = (0..100_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        tar.append_data(&mut header, "file", content.as_slice()).unwrap();
        tar.into_inner().unwrap()
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("cut"))
        }
    }

    #[test]
    fn what_has_arrived_is_not_fetched_again_by_the_next_store_either() {
        let root = tempfile::tempdir().unwrap();
        let tar = tar();
        let digest = digest_of(&tar);
        let store = Store::open(root.path()).unwrap();
        let download = store.download(&digest).unwrap();
        let mut cut = tar[..70_000].chain(Broken);
        let error = store.unpack(download, &mut cut, &mut |_| ()).err().unwrap();
        assert_eq!(error.to_string(), "cut");
        drop(store);
        let store = Store::open(root.path()).unwrap();
        let download = store.download(&digest).unwrap();
        assert_eq!(download.arrived(), 70_000);
        let staged = store.unpack(download, &mut &tar[70_000..], &mut |_| ()).unwrap();
        assert_eq!(*staged.diff_id(), digest);
        let lease = store.lease("test");
        store.commit_layers(vec![staged], &lease).unwrap();
        assert!(store.layer(&digest).unwrap().is_some());
        assert_eq!(fs::read(store.root.blob(&digest)).unwrap(), tar);
        assert_eq!(store.download(&digest).unwrap().arrived(), 0);
        drop(lease);
        assert!(!store.root.blob(&digest).exists(), "the blob goes with its layer");
    }

    #[test]
    fn a_store_that_fails_keeps_what_has_arrived() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let tar = tar();
        let digest = digest_of(&tar);
        let mut cut = tar[..70_000].chain(Broken);
        assert!(store.unpack(store.download(&digest).unwrap(), &mut cut, &mut |_| ()).is_err());
        let staging = root.path().join("staging");
        fs::remove_dir_all(&staging).unwrap();
        fs::write(&staging, "in the way").unwrap();
        let download = store.download(&digest).unwrap();
        let error = store.unpack(download, &mut &tar[70_000..], &mut |_| ()).err().unwrap();
        assert!(is_of_the_kernel(&error), "{error}");
        assert_eq!(store.download(&digest).unwrap().arrived(), 70_000);
    }

    #[test]
    fn what_is_not_what_its_digest_names_is_not_kept() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let tar = tar();
        let digest = digest_of(b"something else");
        for bytes in [tar.as_slice(), b"\x1f\x8b\x08 no gzip at all", b""] {
            let download = store.download(&digest).unwrap();
            let mut bytes = bytes;
            assert!(store.unpack(download, &mut bytes, &mut |_| ()).is_err());
            assert_eq!(store.download(&digest).unwrap().arrived(), 0);
        }
    }
}
