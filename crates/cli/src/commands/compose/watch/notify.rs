//! Changes of files below folders, in batches: a save is often several.
//!
//! A folder that comes is watched before it is listed, so that nothing in it is missed; what is there twice is told once.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use tokio::io::unix::AsyncFd;

use crate::error::{Failure, Result};

/// A batch ends when nothing has changed for so long,
const QUIET: Duration = Duration::from_millis(10);
/// or when it has been open for so long.
const LONGEST: Duration = Duration::from_millis(100);
const BUFFER: usize = 64 << 10;

pub(super) struct Watcher {
    fd: AsyncFd<OwnedFd>,
    folders: HashMap<i32, PathBuf>,
    roots: BTreeSet<PathBuf>,
}

type Hidden<'a> = &'a dyn Fn(&Path) -> bool;

impl Watcher {
    pub(super) fn of(roots: &BTreeSet<PathBuf>, hidden: Hidden<'_>) -> Result<Self> {
        let fd =
            inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        let mut watcher =
            Self { fd: readiness(fd)?, folders: HashMap::new(), roots: roots.clone() };
        for root in roots {
            let failed = |why: io::Error| Failure::new(format!("{}: {why}", root.display()));
            match root.metadata().map_err(failed)?.is_dir() {
                true => drop(watcher.add(root, hidden).map_err(failed)?),
                // Editors put another file in its place, which is seen from its folder alone.
                false => watcher.watch(root.parent().unwrap_or(root)).map_err(failed)?,
            }
        }
        Ok(watcher)
    }

    /// Paths that have changed, come or gone; those of folders that came with all that is in them.
    pub(super) async fn batch(&mut self, hidden: Hidden<'_>) -> Result<BTreeSet<PathBuf>> {
        let mut changed = BTreeSet::new();
        while changed.is_empty() {
            self.fd.readable().await?.clear_ready();
            self.read(&mut changed, hidden)?;
        }
        let begun = Instant::now();
        while begun.elapsed() < LONGEST {
            let Ok(ready) = tokio::time::timeout(QUIET, self.fd.readable()).await else { break };
            ready?.clear_ready();
            self.read(&mut changed, hidden)?;
        }
        Ok(changed)
    }

    /// What the kernel has for now.
    fn read(&mut self, changed: &mut BTreeSet<PathBuf>, hidden: Hidden<'_>) -> Result<()> {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
        let mut told = Vec::new();
        let mut reader = Reader::new(self.fd.get_ref(), &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    told.push((event.wd(), event.events(), name.map(OsStr::to_owned)));
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(why) => return Err(io::Error::from(why).into()),
            }
        }
        for (watch, what, name) in told {
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                // Nobody knows what: all of it.
                let roots: Vec<PathBuf> = self.roots.iter().cloned().collect();
                for root in roots {
                    changed.extend(self.arrived(&root, hidden));
                }
                continue;
            }
            if what.contains(ReadFlags::IGNORED) {
                self.folders.remove(&watch);
                continue;
            }
            let (Some(folder), Some(name)) = (self.folders.get(&watch), name) else { continue };
            let path = folder.join(name);
            if hidden(&path) {
                continue;
            }
            let comes = what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
            if comes && what.contains(ReadFlags::ISDIR) {
                changed.extend(self.arrived(&path, hidden));
            }
            changed.insert(path);
        }
        Ok(())
    }

    /// What is in a folder that came. One that is gone again is told by its folder.
    fn arrived(&mut self, path: &Path, hidden: Hidden<'_>) -> Vec<PathBuf> {
        match path.is_dir() {
            true => self.add(path, hidden).unwrap_or_default(),
            false => vec![path.to_owned()],
        }
    }

    /// Watches a folder and those in it; what is in them.
    fn add(&mut self, folder: &Path, hidden: Hidden<'_>) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            match self.watch(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            }
            for (path, is_folder) in list(&folder, hidden) {
                if is_folder {
                    open.push(path.clone());
                }
                found.push(path);
            }
        }
        Ok(found)
    }

    fn watch(&mut self, folder: &Path) -> io::Result<()> {
        let what = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::ONLYDIR;
        let watch = inotify::add_watch(self.fd.get_ref(), folder, what)?;
        self.folders.insert(watch, folder.to_owned());
        Ok(())
    }
}

#[expect(
    deprecated,
    reason = "the new constructors are unsafe for types that may close early; an OwnedFd never does"
)]
fn readiness(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

/// All that is below a path, or the path itself where it is no folder.
pub(super) fn files(path: &Path, hidden: Hidden<'_>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let (mut found, mut open) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = open.pop() {
        for (path, is_folder) in list(&folder, hidden) {
            if is_folder {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

/// What cannot be read is as good as empty. Links are not followed.
fn list(folder: &Path, hidden: Hidden<'_>) -> Vec<(PathBuf, bool)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| !hidden(Path::new(&entry.file_name())));
    entries.map(|entry| (entry.path(), entry.file_type().is_ok_and(|kind| kind.is_dir()))).collect()
}
