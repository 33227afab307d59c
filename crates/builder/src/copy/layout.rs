//! Where copied files come to lie upon what is there.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::{Found, Mode, Tree, resolve};
use crate::context::{Entry, Kind};

/// What a layer gets, path by path, each folder before its contents.
pub struct Layout<'b> {
    base: &'b dyn Tree,
    items: BTreeMap<PathBuf, Item>,
    /// Folders that are not there without this: nothing is below them but what was placed.
    new: HashSet<PathBuf>,
    /// Of whom new files are; None leaves sources' owners.
    owner: Option<(u32, u32)>,
    mode: Option<Mode>,
    /// Nanoseconds since 1970: of folders that are made on the way.
    now: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its path is from the root of the image.
    pub entry: Entry,
    /// Where its bytes are, of a file.
    pub content: Option<Content>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// As it was given to [`Layout::put`].
    pub source: usize,
    pub path: PathBuf,
}

/// How a source is placed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placing {
    /// The destination is a folder.
    pub into: bool,
    /// Folders on the way to the source are made too.
    pub parents: bool,
}

impl<'b> Layout<'b> {
    #[must_use]
    pub fn new(
        base: &'b dyn Tree,
        owner: Option<(u32, u32)>,
        mode: Option<Mode>,
        now: i64,
    ) -> Self {
        Self { base, items: BTreeMap::new(), new: HashSet::new(), owner, mode, now }
    }

    /// In the order in which an archive holds them.
    #[must_use]
    pub fn items(self) -> Vec<Item> {
        self.items.into_values().collect()
    }

    /// A folder with its parents, those that are missing new.
    ///
    /// # Errors
    /// What the system says; something on the way that is no folder.
    pub fn make_folder(&mut self, path: &Path) -> io::Result<PathBuf> {
        let real = resolve(self.base, path)?;
        self.folder(&real)?;
        Ok(real)
    }

    /// Places what a source gave.
    ///
    /// # Errors
    /// In BuildKit's words where folders and files meet; what the system says.
    pub fn put(
        &mut self,
        source: usize,
        tree: &dyn Tree,
        found: &Found,
        destination: &Path,
        placing: Placing,
    ) -> io::Result<()> {
        let mut target = resolve(self.base, destination)?;
        if placing.parents {
            self.folder(&target)?;
            let mut on_the_way = PathBuf::new();
            for part in found.asked.parent().into_iter().flat_map(Path::components) {
                on_the_way.push(part);
                self.like(tree, found, &on_the_way, &target.join(&on_the_way))?;
            }
            target.push(&found.asked);
        } else if !found.is_folder() {
            let into = placing.into || self.kind(&target)? == Some(Kind::Directory);
            if into {
                target.push(&found.name);
                target = resolve_parent(self.base, &target)?;
            }
        }
        if let Some(parent) = target.parent() {
            self.folder(parent)?;
        }
        for (number, entry) in found.entries.iter().enumerate() {
            let path = match number {
                0 => target.clone(),
                _ => target.join(&entry.path),
            };
            if number == 0 && entry.kind == Kind::Directory && !placing.parents {
                self.top(&path, entry)?;
                continue;
            }
            self.place(path, entry, source, &found.path)?;
        }
        Ok(())
    }

    /// The folder that a source's contents go to: new ones are like any other new folder.
    fn top(&mut self, path: &Path, source: &Entry) -> io::Result<()> {
        let is_new = self.kind(path)?.is_none();
        self.folder(path)?;
        if is_new && let Some(item) = self.items.get_mut(path) {
            item.entry.modified = source.modified;
        }
        Ok(())
    }

