//! Digests of files that were hashed before, by what changes when a file does: inode, size and times.
//!
//! A flat file of records, sorted, so that it is searched as it was read. It is replaced as a whole, by rename; what is
//! wrong with it means that nothing is known, no more.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

const MAGIC: &[u8; 8] = b"gantry-1";
const KEY: usize = 40;
const RECORD: usize = KEY + 32 + 8;
/// Records of one context at the most: a million files are 80 MB.
const MOST: usize = 2_000_000;
/// A file that was changed so short a time before it was looked at may change again within the same tick of its clock.
const TOO_FRESH: i64 = 2_000_000_000;

/// Device, inode, size, and both times in nanoseconds.
type Key = [u8; KEY];

/// What is known of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) digest: [u8; 32],
    /// Whether it has extended attributes, which are then to be read anew.
    pub(super) has_xattrs: bool,
}

#[derive(Debug, Default)]
pub struct Cache {
    records: Vec<u8>,
    /// Which of them were asked for: the files of the others are gone.
    used: Vec<AtomicBool>,
    learnt: Mutex<BTreeMap<Key, Known>>,
    /// Nanoseconds since 1970 when it was opened.
    now: i64,
}

impl Cache {
    /// Empty where there is none, or none that is understood.
    pub fn open(file: &Path) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let records = read(file).unwrap_or_default();
        let used = (0..records.len() / RECORD).map(|_| AtomicBool::new(false)).collect();
        Self { records, used, learnt: Mutex::default(), now }
    }

    pub(super) fn find(&self, stat: &Stat) -> Option<Known> {
        let key = key(stat);
        let count = self.records.len() / RECORD;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = usize::midpoint(low, high);
            let record = &self.records[middle * RECORD..][..RECORD];
            match record[..KEY].cmp(&key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    self.used[middle].store(true, Relaxed);
                    return Some(known(record));
                }
            }
        }
        None
    }

    /// Remembers what a file holds, unless it may change unnoticed.
    pub(super) fn learn(&self, stat: &Stat, known: Known) {
        let changed = nanoseconds(stat.st_mtime, stat.st_mtime_nsec)
            .max(nanoseconds(stat.st_ctime, stat.st_ctime_nsec));
        if changed.saturating_add(TOO_FRESH) > self.now {
            return;
        }
        let mut learnt = self.learnt.lock().expect("no code panics while it holds this lock");
        if learnt.len() < MOST {
            learnt.insert(key(stat), known);
        }
    }

    /// Writes down what was learnt, if anything was, beside what was of use; where the walk did not go everywhere, beside
    /// all that was known.
    ///
    /// # Errors
    /// Of the file system; nothing is lost but time.
    pub fn save(self, file: &Path, went_everywhere: bool) -> io::Result<()> {
        let learnt = self.learnt.into_inner().expect("no code panics while it holds this lock");
        if learnt.is_empty() {
            return Ok(());
        }
        let old = self.records.chunks_exact(RECORD).zip(&self.used);
        let is_of_use = |used: &AtomicBool| !went_everywhere || used.load(Relaxed);
        let of_use = old.filter(|(_, used)| is_of_use(used)).take(MOST - learnt.len());
        let mut all: BTreeMap<Key, Known> = of_use
            .map(|(record, _)| {
                let key = record[..KEY].try_into().expect("a record begins with a key");
                (key, known(record))
            })
            .collect();
        all.extend(learnt);
        write(file, &all)
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(file)?;
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    let mut records = Vec::new();
    file.take((MOST * RECORD) as u64).read_to_end(&mut records)?;
    let is_sorted = records.chunks_exact(RECORD).is_sorted_by(|a, b| a[..KEY] < b[..KEY]);
    let is_sound = &magic == MAGIC && records.len() % RECORD == 0 && is_sorted;
    is_sound.then_some(records).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn write(file: &Path, records: &BTreeMap<Key, Known>) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}-{}", std::process::id()));
    let mut bytes = Vec::with_capacity(MAGIC.len() + records.len() * RECORD);
    bytes.extend_from_slice(MAGIC);
    for (key, known) in records {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&known.digest);
        bytes.extend_from_slice(&u64::from(known.has_xattrs).to_be_bytes());
    }
    let written = File::create(&temporary)
        .and_then(|mut out| out.write_all(&bytes))
        .and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        // What could not be written is of no use.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn known(record: &[u8]) -> Known {
    let digest = record[KEY..KEY + 32].try_into().expect("a record holds a digest");
    Known { digest, has_xattrs: record[RECORD - 1] != 0 }
}

fn key(stat: &Stat) -> Key {
    let numbers = [
        stat.st_dev,
        stat.st_ino,
        stat.st_size.cast_unsigned(),
        nanoseconds(stat.st_mtime, stat.st_mtime_nsec).cast_unsigned(),
        nanoseconds(stat.st_ctime, stat.st_ctime_nsec).cast_unsigned(),
    ];
    let mut key = [0; KEY];
    for (place, number) in key.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    key
}

#[expect(clippy::cast_possible_wrap, reason = "nanoseconds of a second")]
pub(super) fn nanoseconds(seconds: i64, nanoseconds: u64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(inode: u64, modified: i64) -> Stat {
        let mut stat = rustix::fs::stat("/").unwrap();
        (stat.st_ino, stat.st_mtime, stat.st_ctime) = (inode, modified, modified);
        stat
    }

    #[test]
    fn what_was_learnt_is_known_next_time_and_what_is_fresh_is_not() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a/b");
        let known = |byte| Known { digest: [byte; 32], has_xattrs: byte == 2 };
        let cache = Cache::open(&file);
        assert_eq!(cache.find(&stat(1, 1000)), None);
        let fresh = stat(3, cache.now / 1_000_000_000);
        for (stat, byte) in [(stat(2, 1000), 2), (stat(1, 1000), 1), (fresh, 3)] {
            cache.learn(&stat, known(byte));
        }
        cache.save(&file, true).unwrap();
        let cache = Cache::open(&file);
        assert_eq!(cache.find(&stat(1, 1000)), Some(known(1)));
        assert_eq!(cache.find(&stat(2, 1000)), Some(known(2)));
        assert_eq!(cache.find(&fresh), None);
        assert_eq!(cache.find(&stat(1, 1001)), None);
        cache.learn(&stat(4, 1), known(4));
        cache.save(&file, true).unwrap();
        // Of the two that were there both were asked for.
        assert_eq!(Cache::open(&file).records.len(), 3 * RECORD);
        let cache = Cache::open(&file);
        cache.learn(&stat(5, 1), known(5));
        cache.save(&file, true).unwrap();
        assert_eq!(Cache::open(&file).records.len(), RECORD);
        let cache = Cache::open(&file);
        cache.learn(&stat(6, 1), known(6));
        cache.save(&file, false).unwrap();
        assert_eq!(Cache::open(&file).records.len(), 2 * RECORD);
    }

    #[test]
    fn a_file_that_is_not_understood_is_as_none() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("cache");
        let cache = Cache::open(&file);
        cache.learn(&stat(1, 1), Known { digest: [1; 32], has_xattrs: false });
        cache.save(&file, true).unwrap();
        let whole = fs::read(&file).unwrap();
        for broken in [
            &whole[..whole.len() - 1],
            b"gantry-0",
            b"",
            &[whole.clone(), whole[8..].to_vec()].concat(),
        ] {
            fs::write(&file, broken).unwrap();
            assert_eq!(Cache::open(&file).find(&stat(1, 1)), None);
        }
    }
}
