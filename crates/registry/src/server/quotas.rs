//! How much repositories may hold: the sizes of their blobs and manifests, each content once.
//!
//! What is there is counted in the storage when it is needed, at most every so often, and what is pushed meanwhile is
//! added. Several instances over one storage learn of each other's pushes with the next count. What was deleted counts
//! until it is collected.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use oci::digest::Digest;
use serde::Deserialize;

use super::access::matches;
use super::catalog::all_repositories;
use super::error::{Code, Error};
use super::gc::digests;
use super::layout;
use super::names::Repository;
use super::storage::Storage;

/// After which what was counted is counted anew.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// The same, where somebody would be refused: something may have been collected.
const GOOD_FOR_A_REFUSAL: Duration = Duration::from_secs(2);

/// Of the configuration. All that are about a repository count.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Patterns, as those of who may do what.
    repositories: Vec<String>,
    bytes: u64,
    #[serde(default)]
    per: Per,
}

/// Who shares the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Per {
    /// All repositories that the rule is about.
    #[default]
    Rule,
    Repository,
}

#[derive(Default)]
pub(super) struct Quotas {
    rules: Vec<Rule>,
    /// By rule, and by repository where each has its own.
    counts: Mutex<HashMap<(usize, Option<Repository>), Count>>,
    /// Content never changes.
    sizes: Mutex<HashMap<Digest, u64>>,
}

struct Count {
    since: Instant,
    content: HashSet<Digest>,
    bytes: u64,
}

/// How large an upload may become.
pub(super) struct Room {
    bytes: u64,
    /// What the rule that says so is about.
    rule: Option<String>,
}

impl Quotas {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How much more there is room for in a repository.
    pub(super) fn room(&self, storage: &Storage, repository: &Repository) -> io::Result<Room> {
        let mut room = Room::unbounded();
        for (at, rule) in self.about(repository) {
            let bytes = self.count(storage, at, repository, GOOD_FOR, |count| {
                rule.bytes.saturating_sub(count.bytes)
            })?;
            if bytes < room.bytes {
                room = Room { bytes, rule: Some(rule.repositories.join(" ")) };
            }
        }
        Ok(room)
    }

    /// Counts content that is about to belong to a repository.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn take(
        &self,
        storage: &Storage,
        repository: &Repository,
        digest: &Digest,
        size: u64,
    ) -> Result<(), Error> {
        for (at, rule) in self.about(repository) {
            let fits =
                |count: &Count| count.content.contains(digest) || count.bytes + size <= rule.bytes;
            let does_fit = self.count(storage, at, repository, GOOD_FOR, |count| fits(count))?
                || self.count(storage, at, repository, GOOD_FOR_A_REFUSAL, |count| fits(count))?;
            if !does_fit {
                return Err(exceeded(&rule.repositories.join(" ")));
            }
        }
        for (at, _) in self.about(repository) {
            self.count(storage, at, repository, GOOD_FOR, |count| count.add(digest, size))?;
        }
        Ok(())
    }

    fn about(&self, repository: &Repository) -> impl Iterator<Item = (usize, &Rule)> {
        self.rules.iter().enumerate().filter(move |(_, rule)| rule.is_about(repository))
    }

    /// Does something with what a rule counts of a repository, which is not older than that.
    fn count<T>(
        &self,
        storage: &Storage,
        at: usize,
        repository: &Repository,
        good_for: Duration,
        with: impl FnOnce(&mut Count) -> T,
    ) -> io::Result<T> {
        let rule = &self.rules[at];
        let own = (rule.per == Per::Repository).then(|| repository.clone());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (at, own);
        if counts.get(&key).is_none_or(|count| count.since.elapsed() >= good_for) {
            let repositories = match &key.1 {
                Some(own) => vec![own.clone()],
                None => {
                    let mut all = all_repositories(storage)?;
                    all.retain(|one| rule.is_about(one));
                    all
                }
            };
            counts.insert(key.clone(), self.look(storage, &repositories)?);
        }
        let missing = || io::Error::other("nothing was counted");
        counts.get_mut(&key).map(with).ok_or_else(missing)
    }

    fn look(&self, storage: &Storage, repositories: &[Repository]) -> io::Result<Count> {
        let mut count = Count { since: Instant::now(), content: HashSet::new(), bytes: 0 };
        for repository in repositories {
            for digest in digests(storage, &layout::blobs(repository))? {
                let size = self.size(storage, &digest, &layout::blob(&digest))?;
                count.add(&digest, size);
            }
            for digest in digests(storage, &layout::manifests(repository))? {
                let size = self.size(storage, &digest, &layout::manifest(repository, &digest))?;
                count.add(&digest, size);
            }
        }
        Ok(count)
    }

    fn size(&self, storage: &Storage, digest: &Digest, key: &layout::Key) -> io::Result<u64> {
        let known = |sizes: &Mutex<HashMap<Digest, u64>>| {
            sizes.lock().unwrap_or_else(PoisonError::into_inner).get(digest).copied()
        };
        if let Some(size) = known(&self.sizes) {
            return Ok(size);
        }
        // What has gone since it was listed holds nothing.
        let Some(facts) = storage.facts(key)? else { return Ok(0) };
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.insert(digest.clone(), facts.size);
        Ok(facts.size)
    }
}

