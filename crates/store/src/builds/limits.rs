//! What goes when the cache is larger than it may be: what is worth least. Worth is the time that a byte saves, a half of
//! it for every two days that nobody used it. So a step that compiled for minutes outlives a COPY of the same size, and
//! nothing stays for ever.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use oci::Digest;

use super::usage::{Cache, Cached};

/// Of the file system.
const SHARE: u64 = 10;
const MOST: u64 = 10 << 30;
/// Rows are cheap, but not for nothing.
pub(super) const MOST_RECORDS: usize = 50_000;
const HALF_LIFE_HOURS: f64 = 48.0;
/// What fills a cache mount comes over a network, say, at ten bytes a microsecond.
const MOUNT_BYTES_PER_MILLISECOND: f64 = 10_000.0;

/// How large the cache may be on a file system of that size.
pub(super) fn default_limit(disk: u64) -> u64 {
    (disk / SHARE).min(MOST)
}

/// Below the limit, so that not every step has something removed.
pub(super) fn target(limit: u64) -> u64 {
    limit - limit / 10
}

/// Keys of records that go so that at most `target` bytes stay, those that are worth least first. What `is_free` says no
/// to stays.
pub(super) fn choose(
    cache: &Cache,
    target: u64,
    now: Timestamp,
    is_free: impl Fn(&Digest) -> bool,
) -> Vec<Digest> {
    let accounts = cache.accounts();
    let mut candidates: Vec<_> = cache
        .records
        .iter()
        .zip(&accounts)
        .filter(|(cached, _)| is_free(&cached.record.key))
        .map(|(cached, bytes)| (worth(cached, *bytes, now), cached))
        .collect();
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut left = Left::of(cache, accounts.iter().sum());
    let mut chosen = Vec::new();
    let mut waiting = candidates;
    // What a record alone does not free is freed once the records above it have gone: hence more than one pass.
    while left.is_above(target) {
        let before = chosen.len();
        waiting.retain(|(_, cached)| {
            let goes = left.is_above(target) && left.remove(cached);
            if goes {
                chosen.push(cached.record.key.clone());
            }
            !goes
        });
        if chosen.len() == before {
            break;
        }
    }
    chosen
}

/// Milliseconds that a byte saves.
fn worth(cached: &Cached, bytes: u64, now: Timestamp) -> f64 {
    let saved = match cached.mount {
        Some((_, size)) => size as f64 / MOUNT_BYTES_PER_MILLISECOND,
        None => cached.record.cost as f64,
    };
    let idle = now.duration_since(cached.idle_since()).as_secs_f64().max(0.0) / 3600.0;
    (saved + 1.0) / (bytes as f64 + 4096.0) * (-idle / HALF_LIFE_HOURS).exp2()
}

/// What stays as records go one by one.
struct Left<'c> {
    cache: &'c Cache,
    bytes: u64,
    records: usize,
    /// How many records have each layer that is on the cache's account.
    owners: HashMap<u64, usize>,
}

impl<'c> Left<'c> {
    fn of(cache: &'c Cache, bytes: u64) -> Self {
        let mut owners = HashMap::new();
        for layer in cache.records.iter().flat_map(|cached| own(cached, &cache.in_images)) {
            *owners.entry(layer).or_default() += 1;
        }
        Left { cache, bytes, records: cache.records.len(), owners }
    }

    fn is_above(&self, target: u64) -> bool {
        self.bytes > target || self.records > MOST_RECORDS
    }

    /// Whether its going is of any use; then it has gone.
    fn remove(&mut self, cached: &Cached) -> bool {
        let layers = own(cached, &self.cache.in_images);
        let last = layers.iter().filter(|layer| self.owners.get(layer) == Some(&1));
        let freed: u64 = last.filter_map(|layer| self.cache.sizes.get(layer)).sum::<u64>()
            + cached.mount.map_or(0, |(_, size)| size);
        if freed == 0 && self.records <= MOST_RECORDS {
            return false;
        }
        for layer in layers {
            self.owners.entry(layer).and_modify(|count| *count -= 1);
        }
        self.bytes -= freed.min(self.bytes);
        self.records -= 1;
        true
    }
}

