//! The data root's directories. Nothing in `staging` or `trash` is ever visible; both are emptied at open.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::layers::parts;

pub(crate) struct Root {
    path: PathBuf,
    next: AtomicU64,
    /// Held for the life of the process: a second engine on this root would corrupt it.
    _lock: File,
}

impl Root {
    pub(crate) fn open(path: &Path) -> Result<Root> {
        make_directory(path)?;
        let path =
            fs::canonicalize(path).map_err(|error| Error::io(path.display().to_string(), error))?;
        let lock = lock(&path)?;
        let root = Root { path, next: AtomicU64::new(0), _lock: lock };
        for directory in [
            "blobs/sha256",
            "layers",
            "downloads",
            "staging",
            "trash",
            "containers",
            "empty",
            "volumes",
            "build-cache",
        ] {
            make_directory(&root.path.join(directory))?;
        }
        root.discard_leftovers()?;
        Ok(root)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs/sha256")
    }

    pub(crate) fn blob(&self, digest: &oci::Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// What has arrived of a blob that is being fetched; it stays for the next try.
    pub(crate) fn download(&self, digest: &oci::Digest) -> PathBuf {
        self.path.join("downloads").join(digest.hex())
    }

    /// Gives up downloads that nobody went on with for long.
    pub(crate) fn forget_downloads(&self, after: Duration) {
        for entry in fs::read_dir(self.path.join("downloads")).into_iter().flatten().flatten() {
            let changed = entry.metadata().and_then(|metadata| metadata.modified());
            let age = changed.ok().and_then(|changed| changed.elapsed().ok());
            if age.is_some_and(|age| age > after) {
                // The next round tries again.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    pub(crate) fn layer(&self, number: u64) -> PathBuf {
        self.path.join("layers").join(number.to_string())
    }

    /// Where layers lie, top first. Overlayfs needs one lower directory: without layers it is an empty one. It takes none
    /// twice: of a layer that is there more than once, all that the lower ones show is hidden by the topmost. What a layer
    /// lies over comes right below it.
    pub(crate) fn lower(&self, layers: &[u64]) -> Vec<PathBuf> {
        if layers.is_empty() {
            return vec![self.path.join("empty")];
        }
        let mut seen = HashSet::new();
        let layers = layers.iter().rev().map(|number| self.layer(*number));
        let parts = layers.flat_map(|layer| [parts::over(&layer), Some(layer)].into_iter().rev());
        let topmost = parts.flatten().filter(|part| seen.insert(part.clone()));
        topmost.map(|part| part.join("diff")).collect()
    }

    /// Names the run of the kernel in which the root was last opened.
    pub(crate) fn boot(&self) -> PathBuf {
        self.path.join("last-boot")
    }

    /// What the cache mount of that number holds.
    pub(crate) fn cache_mount(&self, number: u64) -> PathBuf {
        self.path.join("build-cache").join(number.to_string())
    }

    pub(crate) fn container(&self, id: &str) -> PathBuf {
        self.path.join("containers").join(id)
    }

    /// Refuses what would need room where there is none. Some file systems do not say how much they have.
    pub(crate) fn check_room(&self) -> Result<()> {
        let stat = rustix::fs::statvfs(&self.path)
            .map_err(|error| Error::io(self.path.display().to_string(), error))?;
        if stat.f_blocks > 0 && stat.f_bfree == 0 {
            return Err(Error::io(self.path.display().to_string(), Errno::NOSPC));
        }
        Ok(())
    }

    pub(crate) fn stage(&self) -> Result<Staged> {
        let path = self.path.join("staging").join(self.unique());
        make_directory(&path)?;
        Ok(Staged { path })
    }

    /// Takes a directory out of sight at once; [`Root::empty_trash`] deletes it later.
    pub(crate) fn discard(&self, path: &Path) -> Result<()> {
        loop {
            let target = self.path.join("trash").join(self.unique());
            match fs::rename(path, &target) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                // A process of this id died before, and what it discarded could not be deleted.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
                    ) => {}
                Err(error) => return Err(Error::io(format!("remove {}", path.display()), error)),
            }
        }
    }

    pub(crate) fn empty_trash(&self) {
        // A leftover is tried again at the next open; nobody waits for the answer.
        for entry in fs::read_dir(self.path.join("trash")).into_iter().flatten().flatten() {
            let _ = sys::remove::tree(&entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }

    /// Takes what lies in one of the root's directories without being known out of sight.
    pub(crate) fn discard_unknown(
        &self,
        directory: &str,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let directory = self.path.join(directory);
        let entries = fs::read_dir(&directory)
            .map_err(|error| Error::io(directory.display().to_string(), error))?;
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(&is_known) {
                self.discard(&entry.path())?;
            }
        }
        Ok(())
    }

    fn unique(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", std::process::id())
    }

    fn discard_leftovers(&self) -> Result<()> {
        let staging = self.path.join("staging");
        let entries = fs::read_dir(&staging).map_err(|error| Error::io("staging", error))?;
        for entry in entries.flatten() {
            self.discard(&entry.path())?;
        }
        self.empty_trash();
        Ok(())
    }
}

/// A folder in staging, removed on drop unless moved away, and at the next open where the process dies before that.
pub struct Staged {
    path: PathBuf,
}

impl Staged {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn rename(&self, target: &Path) -> Result<()> {
        fs::rename(&self.path, target)
            .map_err(|error| Error::io(target.display().to_string(), error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing here; whatever resists is removed at the next open.
        let _ = sys::remove::tree(&self.path);
    }
}

pub(crate) fn make_directory(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Error::io(format!("create {}", path.display()), error))
}

/// Locks the data root for this process and says so in the file. The kernel drops the lock however the process ends.
fn lock(root: &Path) -> Result<File> {
    let path = root.join("gantry.lock");
    let fail = |error| Error::io(path.display().to_string(), error);
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    let mut file = options.open(&path).map_err(fail)?;
    // The process's lock, not the open file's: that would outlive a killed engine in a child that it has forked and
    // that has not yet become another program.
    if rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut pid = String::new();
        file.read_to_string(&mut pid).map_err(fail)?;
        return Err(Error::conflict(format!(
            "another engine (pid {}) already uses the folder {}; give this one its own --data-root and --exec-root",
            pid.trim(),
            root.display()
        )));
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(fail)?;
    Ok(file)
}
