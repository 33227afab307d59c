//! Lists a folder and hashes its files, on several threads. No link is followed, and nothing is opened but by its path
//! from the folder's descriptor.

use std::collections::VecDeque;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::cache::{Cache, Known, nanoseconds};
use super::only::{Only, Place, Reach};
use super::tree::{Item, Tree, What};
use crate::ignore::Ignore;

const BUFFER: usize = 256 << 10;
/// Bytes of an entry's extended attributes.
const MOST_XATTRS: usize = 64 << 10;
/// Entries of one tree.
const MOST_ENTRIES: usize = 4_000_000;

/// Whom entries belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// As it is there.
    Own,
    /// To root: who built an image on his own machine is nobody in it.
    Root,
}

/// What becomes of devices, FIFOs and sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specials {
    Kept,
    LeftOut,
}

/// How a folder is walked.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'w> {
    pub ignore: Option<&'w Ignore>,
    /// None for all there is.
    pub only: Option<&'w Only>,
    pub owner: Owner,
    pub specials: Specials,
    pub cache: Option<&'w Cache>,
    pub threads: usize,
}

impl Walk<'_> {
    /// # Errors
    /// What cannot be read, named as `shown` and its path in the folder.
    pub fn list(&self, folder: BorrowedFd<'_>, shown: &Path) -> io::Result<Tree> {
        let (tree, leads_elsewhere) = self.walk(folder, shown)?;
        match leads_elsewhere {
            true => Ok(Walk { only: None, ..*self }.walk(folder, shown)?.0),
            false => Ok(tree),
        }
    }

    /// And whether a link that a pattern matches leads to what may not be in the tree.
    fn walk(&self, folder: BorrowedFd<'_>, shown: &Path) -> io::Result<(Tree, bool)> {
        let queue = Queue::default();
        queue.lock().add_folder(PathBuf::new(), self.only.is_none());
        let worker = Worker { walk: self, folder, shown, queue: &queue };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.max(1) {
                scope.spawn(|| worker.run());
            }
            worker.run();
        });
        queue.into_tree()
    }
}

/// What is still to be done, and what was found.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Jobs that are being worked on, and may bring others.
    busy: usize,
    folders: Vec<Vec<Item>>,
    entries: usize,
    ignored: bool,
    leads_elsewhere: bool,
    failed: Option<io::Error>,
}

enum Job {
    /// `whole` where all that is in it is wanted.
    Folder {
        at: usize,
        path: PathBuf,
        whole: bool,
    },
    Hash {
        at: usize,
        item: usize,
        path: PathBuf,
    },
}

impl State {
    fn add_folder(&mut self, path: PathBuf, whole: bool) -> usize {
        let at = self.folders.len();
        self.folders.push(Vec::new());
        // Soon, so that few wait at a time however broad the tree is; files are hashed in between.
        self.jobs.push_back(Job::Folder { at, path, whole });
        at
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.failed.is_some() {
                return None;
            }
            if let Some(job) = state.jobs.pop_back() {
                state.busy += 1;
                return Some(job);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).expect("no code panics while it holds this lock");
        }
    }

    fn done(&self, result: io::Result<()>) {
        let mut state = self.lock();
        state.busy -= 1;
        if let Err(error) = result {
            state.failed.get_or_insert(error);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn into_tree(self) -> io::Result<(Tree, bool)> {
        let state = self.state.into_inner().expect("no code panics while it holds this lock");
        match state.failed {
            Some(error) => Err(error),
            None => Ok((Tree::new(state.folders, state.ignored), state.leads_elsewhere)),
        }
    }
}

struct Worker<'w> {
    walk: &'w Walk<'w>,
    folder: BorrowedFd<'w>,
    shown: &'w Path,
    queue: &'w Queue,
}

