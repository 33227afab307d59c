//! What one layer has in common with another: the note of a layer's contents, and what of it a later one has again.
//!
//! A layer may lie over another only where it shows nothing of that one that is not its own: every path of the lower one must
//! be there again, folders as folders. Folders, links and devices are made anew; files that are the same need not be.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Item;
use crate::context::{Entry, Kind};

const MAGIC: &[u8] = b"contents 1\n";
const PRINT: usize = 32;

/// Fewer are copied sooner than they are compared, unless they are large.
const FEW: usize = 64;
const LARGE: u64 = 1 << 20;
/// More are not held in memory twice.
const MANY: usize = 200_000;

/// Whether it pays to know later what a layer of these holds.
#[must_use]
pub fn is_notable(items: &[Item]) -> bool {
    let size = |item: &Item| match item.entry.kind {
        Kind::File { size, .. } => size,
        _ => 0,
    };
    items.len() <= MANY
        && (items.len() >= FEW || items.iter().map(size).fold(0, u64::saturating_add) >= LARGE)
}

/// What a layer of these items holds, path by path in their order. None where a file was not hashed.
#[must_use]
pub fn note(items: &[Item]) -> Option<Vec<u8>> {
    let mut note = [MAGIC, &(items.len() as u64).to_le_bytes()].concat();
    for item in items {
        let path = item.entry.path.as_os_str().as_bytes();
        note.push(tag(&item.entry.kind));
        note.extend(u32::try_from(path.len()).ok()?.to_le_bytes());
        note.extend(path);
        if let Kind::File { .. } = item.entry.kind {
            note.extend(print(&item.entry)?);
        }
    }
    Some(note)
}

/// The files that a layer of these items has in common with the one of the note. None where it cannot lie over that one, or
/// where more of it is new than not.
#[must_use]
pub fn in_common(items: &[Item], note: &[u8]) -> Option<HashSet<PathBuf>> {
    let mut items = items.iter();
    let (mut same, mut files) = (HashSet::new(), 0);
    let (count, mut rest) = note.strip_prefix(MAGIC)?.split_first_chunk()?;
    for _ in 0..u64::from_le_bytes(*count) {
        let noted;
        (noted, rest) = Noted::first(rest)?;
        // Both are in the order of paths: what does not come now comes no more.
        let item = items.find(|item| item.entry.path == noted.path)?;
        let kind = &item.entry.kind;
        if (tag(kind) == DIRECTORY) != (noted.tag == DIRECTORY) {
            return None;
        }
        let Some(before) = noted.print else { continue };
        files += 1;
        if matches!(kind, Kind::File { .. }) && print(&item.entry)? == before {
            same.insert(item.entry.path.clone());
        }
    }
    (rest.is_empty() && !same.is_empty() && same.len() * 2 >= files).then_some(same)
}

const DIRECTORY: u8 = b'd';
const FILE: u8 = b'f';
const OTHER: u8 = b'o';

fn tag(kind: &Kind) -> u8 {
    match kind {
        Kind::Directory => DIRECTORY,
        Kind::File { .. } => FILE,
        _ => OTHER,
    }
}

/// A file's content and all else that a layer says of it.
fn print(entry: &Entry) -> Option<[u8; PRINT]> {
    let Kind::File { size, digest: Some(digest) } = &entry.kind else { return None };
    let mut hash = Sha256::new();
    hash.update(digest.as_str());
    hash.update(size.to_le_bytes());
    hash.update([entry.mode, entry.uid, entry.gid].map(u32::to_le_bytes).concat());
    hash.update(entry.modified.to_le_bytes());
    for part in entry.xattrs.iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Some(hash.finalize().into())
}

struct Noted<'n> {
    tag: u8,
    path: &'n Path,
    /// Of a file.
    print: Option<&'n [u8]>,
}

