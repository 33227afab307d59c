//! The two halves of a stream.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::connection::{Credit, FRAME_COST, Shared, WINDOW};
use crate::frame::{Frame, Kind, MAX_PAYLOAD};

#[derive(Debug)]
pub struct Stream {
    pub sender: Sender,
    pub receiver: Receiver,
}

/// Dropped before its end was sent, it gives the whole stream up.
#[derive(Debug)]
pub struct Sender {
    id: u32,
    shared: Arc<Shared>,
    credit: Arc<Credit>,
    ended: bool,
}

/// Dropped before the end has come, it has the other side stop.
#[derive(Debug)]
pub struct Receiver {
    id: u32,
    shared: Arc<Shared>,
    arrivals: mpsc::UnboundedReceiver<Arrived>,
    /// What was read, and not yet told to the other side.
    untold: usize,
    ended: bool,
}

/// The bytes of a stream, read by a thread that may wait.
#[derive(Debug)]
pub struct Reader {
    receiver: Receiver,
    current: Bytes,
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.recv_blocking()? {
                Some(bytes) => self.current = bytes,
                None => return Ok(0),
            }
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

#[derive(Debug)]
pub(crate) enum Arrived {
    Data(Bytes),
    End,
    Failed(String),
}

impl Sender {
    pub(crate) fn new(id: u32, shared: Arc<Shared>, credit: Arc<Credit>) -> Self {
        Self { id, shared, credit, ended: false }
    }

    /// Waits while the other side has no room.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> io::Result<()> {
        let mut bytes: Bytes = bytes.into();
        while !bytes.is_empty() {
            let payload = bytes.split_to(bytes.len().min(MAX_PAYLOAD));
            let cost = u32::try_from(payload.len() + FRAME_COST).unwrap_or(u32::MAX);
            let credit = self.credit.bytes.acquire_many(cost).await;
            credit.map_err(|_| self.failed())?.forget();
            let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            let queued = self.shared.budget.acquire_many(length).await;
            queued.map_err(|_| self.shared.why_lost())?.forget();
            self.shared.queue(Frame { stream: self.id, kind: Kind::Data, payload });
        }
        Ok(())
    }

    /// As [`send`](Self::send), on a thread that may wait, of a runtime.
    pub fn send_blocking(&self, bytes: impl Into<Bytes>) -> io::Result<()> {
        Handle::current().block_on(self.send(bytes))
    }

    /// Nothing more comes.
    pub fn finish(mut self) {
        self.ended = true;
        if self.shared.end_sending(self.id) {
            self.shared.queue(Frame { stream: self.id, kind: Kind::End, payload: Bytes::new() });
        }
    }

    /// What was asked for cannot be had; both directions end.
    pub fn fail(mut self, why: &str) {
        self.ended = true;
        self.shared.reset(self.id, why);
    }

    fn failed(&self) -> io::Error {
        match self.credit.why.get() {
            Some(why) => io::Error::other(why.clone()),
            None => self.shared.why_lost(),
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.reset(self.id, "it was given up");
        }
    }
}

impl Receiver {
    pub(crate) fn new(
        id: u32,
        shared: Arc<Shared>,
        arrivals: mpsc::UnboundedReceiver<Arrived>,
    ) -> Self {
        Self { id, shared, arrivals, untold: 0, ended: false }
    }

    /// The next bytes; `None` at the end. What the other side gave up fails with its reason.
    pub async fn recv(&mut self) -> io::Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let arrived = self.arrivals.recv().await;
        self.take(arrived)
    }

    /// As [`recv`](Self::recv), on a thread that may wait.
    pub fn recv_blocking(&mut self) -> io::Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let arrived = self.arrivals.blocking_recv();
        self.take(arrived)
    }

    /// All of it, if it is no more than `most` bytes.
    pub async fn collect(mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(bytes) = self.recv().await? {
            if all.len() + bytes.len() > most {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("more than {most} bytes"),
                ));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    /// For threads that may wait.
    pub fn into_reader(self) -> Reader {
        Reader { receiver: self, current: Bytes::new() }
    }

    fn take(&mut self, arrived: Option<Arrived>) -> io::Result<Option<Bytes>> {
        match arrived {
            Some(Arrived::Data(bytes)) => {
                self.untold += bytes.len() + FRAME_COST;
                if self.untold >= WINDOW / 2 {
                    self.shared.grant(self.id, std::mem::take(&mut self.untold));
                }
                Ok(Some(bytes))
            }
            Some(Arrived::End) => {
                self.ended = true;
                Ok(None)
            }
            Some(Arrived::Failed(why)) => {
                self.ended = true;
                Err(io::Error::other(why))
            }
            None => {
                self.ended = true;
                Err(self.shared.why_lost())
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.end_receiving(self.id);
    }
}