impl Rule {
    fn is_about(&self, repository: &Repository) -> bool {
        self.repositories.iter().any(|pattern| matches(pattern, repository.as_str()))
    }
}

impl Count {
    fn add(&mut self, digest: &Digest, size: u64) {
        if self.content.insert(digest.clone()) {
            self.bytes += size;
        }
    }
}

impl Room {
    pub(super) fn unbounded() -> Self {
        Self { bytes: u64::MAX, rule: None }
    }

    /// # Errors
    /// An upload of that size has none.
    pub(super) fn check(&self, size: u64) -> Result<(), Error> {
        match &self.rule {
            Some(rule) if size > self.bytes => Err(exceeded(rule)),
            _ => Ok(()),
        }
    }
}

fn exceeded(rule: &str) -> Error {
    Error::new(Code::Denied, format!("the quota of {rule} would be exceeded"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::directory::Directory;

    struct Place {
        _folder: tempfile::TempDir,
        storage: Storage,
        quotas: Quotas,
    }

    impl Place {
        fn of(rules: serde_json::Value) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let storage = Storage::Folder(Directory::open(folder.path()).unwrap());
            let quotas = Quotas::new(serde_json::from_value(rules).unwrap());
            Self { _folder: folder, storage, quotas }
        }

        fn take(&self, name: &str, number: u8, size: u64) -> Option<String> {
            let digest = Digest::from_sha256([number; 32]);
            let taken = self.quotas.take(&self.storage, &repository(name), &digest, size);
            taken.err().map(|error| error.to_string())
        }

        fn keep(&self, name: &str, number: u8, size: usize) {
            let digest = Digest::from_sha256([number; 32]);
            self.storage.write(&layout::blob(&digest), &[&vec![0; size]]).unwrap();
            self.storage.touch(&layout::blob_link(&repository(name), &digest)).unwrap();
        }
    }

    fn repository(name: &str) -> Repository {
        Repository::parse(name).unwrap()
    }

    #[test]
    fn repositories_of_one_rule_share_its_bytes_and_content_counts_once() {
        let place = Place::of(json!([{"repositories": ["team/*"], "bytes": 100}]));
        place.keep("team/a", 1, 30);
        place.keep("team/b", 1, 30);
        place.keep("other", 2, 500);
        assert_eq!(place.take("team/c", 3, 70), None);
        let refused = Some("the quota of team/* would be exceeded".to_owned());
        assert_eq!(place.take("team/a", 4, 1), refused);
        assert_eq!(place.take("team/a", 3, 70), None, "it is there");
        assert_eq!(place.take("other", 5, 1000), None);
        let room = place.quotas.room(&place.storage, &repository("team/a")).unwrap();
        assert!(room.check(0).is_ok() && room.check(1).is_err());
        let room = place.quotas.room(&place.storage, &repository("other")).unwrap();
        assert!(room.check(u64::MAX).is_ok());
    }

    #[test]
    fn each_repository_may_have_its_own_bytes_and_all_rules_count() {
        let place = Place::of(json!([
            {"repositories": ["**"], "bytes": 100, "per": "repository"},
            {"repositories": ["b"], "bytes": 10},
        ]));
        assert_eq!(place.take("a", 1, 100), None);
        assert!(place.take("a", 2, 1).is_some());
        assert_eq!(place.take("c", 2, 100), None);
        assert_eq!(place.take("b", 3, 11), Some("the quota of b would be exceeded".to_owned()));
        assert_eq!(place.take("b", 3, 10), None, "what was refused was not counted");
    }
}