impl<'n> Noted<'n> {
    /// None where the note is cut off or none of ours.
    fn first(bytes: &'n [u8]) -> Option<(Self, &'n [u8])> {
        let (tag, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (path, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (print, rest) = match *tag {
            FILE => rest.split_at_checked(PRINT).map(|(print, rest)| (Some(print), rest))?,
            DIRECTORY | OTHER => (None, rest),
            _ => return None,
        };
        Some((Self { tag: *tag, path: Path::new(OsStr::from_bytes(path)), print }, rest))
    }
}

#[cfg(test)]
mod tests {
    use oci::Digest;
    use proptest::prelude::*;

    use super::*;

    fn item(path: &str, kind: Kind) -> Item {
        let entry = Entry {
            path: path.into(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            modified: 7,
            xattrs: Vec::new(),
        };
        Item { entry, content: None }
    }

    fn file(path: &str, content: &str) -> Item {
        let digest = Digest::from_sha256(Sha256::digest(content).into());
        item(path, Kind::File { size: content.len() as u64, digest: Some(digest) })
    }

    fn folder(path: &str) -> Item {
        item(path, Kind::Directory)
    }

    fn link(path: &str) -> Item {
        item(path, Kind::Symlink { target: "f".into() })
    }

    fn before() -> Vec<u8> {
        note(&[folder("a"), file("a/1", "one"), file("a/2", "two"), link("a/3")]).unwrap()
    }

    fn common(items: &[Item]) -> Option<Vec<String>> {
        let mut common: Vec<_> = in_common(items, &before())?
            .into_iter()
            .map(|path| path.display().to_string())
            .collect();
        common.sort();
        Some(common)
    }

    #[test]
    fn what_has_not_changed_is_in_common() {
        let all = [folder("a"), file("a/1", "one"), file("a/2", "two"), link("a/3")];
        assert_eq!(common(&all).unwrap(), ["a/1", "a/2"]);
        let changed = [folder("a"), file("a/1", "new"), file("a/2", "two"), link("a/3")];
        assert_eq!(common(&changed).unwrap(), ["a/2"]);
        let more = [folder("a"), file("a/0", "x"), file("a/1", "one"), link("a/2"), link("a/3")];
        assert_eq!(common(&more).unwrap(), ["a/1"]);
    }

    #[test]
    fn whatever_a_layer_says_of_a_file_tells_it_apart() {
        let changes: [fn(&mut Entry); 5] = [
            |entry| entry.mode = 0o600,
            |entry| entry.uid = 1,
            |entry| entry.gid = 1,
            |entry| entry.modified = 8,
            |entry| entry.xattrs.push(("user.x".into(), vec![1])),
        ];
        for change in changes {
            let mut one = file("a/1", "one");
            change(&mut one.entry);
            let items = [folder("a"), one, file("a/2", "two"), link("a/3")];
            assert_eq!(common(&items).unwrap(), ["a/2"]);
        }
    }

    #[test]
    fn nothing_lies_over_what_it_would_let_through() {
        let removed = [folder("a"), file("a/1", "one"), link("a/3")];
        assert_eq!(common(&removed), None);
        let became_a_folder = [folder("a"), file("a/1", "one"), file("a/2", "two"), folder("a/3")];
        assert_eq!(common(&became_a_folder), None);
        let was_a_folder = [file("a", "one")];
        assert_eq!(common(&was_a_folder), None);
    }

    #[test]
    fn what_is_mostly_new_shares_nothing() {
        let items = [folder("a"), file("a/1", "x"), file("a/2", "y"), link("a/3")];
        assert_eq!(common(&items), None);
    }

    #[test]
    fn a_file_without_a_digest_is_noted_by_nobody() {
        let unknown = item("a", Kind::File { size: 1, digest: None });
        assert_eq!(note(&[unknown]), None);
    }

    proptest! {
        #[test]
        fn a_note_that_was_cut_off_or_damaged_shares_nothing_new(at in 0..200usize, byte: u8) {
            let all = [folder("a"), file("a/1", "one"), file("a/2", "two"), link("a/3")];
            let note = before();
            let at = at % note.len();
            let whole = in_common(&all, &note).unwrap();
            prop_assert_eq!(in_common(&all, &note[..at]), None);
            let mut damaged = note;
            damaged[at] = byte;
            prop_assert!(in_common(&all, &damaged).unwrap_or_default().is_subset(&whole));
        }
    }
}
