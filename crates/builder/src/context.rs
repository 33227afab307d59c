//! What a tree of files holds that COPY may take from: a build's context, an unpacked archive, a stage's root.

mod cache;
mod only;
mod tree;
mod walk;
pub mod wire;

use std::path::{Path, PathBuf};

pub use cache::Cache;
pub use only::Only;
pub use tree::Tree;
pub use walk::{Owner, Specials, Walk, open};

use oci::Digest;

/// Sorted by [`order`], each path once, and every entry's parents before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub entries: Vec<Entry>,
    /// Patterns of `.dockerignore` left something out: what is missing may have been meant.
    pub ignored: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative, without `.` or `..`.
    pub path: PathBuf,
    pub kind: Kind,
    /// The twelve bits of permission.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Nanoseconds since 1970.
    pub modified: i64,
    /// By name, in its order.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File {
        size: u64,
        /// None until it was hashed.
        digest: Option<Digest>,
    },
    Symlink {
        target: PathBuf,
    },
    /// Devices, FIFOs and sockets: `st_mode`'s type bits and `st_rdev`.
    Special {
        kind: u32,
        device: u64,
    },
}

/// Component by component: what is in a folder follows it, before its later siblings.
pub fn order(a: &Path, b: &Path) -> std::cmp::Ordering {
    a.components().cmp(b.components())
}

impl Listing {
    /// Where a path is, or would be.
    ///
    /// # Errors
    /// The place at which it is missing.
    pub fn find(&self, path: &Path) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| order(&entry.path, path))
    }

    /// The entries below a folder, it not included.
    pub fn below(&self, folder: &Path) -> std::ops::Range<usize> {
        let first = match self.find(folder) {
            Ok(at) => at + 1,
            Err(at) => at,
        };
        let rest = &self.entries[first..];
        first..first + rest.partition_point(|entry| entry.path.starts_with(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Listing {
        let entry = |path: &&str| Entry {
            path: PathBuf::from(path),
            kind: Kind::Directory,
            mode: 0o755,
            uid: 0,
            gid: 0,
            modified: 0,
            xattrs: Vec::new(),
        };
        Listing { entries: paths.iter().map(entry).collect(), ignored: false }
    }

    #[test]
    fn what_is_in_a_folder_follows_it() {
        let listing = listing(&["a", "a/b", "a/b/c", "a/d", "a-b", "b"]);
        assert!(listing.entries.is_sorted_by(|a, b| order(&a.path, &b.path).is_lt()));
        assert_eq!(listing.below(Path::new("a")), 1..4);
        assert_eq!(listing.below(Path::new("a/b")), 2..3);
        assert_eq!(listing.below(Path::new("")), 0..6);
        assert_eq!(listing.find(Path::new("a-b")), Ok(4));
        assert_eq!(listing.find(Path::new("aa")), Err(5));
    }
}
