//! What fuzz targets share: chance, and how many inputs a run takes.
//!
//! A test run takes a fixed number of inputs, always the same ones. `GANTRY_FUZZ_SECONDS=600` goes on for that long, with
//! inputs that were never seen, and an input that breaks something is shown with the seed that makes it again
//! (`GANTRY_FUZZ_SEED`).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// xorshift64*: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound.max(1) as u64) as usize
    }

    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// Pieces one behind the other.
    pub fn mix(&mut self, pieces: &[&str], most: usize) -> String {
        let count = self.below(most) + 1;
        (0..count).map(|_| self.of(pieces)).collect()
    }

    /// A few bytes flipped, taken out, doubled or cut off.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            if bytes.is_empty() {
                return;
            }
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.bits() as u8,
                2 => drop(bytes.remove(at)),
                3 => {
                    let end = (at + 1 + self.below(64)).min(bytes.len());
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                _ => bytes.truncate(at),
            }
        }
    }
}

/// Shows the seed of the input at which a test ended before its time.
struct Shown(u64);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("GANTRY_FUZZ_SEED={} makes this input again", self.0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Calls `target` with one source of chance after another.
pub fn fuzz(inputs: u64, mut target: impl FnMut(&mut Random)) {
    let mut once = |seed: u64| {
        let _shown = Shown(seed);
        // Neighbouring seeds begin alike, and zero stays zero.
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.bits();
        target(&mut random);
    };
    if let Some(seed) = number("GANTRY_FUZZ_SEED") {
        return once(seed);
    }
    let Some(seconds) = number("GANTRY_FUZZ_SECONDS") else {
        return (0..inputs).for_each(once);
    };
    let (began, now) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH));
    let first = now.unwrap_or_default().as_nanos() as u64;
    let mut count = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        once(first.wrapping_add(count));
        count += 1;
    }
    println!("{count} inputs");
}
