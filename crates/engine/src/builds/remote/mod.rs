//! Caches that travel: what `--cache-from` and `--cache-to` name (docs/design/0020-travelling-cache.md).
//!
//! What an imported cache says is believed in builds that name it, and nowhere else: whatever such a build keeps that
//! stands on a claim is kept under keys of its own, which no other build asks for.

mod export;
mod import;
mod mounts;
mod options;
mod place;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::build::BuildOptions;
use builder::solve::Key;
use oci::{Digest, Platform};

use super::Builds;
use super::client::Client;
use super::progress::Task;
use crate::error::Result;

use place::digest_of;

pub use export::{Export, collect, inline};
use import::Reach;
pub use import::{Claim, Import};
pub use mounts::{Wish, sharing};
pub use options::targets;

/// What one build has of other engines' caches.
#[derive(Default)]
pub struct Remote {
    imports: Vec<Arc<Import>>,
    /// Whom this build believes; None where that is this engine alone.
    domain: Option<Digest>,
    /// Keys that stand on a claim.
    claimed: Mutex<HashSet<Digest>>,
    /// Keys that led to others in this build.
    aliases: Mutex<BTreeMap<Digest, Digest>>,
    /// Cache mounts that steps asked for.
    mounts: Mutex<BTreeMap<Digest, Wish>>,
    /// Held while one is brought.
    warming: tokio::sync::Mutex<()>,
}

impl Remote {
    /// A cache that cannot be read is no error of the build's: it is told, and the build goes on without it.
    pub async fn open(
        builds: &Builds,
        options: &BuildOptions,
        platforms: &[Platform],
        client: &Arc<Client>,
    ) -> Result<Self> {
        let mut imports = Vec::new();
        // What is to run anew needs no cache, whatever is said of one.
        let sources = options::sources(options)?;
        for source in sources.iter().filter(|_| !options.no_cache) {
            let name = format!("importing cache manifest from {}", source.place.shown());
            let task = Task::begin(client, &name);
            let opened = open_for(builds, source, options, platforms, client).await;
            task.end(&opened.as_ref().map(drop));
            imports.extend(opened.into_iter().flatten().map(Arc::new));
        }
        let domain = (!imports.is_empty()).then(|| {
            let names: Vec<&str> = imports.iter().map(|import| import.identity.as_str()).collect();
            digest_of(names.join("\n").as_bytes())
        });
        Ok(Self { imports, domain, ..Self::default() })
    }

    /// The key under which this build alone, and those that believe the same, keep what stands on a claim.
    pub fn own_key(&self, key: &Digest) -> Option<Digest> {
        self.domain.as_ref().map(|domain| digest_of(format!("claimed {domain} {key}").as_bytes()))
    }

    /// What a cache says of a key; the first that says something.
    pub fn claim(&self, key: &Digest) -> Option<(Arc<Import>, Claim)> {
        self.imports.iter().find_map(|import| Some((Arc::clone(import), import.claim(key)?)))
    }

    pub fn alias(&self, key: &Digest) -> Option<Digest> {
        self.imports.iter().find_map(|import| import.alias(key)).cloned()
    }

    /// From now on what is made with this key stands on a claim.
    pub fn believe(&self, key: &Digest) {
        lock(&self.claimed).insert(key.clone());
    }

    /// Where to keep what was made with a key: its own place, unless it stands on a claim.
    pub fn place_of(&self, key: &Key) -> Digest {
        let mut claimed = lock(&self.claimed);
        let stands_on_claim = claimed.contains(&key.digest)
            || key.parts.iter().any(|part| claimed.contains(&part.digest));
        match self.own_key(&key.digest).filter(|_| stands_on_claim) {
            Some(own) => {
                claimed.insert(key.digest.clone());
                own
            }
            None => key.digest.clone(),
        }
    }

    pub fn note_alias(&self, key: &Digest, is: &Digest) {
        lock(&self.aliases).insert(key.clone(), is.clone());
    }

    pub fn aliases(&self) -> BTreeMap<Digest, Digest> {
        lock(&self.aliases).clone()
    }
}

/// A cache of its own once; what images carry of themselves for each platform, as far as they do.
async fn open_for(
    builds: &Builds,
    source: &options::Source,
    options: &BuildOptions,
    platforms: &[Platform],
    client: &Arc<Client>,
) -> Result<Vec<Import>> {
    let mut opened = Vec::new();
    let mut failed = None;
    for platform in platforms {
        match Import::open(builds, source, options, platform, client).await {
            Ok(import) => {
                let is_for_all = import.reach == Reach::All;
                opened.push(import);
                if is_for_all {
                    break;
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if opened.is_empty() => Err(error),
        _ => Ok(opened),
    }
}

/// What a panic interrupted was a single insertion.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use builder::solve::{Part, What};

    use super::*;

    fn hashed(text: &str) -> Digest {
        digest_of(text.as_bytes())
    }

    fn key(name: &str, base: &str) -> Key {
        let part = Part { what: What::Base, digest: hashed(base) };
        Key { digest: hashed(name), parts: vec![part] }
    }

    #[test]
    fn what_stands_on_a_claim_is_kept_where_only_those_look_who_believe_the_same() {
        let remote = Remote { domain: Some(hashed("a registry")), ..Remote::default() };
        let (first, second, other) = (key("1", "0"), key("2", "1"), key("3", "0"));
        assert_eq!(remote.place_of(&first), first.digest);
        remote.believe(&first.digest);
        assert_eq!(Some(remote.place_of(&first)), remote.own_key(&first.digest));
        // And so on, however far above the claim it is.
        assert_eq!(Some(remote.place_of(&second)), remote.own_key(&second.digest));
        let third = key("4", "2");
        assert_eq!(Some(remote.place_of(&third)), remote.own_key(&third.digest));
        assert_eq!(remote.place_of(&other), other.digest);
        let elsewhere = Remote { domain: Some(hashed("another")), ..Remote::default() };
        assert_ne!(elsewhere.own_key(&first.digest), remote.own_key(&first.digest));
        assert_eq!(Remote::default().own_key(&first.digest), None);
    }
}