impl Worker<'_> {
    fn run(&self) {
        let mut buffer = Vec::new();
        while let Some(job) = self.queue.next() {
            self.queue.done(match job {
                Job::Folder { at, path, whole } => self.folder(at, &path, whole),
                Job::Hash { at, item, path } => self.hash(at, item, &path, &mut buffer),
            });
        }
    }

    fn folder(&self, at: usize, path: &Path, whole: bool) -> io::Result<()> {
        let named = |error: io::Error| self.named("open", path, &error);
        let directory = match archive::walk::open_directory(self.folder, path) {
            // Gone, or become something else, while the tree was read.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if at > 0 => return Ok(()),
            result => result.map_err(|error| named(error.into()))?,
        };
        let names = archive::walk::names(&directory).map_err(named)?;
        let (mut items, mut to_hash, mut folders) = (Vec::new(), Vec::new(), Vec::new());
        let (mut ignored, mut leads_elsewhere) = (false, false);
        for name in names {
            let path = path.join(&name);
            let reach = match self.walk.only {
                Some(only) if !whole => only.reach(&path),
                _ => Reach::ALL,
            };
            if reach.place == Place::Outside {
                continue;
            }
            let is_ignored = self.is_ignored(&path);
            ignored |= is_ignored;
            if is_ignored && !self.may_hold_exceptions(&path) {
                continue;
            }
            let Some(mut item) = self.item(&directory, &name, &path, is_ignored)? else { continue };
            match &mut item.what {
                What::Folder { is_there, .. } => {
                    *is_there = !is_ignored;
                    folders.push((items.len(), path, reach.is_whole()));
                }
                _ if is_ignored => continue,
                What::Link(_) => leads_elsewhere |= reach.by_pattern,
                _ if reach.place == Place::Way => continue,
                What::Nothing => to_hash.push((items.len(), path)),
                _ => {}
            }
            items.push(item);
        }
        if leads_elsewhere {
            self.queue.lock().leads_elsewhere = true;
        }
        self.found(at, items, to_hash, folders, ignored)
    }

    /// Hands over what a folder holds, and what is to be done about it.
    fn found(
        &self,
        at: usize,
        mut items: Vec<Item>,
        to_hash: Vec<(usize, PathBuf)>,
        folders: Vec<(usize, PathBuf, bool)>,
        ignored: bool,
    ) -> io::Result<()> {
        let mut state = self.queue.lock();
        state.entries += items.len();
        if state.entries > MOST_ENTRIES {
            return Err(io::Error::other(format!(
                "{} holds more than {MOST_ENTRIES} files",
                self.shown.display()
            )));
        }
        state.ignored |= ignored;
        for (item, path, whole) in folders {
            let child = state.add_folder(path, whole);
            if let What::Folder { at, .. } = &mut items[item].what {
                *at = child;
            }
        }
        state.folders[at] = items;
        let jobs = to_hash.into_iter().map(|(item, path)| Job::Hash { at, item, path });
        state.jobs.extend(jobs);
        drop(state);
        self.queue.changed.notify_all();
        Ok(())
    }

    fn is_ignored(&self, path: &Path) -> bool {
        self.walk.ignore.is_some_and(|ignore| ignore.is_ignored(&path.to_string_lossy()))
    }

    fn may_hold_exceptions(&self, path: &Path) -> bool {
        self.walk.ignore.is_some_and(|ignore| ignore.may_hold_exceptions(&path.to_string_lossy()))
    }

    /// A file that is still to be hashed is nothing yet.
    fn item(
        &self,
        directory: &OwnedFd,
        name: &OsStr,
        path: &Path,
        is_ignored: bool,
    ) -> io::Result<Option<Item>> {
        let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            result => result.map_err(|error| self.named("lstat", path, &error.into()))?,
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if is_ignored && kind != FileType::Directory {
            return Ok(None);
        }
        let mut xattrs = Vec::new();
        let what = match kind {
            FileType::Directory => {
                xattrs = self.xattrs(directory, name)?;
                What::Folder { at: 0, is_there: true }
            }
            FileType::RegularFile => match self.walk.cache.and_then(|cache| cache.find(&stat)) {
                Some(known) => {
                    if known.has_xattrs {
                        xattrs = self.xattrs(directory, name)?;
                    }
                    What::File { size: stat.st_size.cast_unsigned(), digest: known.digest }
                }
                None => What::Nothing,
            },
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(directory, name, Vec::new());
                match target {
                    Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
                    result => {
                        let named = |error: Errno| self.named("readlink", path, &error.into());
                        What::Link(result.map_err(named)?.into_bytes().into())
                    }
                }
            }
            _ if self.walk.specials == Specials::LeftOut => return Ok(None),
            _ => What::Special { kind: stat.st_mode & 0o170_000, device: stat.st_rdev },
        };
        Ok(Some(self.described(name, &stat, xattrs, what)))
    }

    fn described(
        &self,
        name: &OsStr,
        stat: &Stat,
        xattrs: Vec<(String, Vec<u8>)>,
        what: What,
    ) -> Item {
        let owner = match self.walk.owner {
            Owner::Own => (stat.st_uid, stat.st_gid),
            Owner::Root => (0, 0),
        };
        Item {
            name: name.as_bytes().into(),
            mode: stat.st_mode & 0o7777,
            owner,
            modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            xattrs,
            what,
        }
    }

    fn hash(&self, at: usize, item: usize, path: &Path, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(BUFFER, 0);
        let named = |error: io::Error| self.named("open", path, &error);
        let mut file = match open(self.folder, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result.map_err(named)?,
        };
        let stat = rustix::fs::fstat(&file)?;
        let (digest, size) =
            digest(&mut file, buffer).map_err(|error| self.named("read", path, &error))?;
        let xattrs = xattrs_of(file.as_fd())?;
        if let Some(cache) = self.walk.cache
            && size == stat.st_size.cast_unsigned()
            && is_unchanged(&stat, &rustix::fs::fstat(&file)?)
        {
            cache.learn(&stat, Known { digest, has_xattrs: !xattrs.is_empty() });
        }
        let name = path.file_name().unwrap_or_default();
        let hashed = self.described(name, &stat, xattrs, What::File { size, digest });
        self.queue.lock().folders[at][item] = hashed;
        Ok(())
    }

    fn xattrs(&self, directory: &OwnedFd, name: &OsStr) -> io::Result<Vec<(String, Vec<u8>)>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(file) => xattrs_of(file.as_fd()),
            // What cannot be read says so when it is needed.
            Err(_) => Ok(Vec::new()),
        }
    }

    fn named(&self, verb: &str, path: &Path, error: &io::Error) -> io::Error {
        let path = self.shown.join(path);
        let text = format!("{verb} {}: {}", path.display(), archive::reason(error));
        io::Error::new(error.kind(), text)
    }
}

