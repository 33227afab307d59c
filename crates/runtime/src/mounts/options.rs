//! Mount options as words, in fstab's and runc's vocabulary.

use std::path::PathBuf;

use sys::mount::{self, Attributes, Depth};

use crate::{LOWER, SUBPATH, UPPER};

/// What the options of one mount ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Of the mount itself.
    pub(crate) attributes: Attributes,
    /// Of the whole tree (`rro`, `rnosuid`, ...).
    pub(crate) recursive: Attributes,
    /// In the order given.
    pub(crate) propagation: Vec<(u64, Depth)>,
    pub(crate) bind: Option<Depth>,
    pub(crate) idmap: Option<Depth>,
    pub(crate) copy_up: bool,
    /// What of a bind mount's source is mounted, relative to it.
    pub(crate) subpath: Option<PathBuf>,
    /// The directories that a bind mount shows in place of its source, top first.
    pub(crate) lower: Vec<PathBuf>,
    /// With `lower`: where what is written goes.
    pub(crate) upper: Option<PathBuf>,
    /// What the file system itself is told.
    pub(crate) data: Vec<String>,
}

/// The words that change attributes: name, bits set, bits cleared.
const ATTRIBUTES: [(&str, u64, u64); 20] = [
    ("ro", mount::RDONLY, 0),
    ("rw", 0, mount::RDONLY),
    ("nosuid", mount::NOSUID, 0),
    ("suid", 0, mount::NOSUID),
    ("nodev", mount::NODEV, 0),
    ("dev", 0, mount::NODEV),
    ("noexec", mount::NOEXEC, 0),
    ("exec", 0, mount::NOEXEC),
    ("noatime", mount::NOATIME, mount::ATIME),
    ("atime", 0, mount::ATIME),
    ("relatime", 0, mount::ATIME),
    ("norelatime", 0, mount::ATIME),
    ("strictatime", mount::STRICTATIME, mount::ATIME),
    ("nostrictatime", 0, mount::ATIME),
    ("nodiratime", mount::NODIRATIME, 0),
    ("diratime", 0, mount::NODIRATIME),
    ("nosymfollow", mount::NOSYMFOLLOW, 0),
    ("symfollow", 0, mount::NOSYMFOLLOW),
    ("iversion", 0, 0),
    ("noiversion", 0, 0),
];

const PROPAGATION: [(&str, u64); 4] = [
    ("private", mount::PRIVATE),
    ("slave", mount::SLAVE),
    ("shared", mount::SHARED),
    ("unbindable", mount::UNBINDABLE),
];

/// Words of fstab that mean nothing to a single mount, or are the default.
const IGNORED: [&str; 13] = [
    "defaults",
    "remount",
    "norbind",
    "async",
    "nomand",
    "mand",
    "loud",
    "acl",
    "noacl",
    "user",
    "nolazytime",
    "nofail",
    "auto",
];

impl Options {
    pub(crate) fn parse(words: &[String]) -> Self {
        let mut options = Options::default();
        for word in words {
            options.add(word);
        }
        options
    }

    fn add(&mut self, word: &str) {
        match word {
            "bind" => self.bind = Some(Depth::Single),
            "rbind" => self.bind = Some(Depth::Recursive),
            "idmap" => self.idmap = Some(Depth::Single),
            "ridmap" => self.idmap = Some(Depth::Recursive),
            "tmpcopyup" => self.copy_up = true,
            _ if IGNORED.contains(&word) => {}
            _ => {
                if let Some(subpath) = word.strip_prefix(SUBPATH) {
                    self.subpath = Some(subpath.into());
                } else if let Some(lower) = word.strip_prefix(LOWER) {
                    self.lower.push(lower.into());
                } else if let Some(upper) = word.strip_prefix(UPPER) {
                    self.upper = Some(upper.into());
                } else if !self.add_attribute(word) && !self.add_propagation(word) {
                    self.data.push(word.to_owned());
                }
            }
        }
    }

    fn add_attribute(&mut self, word: &str) -> bool {
        let find = |name| ATTRIBUTES.iter().find(|(known, ..)| *known == name);
        let (found, target) = match (find(word), word.strip_prefix('r').and_then(find)) {
            (Some(found), _) => (found, &mut self.attributes),
            (None, Some(found)) => (found, &mut self.recursive),
            (None, None) => return false,
        };
        let (_, set, clear) = *found;
        target.set = target.set & !clear | set;
        // The kernel wants the whole field of the access time cleared where a mode of it is set.
        target.clear = target.clear & !(set & !mount::ATIME) | clear;
        true
    }

    fn add_propagation(&mut self, word: &str) -> bool {
        let find = |name| PROPAGATION.iter().find(|(known, _)| *known == name);
        let (found, depth) = match (find(word), word.strip_prefix('r').and_then(find)) {
            (Some(found), _) => (found, Depth::Single),
            (None, Some(found)) => (found, Depth::Recursive),
            (None, None) => return false,
        };
        self.propagation.push((found.1, depth));
        true
    }
}

/// Every word that is understood, for the features document.
pub(crate) fn known() -> Vec<String> {
    let attributes = ATTRIBUTES.iter().map(|(name, ..)| *name);
    let propagation = PROPAGATION.iter().map(|(name, _)| *name);
    let plain: Vec<&str> = attributes.chain(propagation).collect();
    let recursive = plain.iter().map(|name| format!("r{name}"));
    let other = ["bind", "rbind", "idmap", "ridmap", "tmpcopyup"].iter().chain(&IGNORED);
    let mut words: Vec<String> =
        plain.iter().chain(other).map(|name| (*name).to_owned()).chain(recursive).collect();
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Options {
        Options::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_become_attributes_of_the_mount_or_of_its_tree() {
        let options = parse(&["rbind", "ro", "rnosuid", "rprivate", "size=64k"]);
        assert_eq!(options.bind, Some(Depth::Recursive));
        assert_eq!(options.attributes.set, mount::RDONLY);
        assert_eq!(options.recursive.set, mount::NOSUID);
        assert_eq!(options.propagation, [(mount::PRIVATE, Depth::Recursive)]);
        assert_eq!(options.data, ["size=64k"]);
    }

    #[test]
    fn the_last_word_wins() {
        assert_eq!(parse(&["ro", "rw"]).attributes.set, 0);
        assert_eq!(parse(&["ro", "rw"]).attributes.clear, mount::RDONLY);
        let read_only = parse(&["rw", "ro"]).attributes;
        assert_eq!((read_only.set, read_only.clear), (mount::RDONLY, 0));
    }

    #[test]
    fn relatime_and_rrelatime_are_told_apart() {
        assert_eq!(parse(&["relatime"]).attributes.clear, mount::ATIME);
        assert_eq!(parse(&["rrelatime"]).recursive.clear, mount::ATIME);
        assert_eq!(parse(&["rnoatime"]).recursive.set, mount::NOATIME);
    }
}
