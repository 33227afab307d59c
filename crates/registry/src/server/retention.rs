//! What goes of itself: tags beyond the last so many, or of an age, and manifests that nothing names any more. Their
//! content is garbage then (see [`gc`](super::gc)).
//!
//! As with garbage, marking takes no lock. A tag has the time of its last push, a manifest that of its last push or of the
//! last index that named it; each removal looks at it again with the lock held alone, so that nothing goes that
//! somebody has pushed since.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::{Duration, SystemTime};

use oci::digest::Digest;
use serde::{Deserialize, Deserializer};

use super::access::matches;
use super::catalog::repositories;
use super::gc::digests;
use super::layout::{self, Key};
use super::manifest::Manifest;
use super::manifests::{self, Stored, tagged};
use super::names::{Repository, Tag};
use super::options::duration;
use super::storage::Storage;

/// Of the configuration. Of several rules for a repository the first counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Patterns, as those of who may do what.
    repositories: Vec<String>,
    /// Patterns; other tags stay and do not count.
    #[serde(default = "all")]
    tags: Vec<String>,
    /// The last pushed so many stay, whatever their age.
    #[serde(default)]
    keep: usize,
    /// The others go once they are older; without it, at once.
    #[serde(default, deserialize_with = "age")]
    older: Duration,
    /// Manifests that neither a tag nor a manifest that stays names go once they are older; without it, never.
    #[serde(default, deserialize_with = "some_age")]
    untagged: Option<Duration>,
}

/// What went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) tags: usize,
    pub(super) manifests: usize,
}

/// A tag as it was seen.
struct Seen {
    tag: Tag,
    digest: Digest,
    pushed: SystemTime,
}

impl Rule {
    /// # Errors
    /// It would remove every tag at once.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.keep > 0 || !self.older.is_zero() {
            return Ok(());
        }
        Err(format!(
            "retention of {:?} needs keep or older: it would keep no tag",
            self.repositories
        ))
    }

    fn is_for(&self, repository: &Repository) -> bool {
        self.repositories.iter().any(|pattern| matches(pattern, repository.as_str()))
    }

    fn counts(&self, tag: &Tag) -> bool {
        subject_of(tag).is_none() && self.tags.iter().any(|pattern| matches(pattern, tag.as_str()))
    }
}

/// Nothing younger than `grace` goes but tags.
pub(super) fn apply(storage: &Storage, rules: &[Rule], grace: Duration) -> io::Result<Removed> {
    let mut removed = Removed::default();
    if rules.is_empty() {
        return Ok(removed);
    }
    for repository in repositories(storage)? {
        let Some(rule) = rules.iter().find(|rule| rule.is_for(&repository)) else { continue };
        removed.tags += sweep_tags(storage, rule, &repository)?;
        if let Some(age) = rule.untagged {
            removed.manifests += sweep_untagged(storage, &repository, age.max(grace))?;
        }
    }
    Ok(removed)
}

fn sweep_tags(storage: &Storage, rule: &Rule, repository: &Repository) -> io::Result<usize> {
    let mut tags = seen(storage, repository)?;
    tags.retain(|seen| rule.counts(&seen.tag));
    // Of those of one time the order is that of their names, each time.
    tags.sort_by(|a, b| b.pushed.cmp(&a.pushed).then_with(|| b.tag.cmp(&a.tag)));
    let mut count = 0;
    for seen in tags.iter().skip(rule.keep) {
        if is_older(seen.pushed, rule.older) && remove_tag(storage, repository, seen)? {
            tracing::info!("{repository}:{} went by the rules of retention", seen.tag.as_str());
            count += 1;
        }
    }
    Ok(count)
}

/// Unless it was pushed again since it was seen.
fn remove_tag(storage: &Storage, repository: &Repository, seen: &Seen) -> io::Result<bool> {
    let key = layout::tag(repository, &seen.tag);
    let held = storage.alone()?;
    let is_same = storage.facts(&key)?.is_some_and(|facts| facts.modified == seen.pushed)
        && tagged(storage, repository, &seen.tag)?.as_ref() == Some(&seen.digest);
    Ok(is_same && storage.remove(&held, &key)?)
}