/// A regular file of the folder.
///
/// # Errors
/// `NotFound` for what is none, or no longer.
pub fn open(folder: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let fd = match rustix::fs::openat2(folder, path, flags, Mode::empty(), resolve) {
        Err(Errno::LOOP | Errno::NOTDIR) => return Err(io::ErrorKind::NotFound.into()),
        result => result?,
    };
    let is_file = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) == FileType::RegularFile;
    is_file.then(|| File::from(fd)).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn digest(file: &mut File, buffer: &mut [u8]) -> io::Result<([u8; 32], u64)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok((hash.finalize().into(), size)),
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_unchanged(before: &Stat, after: &Stat) -> bool {
    let times = |stat: &Stat| {
        (stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec)
    };
    times(before) == times(after)
}

/// Those that mean something in an image: a user's own, and capabilities.
fn xattrs_of(file: BorrowedFd<'_>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut names = vec![0; MOST_XATTRS];
    let length = match rustix::fs::flistxattr(file, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP | Errno::RANGE | Errno::PERM | Errno::ACCESS) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        let Ok(Ok(name)) = CStr::from_bytes_with_nul(name).map(CStr::to_str) else { continue };
        let is_meant = name == "security.capability"
            || (name.starts_with("user.") && !name.starts_with("user.overlay."));
        let mut value = vec![0; MOST_XATTRS];
        if is_meant && let Ok(length) = rustix::fs::fgetxattr(file, name, &mut value) {
            value.truncate(length);
            found.push((name.to_owned(), value));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileExt, PermissionsExt, symlink};

    use super::*;
    use crate::context::{Kind, Listing, order};

    const PLAIN: Walk<'_> = Walk {
        ignore: None,
        only: None,
        owner: Owner::Root,
        specials: Specials::LeftOut,
        cache: None,
        threads: 2,
    };

    fn walk(folder: &Path, walk: &Walk<'_>) -> io::Result<Listing> {
        let opened = File::open(folder).unwrap();
        walk.list(opened.as_fd(), Path::new("ctx")).map(|tree| tree.listing())
    }

    fn paths(listing: &Listing) -> Vec<&str> {
        listing.entries.iter().map(|entry| entry.path.to_str().unwrap()).collect()
    }

    #[test]
    fn what_is_found_is_in_order_and_has_its_digest() {
        let place = tempfile::tempdir().unwrap();
        for folder in ["a/b", "a-b", "z"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        for file in ["a/b/c", "a/d", "a-b/x", "f"] {
            fs::write(place.path().join(file), file).unwrap();
        }
        symlink("..", place.path().join("a/up")).unwrap();
        symlink("loop", place.path().join("loop")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(place.path().join("socket")).unwrap();
        let listing = walk(place.path(), &PLAIN).unwrap();
        let expected = ["a", "a/b", "a/b/c", "a/d", "a/up", "a-b", "a-b/x", "f", "loop", "z"];
        assert_eq!(paths(&listing), expected);
        assert!(listing.entries.is_sorted_by(|a, b| order(&a.path, &b.path).is_lt()));
        let file = &listing.entries[listing.find(Path::new("f")).unwrap()];
        let expected = oci::Digest::from_sha256(Sha256::digest("f").into());
        assert_eq!(file.kind, Kind::File { size: 1, digest: Some(expected) });
        let kept = walk(place.path(), &Walk { specials: Specials::Kept, ..PLAIN }).unwrap();
        let socket_there = &kept.entries[kept.find(Path::new("socket")).unwrap()];
        assert_eq!(socket_there.kind, Kind::Special { kind: 0o140_000, device: 0 });
        drop(socket);
    }

    #[test]
    fn what_nobody_wants_is_not_entered_unless_a_link_may_lead_there() {
        let place = tempfile::tempdir().unwrap();
        for file in ["src/deep/a", "src/b", "other/c", "d"] {
            let file = place.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let opened = File::open(place.path()).unwrap();
        let listed = |sources: &[&str]| {
            let sources: Vec<String> = sources.iter().map(|source| (*source).into()).collect();
            let only = Only::new(opened.as_fd(), &sources);
            let listing = walk(place.path(), &Walk { only: only.as_ref(), ..PLAIN }).unwrap();
            paths(&listing).join(" ")
        };
        assert_eq!(listed(&["src"]), "src src/b src/deep src/deep/a");
        assert_eq!(listed(&["src/d*", "d"]), "d src src/deep src/deep/a");
        assert_eq!(listed(&["d/x", "none"]), "");
        let all = "d other other/c src src/b src/deep src/deep/a";
        assert_eq!(listed(&[]), all);
        symlink("../other/c", place.path().join("src/link")).unwrap();
        assert_eq!(listed(&["src"]), "src src/b src/deep src/deep/a src/link");
        assert_eq!(listed(&["src/link"]), "other other/c src src/link");
        assert_eq!(listed(&["src", "src/l*"]), format!("{all} src/link"));
    }

    #[test]
    fn what_is_ignored_is_not_entered_but_for_its_exceptions() {
        let place = tempfile::tempdir().unwrap();
        for folder in ["node_modules/deep", "src/gen/keep", "src/gen/none"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
            fs::write(place.path().join(folder).join("file"), "").unwrap();
        }
        // Entering it would be an error for anybody but root, and is one of the budget for everybody.
        fs::set_permissions(place.path().join("node_modules"), fs::Permissions::from_mode(0o0))
            .unwrap();
        let ignore = Ignore::parse("node_modules\nsrc\n!src/*/keep\n").unwrap();
        let listing = walk(place.path(), &Walk { ignore: Some(&ignore), ..PLAIN }).unwrap();
        assert_eq!(paths(&listing), ["src", "src/gen", "src/gen/keep", "src/gen/keep/file"]);
        assert!(listing.ignored);
        let nothing = Ignore::parse("src\n!src/no/such\nnode_modules\n").unwrap();
        let listing = walk(place.path(), &Walk { ignore: Some(&nothing), ..PLAIN }).unwrap();
        assert_eq!(paths(&listing), [""; 0]);
    }

    #[test]
    fn an_unchanged_file_is_not_read_again() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("ctx/file");
        fs::create_dir(place.path().join("ctx")).unwrap();
        fs::write(&file, "one").unwrap();
        let records = place.path().join("cache");
        // It was written just now, which no cache trusts; one that looks back from later does.
        let later = Cache::open(&records);
        std::thread::sleep(std::time::Duration::from_millis(2100));
        drop(later);
        let cache = Cache::open(&records);
        let before =
            walk(&place.path().join("ctx"), &Walk { cache: Some(&cache), ..PLAIN }).unwrap();
        cache.save(&records, true).unwrap();
        let cache = Cache::open(&records);
        let stat = rustix::fs::stat(&file).unwrap();
        assert!(cache.find(&stat).is_some());
        let with = Walk { cache: Some(&cache), ..PLAIN };
        assert_eq!(walk(&place.path().join("ctx"), &with).unwrap(), before);
        File::options().write(true).open(&file).unwrap().write_all_at(b"two", 0).unwrap();
        assert_ne!(
            walk(&place.path().join("ctx"), &with).unwrap().entries[0].kind,
            before.entries[0].kind
        );
    }

    #[test]
    fn deep_trees_are_walked_and_what_cannot_be_opened_is_named() {
        let place = tempfile::tempdir().unwrap();
        let deep: PathBuf = std::iter::repeat_n("d", 1500).collect();
        fs::create_dir_all(place.path().join(&deep)).unwrap();
        assert_eq!(walk(place.path(), &PLAIN).unwrap().entries.len(), 1500);
        let missing = File::open(place.path()).unwrap();
        drop(place);
        let said = PLAIN.list(missing.as_fd(), Path::new("ctx"));
        assert!(said.is_ok_and(|tree| tree.entries().next().is_none()));
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = PLAIN.list(file.as_file().as_fd(), Path::new("ctx")).unwrap_err();
        assert_eq!(said.to_string(), "open ctx/: not a directory");
    }
}
