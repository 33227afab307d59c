//! Which files COPY takes, and where they come to lie: BuildKit's rules, over anything that can list folders.
//!
//! A source is followed where it is a link itself; what lies below it is taken as it is. A folder gives its contents, never
//! itself. Nothing leaves the tree, whatever links say.

mod chmod;
mod contents;
mod layout;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use oci::Digest;
use sha2::{Digest as _, Sha256};

use crate::context::{Entry, Kind, Listing};
use crate::glob::Glob;
use crate::ignore::Ignore;

pub use chmod::Mode;
pub use contents::{in_common, is_notable, note};
pub use layout::{Content, Item, Layout, Placing};

/// A source of files.
pub trait Tree {
    /// What is at a path below the root, links not followed; None where nothing is. Parents are no links.
    ///
    /// # Errors
    /// What the system says.
    fn entry(&self, path: &Path) -> io::Result<Option<Entry>>;

    /// The names in a folder.
    ///
    /// # Errors
    /// What the system says.
    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>>;

    /// All that is below a folder, in order, where that is known without looking at each folder.
    fn below(&self, _folder: &Path) -> Option<&[Entry]> {
        None
    }
}

impl Tree for Listing {
    fn below(&self, folder: &Path) -> Option<&[Entry]> {
        Some(&self.entries[Listing::below(self, folder)])
    }

    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        Ok(self.find(path).ok().map(|at| self.entries[at].clone()))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let below = &self.entries[Listing::below(self, folder)];
        let children = below.iter().filter(|entry| entry.path.parent() == Some(folder));
        Ok(children.filter_map(|entry| entry.path.file_name().map(OsStr::to_owned)).collect())
    }
}

/// Nothing at all.
pub struct Empty;

impl Tree for Empty {
    fn entry(&self, _: &Path) -> io::Result<Option<Entry>> {
        Ok(None)
    }

    fn names(&self, _: &Path) -> io::Result<Vec<OsString>> {
        Ok(Vec::new())
    }
}

/// The kernel's limit.
pub(crate) const LINKS: usize = 40;

/// Where a path leads when links are followed, `..` never going above the root. What does not exist leads to where it would be.
///
/// # Errors
/// What the system says; more than 40 links.
pub fn resolve(tree: &dyn Tree, path: &Path) -> io::Result<PathBuf> {
    follow(tree, path)?.ok_or_else(|| {
        io::Error::other(format!("too many levels of symbolic links: /{}", path.display()))
    })
}

/// As [`resolve`]; None where links never end.
fn follow(tree: &dyn Tree, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut rest: Vec<OsString> = parts(path).rev().collect();
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        match tree.entry(&next)?.map(|entry| entry.kind) {
            Some(Kind::Symlink { target }) => {
                links += 1;
                if links > LINKS {
                    return Ok(None);
                }
                if target.is_absolute() {
                    at = PathBuf::new();
                }
                rest.extend(parts(&target).rev());
            }
            _ => at = next,
        }
    }
    Ok(Some(at))
}

/// Names and `..`, nothing else.
pub(crate) fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// A path that a source's pattern matched, with all that is taken of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The last part of the path as it was asked for.
    pub name: OsString,
    /// As it was asked for, from where `--parents` counts.
    pub asked: PathBuf,
    /// Where it really is.
    pub path: PathBuf,
    /// It and what is below it, by paths relative to it.
    pub entries: Vec<Entry>,
}

impl Found {
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.entries.first().is_some_and(|entry| entry.kind == Kind::Directory)
    }
}

/// What a source takes of a tree.
///
/// # Errors
/// In BuildKit's words: what is not there; patterns that are malformed; what the system says.
pub fn select(tree: &dyn Tree, pattern: &str, exclude: &Ignore) -> io::Result<Vec<Found>> {
    let pivot = pattern.find("/./").map_or(0, |at| at + 3);
    let clean: PathBuf = normal(Path::new(pattern));
    let counted: PathBuf = normal(Path::new(&pattern[pivot..]));
    let skipped = clean.components().count().saturating_sub(counted.components().count());
    let mut found = Vec::new();
    for path in matches(tree, &clean)? {
        let real = resolve(tree, &path)?;
        let Some(entry) = tree.entry(&real)?.or_else(|| root(&real)) else {
            return Err(not_found(&path));
        };
        let name = path.file_name().unwrap_or_default().to_owned();
        let mut one = Found {
            asked: path.components().skip(skipped).collect(),
            name,
            path: real,
            entries: Vec::new(),
        };
        let is_folder = entry.kind == Kind::Directory;
        if !is_folder && exclude.is_ignored(&one.name.to_string_lossy()) {
            continue;
        }
        one.entries.push(Entry { path: PathBuf::new(), ..entry });
        if is_folder {
            below(tree, &mut one, exclude)?;
        }
        found.push(one);
    }
    Ok(found)
}

/// `"/a/b": not found`
#[must_use]
pub fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("\"/{}\": not found", path.display()))
}