fn sweep_untagged(storage: &Storage, repository: &Repository, age: Duration) -> io::Result<usize> {
    let mut all = HashMap::new();
    for digest in digests(storage, &layout::manifests(repository))? {
        let Some(stored) = Stored::load(storage, repository, digest)? else { continue };
        // What is not understood may need anything.
        let Ok(manifest) = Manifest::parse(&stored.bytes, Some(&stored.media_type)) else {
            return Ok(0);
        };
        all.insert(stored.digest, manifest);
    }
    let tags = seen(storage, repository)?;
    let needed = needed(&all, &tags);
    let mut count = 0;
    let mut going: Vec<_> = all.iter().filter(|(digest, _)| !needed.contains(digest)).collect();
    // What names others goes before them.
    going.sort_by_key(|(_, manifest)| manifest.manifests.is_empty());
    for (digest, _) in going {
        // Those that tell something of it by their names, which its removal would leave.
        let about = tags.iter().filter(|seen| subject_of(&seen.tag).as_ref() == Some(digest));
        let manifest = layout::manifest(repository, digest);
        let held = storage.alone()?;
        if !is_old(storage, &manifest, age)? {
            continue;
        }
        for seen in about {
            storage.remove(&held, &layout::tag(repository, &seen.tag))?;
        }
        count += usize::from(manifests::remove_untagged(storage, &held, repository, digest)?);
    }
    Ok(count)
}

/// What tags name, what that names, and what is about any of it.
fn needed<'m>(all: &'m HashMap<Digest, Manifest>, tags: &'m [Seen]) -> HashSet<&'m Digest> {
    let mut needed = HashSet::new();
    let named = tags.iter().filter(|seen| subject_of(&seen.tag).is_none());
    let mut found: Vec<&Digest> = named.map(|seen| &seen.digest).collect();
    while let Some(digest) = found.pop() {
        if !needed.insert(digest) {
            continue;
        }
        if let Some(manifest) = all.get(digest) {
            found.extend(&manifest.manifests);
        }
        let about = all.iter().filter(|(_, manifest)| manifest.subject.as_ref() == Some(digest));
        found.extend(about.map(|(digest, _)| digest));
        let about = tags.iter().filter(|seen| subject_of(&seen.tag).as_ref() == Some(digest));
        found.extend(about.map(|seen| &seen.digest));
    }
    needed
}

fn seen(storage: &Storage, repository: &Repository) -> io::Result<Vec<Seen>> {
    let mut found = Vec::new();
    for (name, _) in storage.list(&layout::tags(repository))? {
        let Ok(tag) = Tag::parse(&name) else { continue };
        let facts = storage.facts(&layout::tag(repository, &tag))?;
        // It may have gone since it was listed.
        if let (Some(facts), Some(digest)) = (facts, tagged(storage, repository, &tag)?) {
            found.push(Seen { tag, digest, pushed: facts.modified });
        }
    }
    Ok(found)
}

/// Of a tag by which signatures and other things about a manifest are found: `sha256-<digits>`, `sha256-<digits>.sig`.
fn subject_of(tag: &Tag) -> Option<Digest> {
    let name = tag.as_str().split('.').next().unwrap_or_default();
    Digest::parse(&name.replacen('-', ":", 1)).ok()
}

fn is_old(storage: &Storage, key: &Key, age: Duration) -> io::Result<bool> {
    Ok(storage.facts(key)?.is_some_and(|facts| is_older(facts.modified, age)))
}

fn is_older(time: SystemTime, age: Duration) -> bool {
    time.elapsed().is_ok_and(|elapsed| elapsed >= age)
}

fn all() -> Vec<String> {
    vec!["**".to_owned()]
}

