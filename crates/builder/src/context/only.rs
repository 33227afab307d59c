//! Which files of a folder a build uses: the sources of its COPYs, and where links in them lead.

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::copy::{LINKS, has_wildcard, normal, parts};
use crate::glob::Glob;

/// What a folder is listed for.
#[derive(Debug)]
pub struct Only(Vec<Vec<Part>>);

#[derive(Debug)]
enum Part {
    Name(OsString),
    Pattern(Glob),
}

/// How a path relates to what is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) place: Place,
    /// A wildcard matches it, or it is on the way there: where it is a link, that is followed.
    pub(super) by_pattern: bool,
    /// Wildcards may match below.
    pub(super) has_patterns_below: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    #[default]
    Outside,
    /// On the way to what is wanted.
    Way,
    /// Wanted, with all that is below.
    Wanted,
}

impl Reach {
    pub(super) const ALL: Self =
        Self { place: Place::Wanted, by_pattern: false, has_patterns_below: false };

    fn with(self, other: Self) -> Self {
        Self {
            place: self.place.max(other.place),
            by_pattern: self.by_pattern || other.by_pattern,
            has_patterns_below: self.has_patterns_below || other.has_patterns_below,
        }
    }

    /// Whether all that is below is wanted, and nothing is to be asked of it.
    pub(super) fn is_whole(self) -> bool {
        self.place == Place::Wanted && !self.has_patterns_below
    }
}

impl Only {
    /// Of sources as COPY has them, from the folder's root. None where that is all there is, or a pattern is none.
    #[must_use]
    pub fn new(folder: BorrowedFd<'_>, sources: &[String]) -> Option<Self> {
        let mut all = Vec::new();
        for source in sources {
            let path = normal(Path::new(source));
            let is_pattern = |name: &OsString| has_wildcard(&name.to_string_lossy());
            let literal: PathBuf = parts(&path).take_while(|name| !is_pattern(name)).collect();
            let patterns: Vec<OsString> =
                parts(&path).skip_while(|name| !is_pattern(name)).collect();
            let (links, place) = follow(folder, &literal);
            let mut wanted = names(&place);
            for part in patterns {
                let part = Glob::of_path(&part.to_string_lossy()).ok()?;
                wanted.push(Part::Pattern(part));
            }
            if wanted.is_empty() {
                return None;
            }
            all.push(wanted);
            all.extend(links.iter().map(|link| names(link)));
        }
        Some(Self(all)).filter(|only| !only.0.is_empty())
    }

    pub(super) fn reach(&self, path: &Path) -> Reach {
        let names: Vec<OsString> = parts(path).collect();
        self.0.iter().map(|wanted| reach(wanted, &names)).fold(Reach::default(), Reach::with)
    }
}

fn reach(wanted: &[Part], names: &[OsString]) -> Reach {
    let is_match = |(part, name): (&Part, &OsString)| match part {
        Part::Name(wanted) => wanted == name,
        Part::Pattern(glob) => glob.matches(&name.to_string_lossy()),
    };
    if !wanted.iter().zip(names).all(is_match) {
        return Reach::default();
    }
    let has_pattern = |parts: &[Part]| parts.iter().any(|part| matches!(part, Part::Pattern(_)));
    let (place, rest) = match wanted.split_at_checked(names.len()) {
        None => return Reach::ALL,
        Some((_, [])) => (Place::Wanted, &[][..]),
        Some((_, rest)) => (Place::Way, rest),
    };
    Reach {
        place,
        by_pattern: has_pattern(&wanted[..names.len()]),
        has_patterns_below: has_pattern(rest),
    }
}

fn names(path: &Path) -> Vec<Part> {
    parts(path).map(Part::Name).collect()
}

/// The links on the way, and where the path leads in the end; as far as links have an end.
fn follow(folder: BorrowedFd<'_>, path: &Path) -> (Vec<PathBuf>, PathBuf) {
    let mut rest: Vec<OsString> = parts(path).rev().collect();
    let (mut links, mut at) = (Vec::new(), PathBuf::new());
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        match rustix::fs::readlinkat(folder, &next, Vec::new()) {
            Ok(target) if links.len() < LINKS => {
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                links.push(next);
                if target.is_absolute() {
                    at = PathBuf::new();
                }
                rest.extend(parts(&target).rev());
            }
            _ => at = next,
        }
    }
    (links, at)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use super::*;

    fn only(folder: &Path, sources: &[&str]) -> Option<Only> {
        let sources: Vec<String> = sources.iter().map(|source| (*source).to_owned()).collect();
        Only::new(File::open(folder).unwrap().as_fd(), &sources)
    }

    #[test]
    fn what_leads_to_sources_and_what_is_below_is_wanted() {
        let place = tempfile::tempdir().unwrap();
        let only = only(place.path(), &["a/b/", "/x/./y", "z*/*.c"]).unwrap();
        let place = |path: &str| only.reach(Path::new(path)).place;
        assert_eq!(["a", "x", "z1"].map(place), [Place::Way; 3]);
        let wanted = ["a/b", "a/b/c", "x/y", "z1/m.c", "z1/m.c/d"];
        assert_eq!(wanted.map(place), [Place::Wanted; 5]);
        assert_eq!(["b", "a/c", "ab", "y/m.c", "z1/m.h"].map(place), [Place::Outside; 5]);
        let by_pattern = |path: &str| only.reach(Path::new(path)).by_pattern;
        assert_eq!(["a", "a/b", "z1", "z1/m.c"].map(by_pattern), [false, false, true, true]);
    }

    #[test]
    fn wildcards_are_asked_in_what_is_wanted_as_a_whole() {
        let place = tempfile::tempdir().unwrap();
        let only = only(place.path(), &["a", "a/*/c", "b"]).unwrap();
        let is_whole = |path: &str| only.reach(Path::new(path)).is_whole();
        assert_eq!(["a", "a/x", "a/x/c", "b"].map(is_whole), [false, false, true, true]);
        assert!(only.reach(Path::new("a/x/c")).by_pattern);
    }

    #[test]
    fn links_are_followed() {
        let place = tempfile::tempdir().unwrap();
        symlink("real/../d", place.path().join("l")).unwrap();
        symlink("/e", place.path().join("d")).unwrap();
        symlink("loop", place.path().join("loop")).unwrap();
        let found = only(place.path(), &["l/f", "loop"]).unwrap();
        for path in ["l", "d", "e/f", "loop"] {
            assert_eq!(found.reach(Path::new(path)).place, Place::Wanted, "{path}");
        }
        assert_eq!(found.reach(Path::new("e")).place, Place::Way);
        assert_eq!(found.reach(Path::new("e/g")).place, Place::Outside);
    }

    #[test]
    fn the_root_is_everything() {
        let place = tempfile::tempdir().unwrap();
        for sources in [&["."][..], &["a", "/"], &["a/.."], &[]] {
            assert!(only(place.path(), sources).is_none(), "{sources:?}");
        }
    }
}
