//! Bytes on their way to a descriptor that may not take them now.

use std::io;

#[derive(Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    sent: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        // Moving what is left to the front costs less than the memory once half is sent.
        if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Hands the bytes to `write` until it takes no more. An idle queue holds no memory.
    pub(super) fn flush(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.is_empty() {
            match write(&self.bytes[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        *self = Queue::default();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_however_they_are_taken() {
        let mut queue = Queue::default();
        let mut taken = Vec::new();
        for round in 0..100_u8 {
            queue.push(&[round; 10]);
            let mut once = true;
            queue
                .flush(|bytes| {
                    if !std::mem::take(&mut once) {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    let count = bytes.len().min(7);
                    taken.extend_from_slice(&bytes[..count]);
                    Ok(count)
                })
                .unwrap();
        }
        queue
            .flush(|bytes| {
                taken.extend_from_slice(bytes);
                Ok(bytes.len())
            })
            .unwrap();
        let expected: Vec<u8> = (0..100).flat_map(|round| [round; 10]).collect();
        assert_eq!(taken, expected);
        assert!(queue.is_empty());
    }
}
