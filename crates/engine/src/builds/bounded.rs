//! Archives of others, uncompressed within bounds.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use archive::Limits;

/// Uncompressed bytes that are not yet measured against the compressed ones.
const RATIO_FREE: u64 = 1 << 30;

/// What a tar holds, however it is compressed.
pub fn decompressed<'r>(tar: impl Read + 'r) -> io::Result<impl Read + 'r> {
    let read = Arc::default();
    let tar = Counted { inner: tar, read: Arc::clone(&read) };
    let inner = archive::compression::decompressed(tar)?;
    Ok(Bounded { inner, given: 0, read, limits: Limits::default() })
}

/// Counts what comes.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Lets through no more than the limits allow for what came.
struct Bounded<R> {
    inner: R,
    given: u64,
    read: Arc<AtomicU64>,
    limits: Limits,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.given += count as u64;
        let read = self.read.load(Ordering::Relaxed);
        let ratio = RATIO_FREE.saturating_add(read.saturating_mul(self.limits.ratio));
        if self.given > self.limits.layer.min(ratio) {
            let text =
                format!("it is larger than the limit of {} bytes", self.limits.layer.min(ratio));
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cve_2017_14992_a_bomb_ends_at_a_bound() {
        let limits = Limits { layer: 1 << 20, ..Limits::default() };
        let mut bomb = Bounded { inner: io::repeat(0), given: 0, read: Arc::default(), limits };
        let said = io::copy(&mut bomb, &mut io::sink()).unwrap_err().to_string();
        assert_eq!(said, "it is larger than the limit of 1048576 bytes");
    }
}
