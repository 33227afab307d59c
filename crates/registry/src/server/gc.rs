//! Garbage: what no manifest refers to, and what came too long ago to belong to a push in flight.
//!
//! Marking takes no lock, so pushes go on. Whoever refers to something gives it the present time, under the shared lock:
//! a client that asks whether a blob is here, a mount, a manifest that is put, an upload that ends. Each removal looks
//! at the time again with the lock held alone, so that nothing goes that was referred to since it was marked. A push
//! that takes longer than the grace between a blob and its manifest is told that the blob is not there; it is never
//! acknowledged with a blob missing.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use oci::digest::Digest;

use super::catalog::all_repositories;
use super::layout::{self, Key};
use super::manifest::Manifest;
use super::manifests::Stored;
use super::names::Repository;
use super::retention::{self, Rule};
use super::storage::Storage;

/// What went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    /// By the rules of retention.
    pub(super) tags: usize,
    pub(super) manifests: usize,
    /// From repositories.
    pub(super) links: usize,
    /// From the storage.
    pub(super) blobs: usize,
    pub(super) bytes: u64,
}

/// Also what goes by the rules of retention, which is garbage after that. `None` if another process is at it.
pub(super) fn collect(
    storage: &Storage,
    rules: &[Rule],
    grace: Duration,
) -> io::Result<Option<Removed>> {
    let Some(_ours) = storage.turn(&layout::collecting())? else { return Ok(None) };
    let retention::Removed { tags, manifests } = retention::apply(storage, rules, grace)?;
    let mut removed = Removed { tags, manifests, ..Removed::default() };
    let mut linked = HashSet::new();
    for repository in all_repositories(storage)? {
        removed.links += sweep_repository(storage, &repository, grace, &mut linked)?;
        sweep_referrers(storage, &repository, grace)?;
    }
    sweep_blobs(storage, grace, &linked, &mut removed)?;
    Ok(Some(removed))
}

/// Removes links that no manifest of the repository refers to, and notes the others.
fn sweep_repository(
    storage: &Storage,
    repository: &Repository,
    grace: Duration,
    linked: &mut HashSet<Digest>,
) -> io::Result<usize> {
    let referred = referred(storage, repository)?;
    let mut count = 0;
    for digest in digests(storage, &layout::blobs(repository))? {
        // Where a manifest cannot be understood nobody knows what it needs.
        let is_needed = referred.as_ref().is_none_or(|referred| referred.contains(&digest));
        if !is_needed
            && remove_old(storage, &layout::blob_link(repository, &digest), grace)?.is_some()
        {
            count += 1;
        } else {
            linked.insert(digest);
        }
    }
    Ok(count)
}

/// What the manifests of a repository need; `None` if one of them is not understood.
fn referred(storage: &Storage, repository: &Repository) -> io::Result<Option<HashSet<Digest>>> {
    let mut referred = HashSet::new();
    for digest in digests(storage, &layout::manifests(repository))? {
        // One that is gone since it was listed needs nothing.
        let Some(stored) = Stored::load(storage, repository, digest)? else { continue };
        match Manifest::parse(&stored.bytes, Some(&stored.media_type)) {
            Ok(manifest) => referred.extend(manifest.blobs),
            Err(error) => {
                tracing::warn!("{} of {repository} keeps all blobs there: {error}", stored.digest);
                return Ok(None);
            }
        }
    }
    Ok(Some(referred))
}

/// Those that a push which was cut off left without their manifests.
fn sweep_referrers(storage: &Storage, repository: &Repository, grace: Duration) -> io::Result<()> {
    for subject in digests(storage, &layout::all_referrers(repository))? {
        let folder = layout::referrers(repository, &subject);
        for (name, _) in storage.list(&folder)? {
            let digest = Digest::parse(&name.replacen('-', ":", 1)).ok();
            let key = digest.map(|digest| layout::manifest(repository, &digest));
            if let Some(key) = key
                && !storage.exists(&key)?
            {
                remove_old(storage, &folder.below(&name), grace)?;
            }
        }
    }
    Ok(())
}

fn sweep_blobs(
    storage: &Storage,
    grace: Duration,
    linked: &HashSet<Digest>,
    removed: &mut Removed,
) -> io::Result<()> {
    for (algorithm, _) in storage.list(&layout::all_blobs())? {
        let folder = layout::all_blobs().below(&algorithm);
        for (shard, _) in storage.list(&folder)? {
            for (hex, _) in storage.list(&folder.below(&shard))? {
                let Ok(digest) = Digest::parse(&format!("{algorithm}:{hex}")) else { continue };
                if linked.contains(&digest) {
                    continue;
                }
                if let Some(size) = remove_old(storage, &layout::blob(&digest), grace)? {
                    removed.blobs += 1;
                    removed.bytes += size;
                }
            }
        }
    }
    Ok(())
}