fn age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn some_age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    age(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use serde_json::json;

    use super::*;
    use crate::server::directory::Directory;

    const HOUR: Duration = Duration::from_secs(3600);

    struct Place {
        folder: tempfile::TempDir,
        storage: Storage,
        repository: Repository,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let storage = Storage::Folder(Directory::open(folder.path()).unwrap());
            Self { folder, storage, repository: Repository::parse("ci/app").unwrap() }
        }

        /// A manifest with these fields besides, so many hours ago.
        fn push(&self, number: u8, hours: u32, fields: &serde_json::Value) -> Digest {
            let digest = Digest::from_sha256([number; 32]);
            let mut text = json!({"schemaVersion": 2});
            text.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let kind = if fields["manifests"].is_null() {
                oci::media_type::OCI_MANIFEST
            } else {
                oci::media_type::OCI_INDEX
            };
            let key = layout::manifest(&self.repository, &digest);
            let text = text.to_string();
            self.storage.write(&key, &[kind.as_bytes(), b"\n", text.as_bytes()]).unwrap();
            self.age(&key, hours);
            digest
        }

        fn image(&self, number: u8, hours: u32) -> Digest {
            self.push(number, hours, &json!({"config": descriptor(9)}))
        }

        fn tag(&self, name: &str, digest: &Digest, hours: u32) {
            let key = layout::tag(&self.repository, &Tag::parse(name).unwrap());
            self.storage.write(&key, &[digest.as_str().as_bytes()]).unwrap();
            self.age(&key, hours);
        }

        fn age(&self, key: &Key, hours: u32) {
            let file = File::options().append(true).open(self.folder.path().join(key.as_str()));
            let times = FileTimes::new().set_modified(SystemTime::now() - HOUR * hours);
            file.unwrap().set_times(times).unwrap();
        }

        fn apply(&self, rule: &serde_json::Value) -> Removed {
            let rule = serde_json::from_value(rule.clone()).unwrap();
            apply(&self.storage, &[rule], HOUR).unwrap()
        }

        fn tags(&self) -> Vec<String> {
            let listed = self.storage.list(&layout::tags(&self.repository)).unwrap();
            listed.into_iter().map(|(name, _)| name).collect()
        }

        fn has(&self, digest: &Digest) -> bool {
            self.storage.exists(&layout::manifest(&self.repository, digest)).unwrap()
        }
    }

    fn descriptor(number: u8) -> serde_json::Value {
        json!({"digest": Digest::from_sha256([number; 32]), "size": 1, "mediaType": "x"})
    }

    #[test]
    fn the_last_so_many_stay_and_of_the_others_the_young() {
        let place = Place::new();
        let image = place.image(1, 50);
        for hours in 1..=5 {
            place.tag(&format!("v{hours}"), &image, hours);
        }
        place.tag("stable", &image, 99);
        let rule = json!({"repositories": ["other/*"], "keep": 1});
        assert_eq!(place.apply(&rule), Removed::default());
        let rule = json!({"repositories": ["ci/*"], "tags": ["v*"], "keep": 1, "older": "4h"});
        assert_eq!(place.apply(&rule), Removed { tags: 2, manifests: 0 });
        assert_eq!(place.tags(), ["stable", "v1", "v2", "v3"]);
        let rule = json!({"repositories": ["ci/*"], "tags": ["v*"], "keep": 2});
        assert_eq!(place.apply(&rule).tags, 1);
        let rule = json!({"repositories": ["**"], "older": "2h"});
        assert_eq!(place.apply(&rule).tags, 2);
        assert_eq!((place.tags(), place.has(&image)), (vec!["v1".to_owned()], true));
    }

    #[test]
    fn manifests_go_that_nothing_names_and_what_is_about_them() {
        let place = Place::new();
        let (child, tagged, old, young) =
            (place.image(1, 9), place.image(2, 9), place.image(3, 9), place.image(4, 0));
        let index = place.push(5, 9, &json!({"manifests": [descriptor(1)]}));
        let about =
            |number, subject| json!({"config": descriptor(number), "subject": descriptor(subject)});
        let (of_child, of_old) = (place.push(6, 9, &about(9, 1)), place.push(7, 9, &about(9, 3)));
        let (signature, stray) = (place.image(8, 9), place.image(9, 9));
        place.tag("v1", &tagged, 1);
        place.tag("multi", &index, 1);
        place.tag(&format!("sha256-{}.sig", tagged.hex()), &signature, 9);
        place.tag(&format!("sha256-{}.sig", old.hex()), &stray, 9);
        let rule = json!({"repositories": ["**"], "keep": 5, "untagged": "2h"});
        assert_eq!(place.apply(&rule), Removed { tags: 0, manifests: 3 });
        for (digest, stays) in [
            (child, true),
            (tagged.clone(), true),
            (young, true),
            (index, true),
            (of_child, true),
            (signature, true),
            (old, false),
            (of_old, false),
            (stray, false),
        ] {
            assert_eq!(place.has(&digest), stays, "{digest}");
        }
        assert_eq!(place.tags(), ["multi", &format!("sha256-{}.sig", tagged.hex()), "v1"]);
        assert_eq!(place.apply(&rule), Removed::default());
    }

    #[test]
    fn a_manifest_that_is_not_understood_keeps_the_others() {
        let place = Place::new();
        let image = place.image(1, 9);
        let key = layout::manifest(&place.repository, &Digest::from_sha256([2; 32]));
        place.storage.write(&key, &[b"x\nnot understood"]).unwrap();
        let rule = json!({"repositories": ["**"], "keep": 5, "untagged": "2h"});
        assert_eq!(place.apply(&rule), Removed::default());
        assert!(place.has(&image));
    }

    #[test]
    fn rules_are_read_and_one_that_keeps_no_tag_is_refused() {
        let read = |text| serde_json::from_value::<Rule>(text).map_err(|error| error.to_string());
        let rule = read(json!({"repositories": ["a"], "older": "30d"})).unwrap();
        assert_eq!((rule.older, rule.untagged), (HOUR * 24 * 30, None));
        assert!(rule.check().is_ok());
        assert!(read(json!({"repositories": ["a"]})).unwrap().check().is_err());
        assert!(read(json!({"repositories": ["a"], "older": "0s"})).unwrap().check().is_err());
        for bad in [json!({"older": "1d"}), json!({"repositories": ["a"], "older": 3})] {
            assert!(read(bad).is_err());
        }
    }
}