/// Layers that are on the cache's account; each once, though a result may have one twice.
fn own(cached: &Cached, in_images: &HashSet<u64>) -> HashSet<u64> {
    cached.layers.iter().filter(|layer| !in_images.contains(layer)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::digest_of;
    use crate::builds::CacheRecord;

    const DAY: i64 = 24 * 60 * 60;

    fn cached(name: &str, layers: &[u64], cost: u64, used: i64) -> Cached {
        let layer = |number: &u64| digest_of(&number.to_le_bytes());
        let used = Timestamp::from_second(used).unwrap();
        let (own, below) = layers.split_last().unwrap();
        let record = CacheRecord {
            key: digest_of(name.as_bytes()),
            below: below.iter().map(layer).collect(),
            layer: Some(layer(own)),
            kind: "regular".into(),
            description: name.into(),
            created: used,
            cost,
            parents: Vec::new(),
            components: Vec::new(),
        };
        Cached { record, last_used: Some(used), uses: 0, layers: layers.to_vec(), mount: None }
    }

    /// Every layer has 100 bytes.
    fn chosen(records: Vec<Cached>, in_images: &[u64], target: u64, held: &[&str]) -> Vec<String> {
        let numbers = records.iter().flat_map(|cached| cached.layers.clone());
        let sizes = numbers.map(|number| (number, 100)).collect();
        let cache = Cache { records, sizes, in_images: in_images.iter().copied().collect() };
        let held: Vec<_> = held.iter().map(|name| digest_of(name.as_bytes())).collect();
        let now = Timestamp::from_second(30 * DAY).unwrap();
        let chosen = choose(&cache, target, now, |key| !held.contains(key));
        let name = |key| cache.records.iter().find(|cached| cached.record.key == key).unwrap();
        chosen.into_iter().map(|key| name(key).record.description.clone()).collect()
    }

    #[test]
    fn what_was_costly_outlives_what_was_cheap() {
        let records = || vec![cached("compile", &[1], 60_000, 0), cached("copy", &[2], 5, 0)];
        assert_eq!(chosen(records(), &[], 100, &[]), ["copy"]);
        assert_eq!(chosen(records(), &[], 0, &[]), ["copy", "compile"]);
        assert_eq!(chosen(records(), &[], 200, &[]), [""; 0]);
    }

    #[test]
    fn what_nobody_used_for_long_goes_though_it_was_costly() {
        let records = vec![cached("old", &[1], 60_000, 0), cached("new", &[2], 500, 30 * DAY)];
        assert_eq!(chosen(records, &[], 100, &[]), ["old"]);
    }

    #[test]
    fn what_is_in_use_or_an_image_s_stays() {
        let records = || vec![cached("used", &[1], 1, 0), cached("image", &[2], 1, 0)];
        assert_eq!(chosen(records(), &[2], 0, &["used"]), [""; 0]);
        assert_eq!(chosen(records(), &[2], 0, &[]), ["used"]);
    }

    #[test]
    fn a_layer_is_freed_with_the_last_record_that_has_it() {
        let records = || vec![cached("base", &[1], 1, 0), cached("top", &[1, 2], 1000, 30 * DAY)];
        // The base's own layer lies below the other: without that, nothing is gained.
        assert_eq!(chosen(records(), &[], 100, &[]), ["top"]);
        assert_eq!(chosen(records(), &[], 0, &[]), ["top", "base"]);
        assert_eq!(chosen(records(), &[], 0, &["top"]), [""; 0]);
    }

    #[test]
    fn the_limit_is_a_tenth_of_the_disk_and_10_gib_at_most() {
        assert_eq!((default_limit(50 << 30), default_limit(1 << 40)), (5 << 30, 10 << 30));
    }
}
