//! What a walk found, as compact as a million files want it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use oci::Digest;

use super::{Entry, Kind, Listing};

#[derive(Debug)]
pub struct Tree {
    /// The root's first.
    pub(super) folders: Vec<Vec<Item>>,
    pub(super) ignored: bool,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: Box<[u8]>,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) modified: i64,
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Folder {
        /// Its place among the folders, behind that of the one it lies in.
        at: usize,
        /// Ignored itself, it is there for what it holds, if it holds anything.
        is_there: bool,
    },
    File {
        size: u64,
        digest: [u8; 32],
    },
    Link(Box<[u8]>),
    Special {
        kind: u32,
        device: u64,
    },
    /// Gone while it was looked at.
    Nothing,
}

impl Tree {
    /// Folders that are ignored are there after all if something in them is.
    pub(super) fn new(mut folders: Vec<Vec<Item>>, ignored: bool) -> Self {
        let mut holds_something = vec![false; folders.len()];
        for (at, items) in folders.iter_mut().enumerate().rev() {
            for item in items {
                if let What::Folder { at, is_there } = &mut item.what {
                    *is_there |= holds_something[*at];
                }
                holds_something[at] |=
                    !matches!(item.what, What::Nothing | What::Folder { is_there: false, .. });
            }
        }
        Self { folders, ignored }
    }

    pub fn listing(&self) -> Listing {
        Listing { entries: self.entries().collect(), ignored: self.ignored }
    }

    pub fn ignored(&self) -> bool {
        self.ignored
    }

    /// In the order of a listing.
    pub fn entries(&self) -> Entries<'_> {
        Entries { tree: self, open: vec![Open { folder: 0, next: 0 }], path: PathBuf::new() }
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        let items = self.folders.iter().flatten();
        items.map(|item| if let What::File { size, .. } = item.what { size } else { 0 }).sum()
    }
}

/// Walks the tree without recursion: it may be deeper than a stack.
pub struct Entries<'t> {
    tree: &'t Tree,
    open: Vec<Open>,
    path: PathBuf,
}

struct Open {
    folder: usize,
    next: usize,
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let tree = self.tree;
        while let Some(open) = self.open.last_mut() {
            let Some(item) = tree.folders[open.folder].get(open.next) else {
                self.open.pop();
                self.path.pop();
                continue;
            };
            open.next += 1;
            self.path.push(OsStr::from_bytes(&item.name));
            let entry = self.entry(item);
            match item.what {
                What::Folder { at, .. } => self.open.push(Open { folder: at, next: 0 }),
                _ => drop(self.path.pop()),
            }
            if entry.is_some() {
                return entry;
            }
        }
        None
    }
}

impl Entries<'_> {
    fn entry(&self, item: &Item) -> Option<Entry> {
        let kind = match &item.what {
            What::Folder { is_there, .. } if !is_there => return None,
            What::Folder { .. } => Kind::Directory,
            What::File { size, digest } => {
                Kind::File { size: *size, digest: Some(Digest::from_sha256(*digest)) }
            }
            What::Link(target) => Kind::Symlink { target: path(target) },
            What::Special { kind, device } => Kind::Special { kind: *kind, device: *device },
            What::Nothing => return None,
        };
        Some(Entry {
            path: self.path.clone(),
            kind,
            mode: item.mode,
            uid: item.owner.0,
            gid: item.owner.1,
            modified: item.modified,
            xattrs: item.xattrs.clone(),
        })
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    OsString::from(OsStr::from_bytes(bytes)).into()
}