/// The root of a tree needs no entry.
fn root(path: &Path) -> Option<Entry> {
    path.as_os_str().is_empty().then(|| Entry {
        path: PathBuf::new(),
        kind: Kind::Directory,
        mode: 0o755,
        uid: 0,
        gid: 0,
        modified: 0,
        xattrs: Vec::new(),
    })
}

/// Without `.` and `..`, from a root that nothing leaves.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in parts(path) {
        match part.to_str() {
            Some("..") => {
                clean.pop();
            }
            _ => clean.push(part),
        }
    }
    clean
}

/// All that is below a folder, each folder before its contents.
fn below(tree: &dyn Tree, found: &mut Found, exclude: &Ignore) -> io::Result<()> {
    if let Some(entries) = tree.below(&found.path) {
        let relative = |entry: &Entry| {
            let path = entry.path.strip_prefix(&found.path).unwrap_or(&entry.path).to_owned();
            Entry { path, ..entry.clone() }
        };
        let entries = entries.iter().map(relative);
        let taken = entries.filter(|entry| !exclude.is_ignored(&entry.path.to_string_lossy()));
        found.entries.extend(taken);
        return Ok(());
    }
    let mut open = vec![PathBuf::new()];
    let mut all = Vec::new();
    while let Some(folder) = open.pop() {
        for name in tree.names(&found.path.join(&folder))? {
            let path = folder.join(name);
            let text = path.to_string_lossy();
            let excluded = exclude.is_ignored(&text);
            if excluded && !exclude.may_hold_exceptions(&text) {
                continue;
            }
            // It went since its name was read.
            let Some(entry) = tree.entry(&found.path.join(&path))? else { continue };
            if entry.kind == Kind::Directory {
                open.push(path.clone());
            }
            if !excluded {
                all.push(Entry { path, ..entry });
            }
        }
    }
    all.sort_by(|a, b| crate::context::order(&a.path, &b.path));
    found.entries.extend(all);
    Ok(())
}

/// Whether a part of a path is more than a name.
pub(crate) fn has_wildcard(part: &str) -> bool {
    part.contains(['*', '?', '[', '\\'])
}

/// The paths that a pattern means: itself, unless it has wildcards.
fn matches(tree: &dyn Tree, pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str();
        let text = part.to_string_lossy();
        if !has_wildcard(&text) {
            all.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let glob = Glob::of_path(&text).map_err(io::Error::other)?;
        let mut next = Vec::new();
        for folder in all {
            let Some(real) = follow(tree, &folder)? else { continue };
            let is_folder = real.as_os_str().is_empty()
                || tree.entry(&real)?.is_some_and(|entry| entry.kind == Kind::Directory);
            if !is_folder {
                continue;
            }
            let mut names = tree.names(&real)?;
            names.sort();
            let matching = names.into_iter().filter(|name| glob.matches(&name.to_string_lossy()));
            next.extend(matching.map(|name| folder.join(name)));
        }
        all = next;
    }
    // Behind a wildcard, what is not there does not match.
    if pattern.to_string_lossy().contains(['*', '?', '[']) {
        let mut there = Vec::new();
        for path in all {
            let Some(real) = follow(tree, &path)? else { continue };
            if real.as_os_str().is_empty() || tree.entry(&real)?.is_some() {
                there.push(path);
            }
        }
        return Ok(there);
    }
    Ok(all)
}

/// The digest of what was selected: names, types, modes, owners, contents, attributes; no times.
///
/// # Errors
/// A file whose content was not hashed.
pub fn digest(found: &[Found]) -> Result<Digest, String> {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for one in found {
        field(one.name.as_encoded_bytes());
        field(one.asked.as_os_str().as_encoded_bytes());
        field(&(one.entries.len() as u64).to_le_bytes());
        for (number, entry) in one.entries.iter().enumerate() {
            field(entry.path.as_os_str().as_encoded_bytes());
            // Of a folder that gives its contents, only those count.
            if number == 0 && one.is_folder() {
                continue;
            }
            let numbers = [entry.mode, entry.uid, entry.gid].map(u32::to_le_bytes);
            field(&numbers.concat());
            match &entry.kind {
                Kind::Directory => field(b"d"),
                Kind::Symlink { target } => {
                    field(b"l");
                    field(target.as_os_str().as_encoded_bytes());
                }
                Kind::File { digest, .. } => {
                    let missing = || format!("{} was not hashed", entry.path.display());
                    field(b"f");
                    field(digest.as_ref().ok_or_else(missing)?.as_str().as_bytes());
                }
                Kind::Special { kind, device } => {
                    field(b"s");
                    field(&kind.to_le_bytes());
                    field(&device.to_le_bytes());
                }
            }
            for (name, value) in &entry.xattrs {
                field(name.as_bytes());
                field(value);
            }
        }
    }
    Ok(Digest::from_sha256(hash.finalize().into()))
}
