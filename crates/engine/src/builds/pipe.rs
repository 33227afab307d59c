//! Bytes from the thread that makes an archive to the one that unpacks it, without the kernel in between.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

const CHUNK: usize = 256 << 10;
const QUEUE: usize = 8;

/// Ends the stream well by [`Writer::finish`] alone: dropped before, the reader gets an error.
pub struct Writer {
    sender: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
}

pub struct Reader {
    receiver: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    ended: bool,
}

pub fn pipe() -> (Writer, Reader) {
    let (sender, receiver) = sync_channel(QUEUE);
    let writer = Writer { sender, chunk: Vec::with_capacity(CHUNK) };
    (writer, Reader { receiver, chunk: Vec::new(), at: 0, ended: false })
}

impl Writer {
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        // The end is an empty chunk.
        self.sender.send(Vec::new()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..count]);
        if self.chunk.len() == CHUNK {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.sender.send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() && !self.ended {
            self.chunk = self.receiver.recv().map_err(|_| io::ErrorKind::UnexpectedEof)?;
            self.at = 0;
            self.ended = self.chunk.is_empty();
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_and_an_end_that_was_not_meant_is_an_error() {
        for (count, finished) in [(0, true), (10, true), (CHUNK + 1, true), (10, false)] {
            let (mut writer, mut reader) = pipe();
            writer.write_all(&vec![7; count]).unwrap();
            if finished {
                writer.finish().unwrap();
            } else {
                drop(writer);
            }
            let mut bytes = Vec::new();
            assert_eq!(reader.read_to_end(&mut bytes).is_ok(), finished);
            assert!(!finished || bytes == vec![7; count]);
        }
        let (mut writer, reader) = pipe();
        drop(reader);
        assert!(writer.write_all(&vec![0; 2 * CHUNK]).is_err());
    }
}