/// Removes what has not been referred to for that long, and returns its size.
fn remove_old(storage: &Storage, key: &Key, grace: Duration) -> io::Result<Option<u64>> {
    let old = || {
        let facts = storage.facts(key)?;
        let is_old = |age: Duration| age >= grace;
        Ok::<_, io::Error>(facts.filter(|facts| facts.modified.elapsed().is_ok_and(is_old)))
    };
    // Most are too young; those need no lock.
    if old()?.is_none() {
        return Ok(None);
    }
    let held = storage.alone()?;
    let Some(facts) = old()? else { return Ok(None) };
    Ok(storage.remove(&held, key)?.then_some(facts.size))
}

/// Of a folder `<algorithm>/<digits>`.
pub(super) fn digests(storage: &Storage, folder: &Key) -> io::Result<Vec<Digest>> {
    let mut found = Vec::new();
    for (algorithm, _) in storage.list(folder)? {
        let names = storage.list(&folder.below(&algorithm))?;
        found.extend(
            names.iter().filter_map(|(hex, _)| Digest::parse(&format!("{algorithm}:{hex}")).ok()),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::directory::Directory;

    struct Place {
        _folder: tempfile::TempDir,
        storage: Storage,
        repository: Repository,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let storage = Storage::Folder(Directory::open(folder.path()).unwrap());
            Self { _folder: folder, storage, repository: Repository::parse("a/b").unwrap() }
        }

        fn push(&self, content: &'static [u8]) -> Digest {
            use sha2::Digest as _;
            let digest = Digest::from_sha256(sha2::Sha256::digest(content).into());
            let mut upload = self.storage.begin_upload(&self.repository).unwrap();
            upload.append(&[content.into()]).unwrap();
            upload.finish(&digest).unwrap();
            digest
        }

        fn refer(&self, config: &Digest) -> Digest {
            let text =
                format!(r#"{{"schemaVersion":2,"config":{{"digest":"{config}","size":1}}}}"#);
            let digest = Digest::from_sha256([1; 32]);
            let kind = oci::media_type::OCI_MANIFEST.as_bytes();
            let key = layout::manifest(&self.repository, &digest);
            self.storage.write(&key, &[kind, b"\n", text.as_bytes()]).unwrap();
            digest
        }

        fn has(&self, digest: &Digest) -> (bool, bool) {
            let there = |key| self.storage.exists(&key).unwrap();
            (there(layout::blob_link(&self.repository, digest)), there(layout::blob(digest)))
        }

        fn collect(&self, grace: Duration) -> Removed {
            collect(&self.storage, &[], grace).unwrap().unwrap()
        }
    }

    fn removed(links: usize, blobs: usize, bytes: u64) -> Removed {
        Removed { links, blobs, bytes, ..Removed::default() }
    }

    #[test]
    fn what_a_manifest_needs_stays_and_the_rest_goes() {
        let place = Place::new();
        let (needed, garbage) = (place.push(b"needed"), place.push(b"garbage"));
        let manifest = place.refer(&needed);
        assert_eq!(place.collect(Duration::ZERO), removed(1, 1, 7));
        assert_eq!((place.has(&needed), place.has(&garbage)), ((true, true), (false, false)));
        let held = place.storage.alone().unwrap();
        place.storage.remove(&held, &layout::manifest(&place.repository, &manifest)).unwrap();
        drop(held);
        assert_eq!(place.collect(Duration::ZERO).blobs, 1);
        assert_eq!(place.has(&needed), (false, false));
    }

    #[test]
    fn what_a_push_in_flight_refers_to_stays() {
        let place = Place::new();
        let blob = place.push(b"sent just now");
        assert_eq!(place.collect(Duration::from_secs(60)), Removed::default());
        assert_eq!(place.has(&blob), (true, true));
    }

    #[test]
    fn a_blob_that_another_repository_has_stays_in_the_storage() {
        let place = Place::new();
        let blob = place.push(b"shared");
        let other = Repository::parse("other").unwrap();
        place.storage.touch(&layout::blob_link(&other, &blob)).unwrap();
        let key = layout::manifest(&other, &Digest::from_sha256([2; 32]));
        place.storage.write(&key, &[b"x\nnot understood"]).unwrap();
        assert_eq!(place.collect(Duration::ZERO), removed(1, 0, 0));
        assert_eq!(place.has(&blob), (false, true));
    }

    #[test]
    fn one_process_collects_at_a_time() {
        let place = Place::new();
        let ours = place.storage.turn(&layout::collecting()).unwrap().unwrap();
        assert_eq!(collect(&place.storage, &[], Duration::ZERO).unwrap(), None);
        drop(ours);
        assert!(collect(&place.storage, &[], Duration::ZERO).unwrap().is_some());
    }
}