    /// With `--parents`: a folder as it is on the way to the source.
    fn like(
        &mut self,
        tree: &dyn Tree,
        found: &Found,
        on_the_way: &Path,
        target: &Path,
    ) -> io::Result<()> {
        let up = found.asked.components().count() - on_the_way.components().count();
        let original: Option<&Path> = found.path.ancestors().nth(up);
        let entry = original.map(|path| tree.entry(path)).transpose()?.flatten();
        match entry {
            Some(entry) if self.kind(target)?.is_none() => {
                let entry = Entry { path: PathBuf::new(), kind: Kind::Directory, ..entry };
                self.place(target.to_owned(), &entry, 0, Path::new(""))
            }
            _ => self.folder(target),
        }
    }

    fn place(
        &mut self,
        path: PathBuf,
        entry: &Entry,
        source: usize,
        origin: &Path,
    ) -> io::Result<()> {
        let is_folder = entry.kind == Kind::Directory;
        match self.kind(&path)? {
            None if is_folder => {
                self.new.insert(path.clone());
            }
            // It gets the attributes of the one that is copied upon it.
            Some(Kind::Directory) if is_folder => {}
            Some(Kind::Directory) => {
                return Err(io::Error::other(format!(
                    "cannot replace to directory /{} with file",
                    path.display()
                )));
            }
            Some(_) if is_folder => return Err(no_folder(&path)),
            _ => {}
        }
        let from = match entry.path.as_os_str().is_empty() {
            true => origin.to_owned(),
            false => origin.join(&entry.path),
        };
        let mut entry = Entry { path: path.clone(), ..entry.clone() };
        if let Some((uid, gid)) = self.owner {
            (entry.uid, entry.gid) = (uid, gid);
        }
        if let Some(mode) = &self.mode
            && !matches!(entry.kind, Kind::Symlink { .. })
        {
            entry.mode = mode.apply(entry.mode, is_folder);
        }
        let is_file = matches!(entry.kind, Kind::File { .. });
        let content = is_file.then_some(Content { source, path: from });
        self.items.insert(path, Item { entry, content });
        Ok(())
    }

    /// What is at a path once all that was placed so far is there.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        if path.as_os_str().is_empty() {
            return Ok(Some(Kind::Directory));
        }
        if let Some(item) = self.items.get(path) {
            return Ok(Some(item.entry.kind.clone()));
        }
        if path.parent().is_some_and(|parent| self.new.contains(parent)) {
            return Ok(None);
        }
        Ok(self.base.entry(path)?.map(|entry| entry.kind))
    }

    /// A folder that is there, or made, and all above it: an archive without them would hide their attributes.
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || self.items.contains_key(path) {
            return match self.items.get(path) {
                Some(item) if item.entry.kind != Kind::Directory => Err(no_folder(path)),
                _ => Ok(()),
            };
        }
        if let Some(parent) = path.parent() {
            self.folder(parent)?;
        }
        let there = match path.parent().is_some_and(|parent| self.new.contains(parent)) {
            true => None,
            false => self.base.entry(path)?,
        };
        let entry = match there {
            Some(entry) if entry.kind == Kind::Directory => entry,
            Some(_) => return Err(no_folder(path)),
            None => {
                self.new.insert(path.to_owned());
                let (uid, gid) = self.owner.unwrap_or((0, 0));
                Entry {
                    path: path.to_owned(),
                    kind: Kind::Directory,
                    mode: 0o755,
                    uid,
                    gid,
                    modified: self.now,
                    xattrs: Vec::new(),
                }
            }
        };
        let entry = Entry { path: path.to_owned(), ..entry };
        self.items.insert(path.to_owned(), Item { entry, content: None });
        Ok(())
    }
}

fn no_folder(path: &Path) -> io::Error {
    io::Error::other(format!("cannot copy to non-directory: /{}", path.display()))
}

/// The path with its parents resolved, and its last part as it is: a file replaces a link.
fn resolve_parent(tree: &dyn Tree, path: &Path) -> io::Result<PathBuf> {
    let parent = resolve(tree, path.parent().unwrap_or(Path::new("")))?;
    Ok(parent.join(path.file_name().unwrap_or_default()))
}
