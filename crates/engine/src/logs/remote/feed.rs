//! Sending a container's log on, for as long as there is the container.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::connection::{Connection, Target};
use super::cursor::Cursor;
use super::parts::Parts;
use super::{Encoder, Message, Packet, Subject, options};
use crate::logs::changes::Changes;
use crate::logs::entry::Entry;
use crate::logs::walk::{Position, Walk};
use crate::logs::{Source, Timestamp};

/// Sent in one go; what a failure may send twice.
const BATCH: usize = 500;
/// A stream's bytes count as arrived when the server's kernel has them and the connection has lived on for so long: a
/// server that ends loses what it has not read.
const SETTLED: Duration = Duration::from_secs(1);
/// The cursor is not written more often; nor is it looked more often whether the server has everything, which the kernel
/// tells nobody.
const PACE: Duration = Duration::from_millis(100);
/// Between two attempts to reach a server: nothing tells when one that is away is back.
const RETRY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// A log and its server.
pub struct Job {
    pub source: Source,
    pub cursor: PathBuf,
    pub driver: String,
    pub options: BTreeMap<String, String>,
    pub subject: Subject,
}

pub struct Feed {
    source: Source,
    target: Target,
    encoder: Encoder,
    cursor: Cursor,
    parts: Parts,
    sent: VecDeque<Sent>,
    /// When the cursor was last moved.
    moved: Instant,
}

/// Entries, and the place after them.
struct Batch {
    packets: Vec<Packet>,
    end: Position,
}

/// A place up to which all was sent, and when that counts as arrived if nothing happens to the connection.
struct Sent {
    position: Position,
    arrives: Instant,
}

impl Feed {
    pub fn new(job: Job) -> Result<Self, String> {
        let (target, encoder) = options::open(&job.driver, &job.options, &job.subject)?;
        let cursor = Cursor::open(job.cursor);
        Ok(Self {
            source: job.source,
            target,
            encoder,
            cursor,
            parts: Parts::default(),
            sent: VecDeque::new(),
            moved: Instant::now(),
        })
    }

    /// Goes on until `over` is true and everything written before that has arrived.
    pub async fn run(mut self, mut over: watch::Receiver<bool>) {
        let mut wait = RETRY[0];
        loop {
            let before = self.cursor.arrived();
            let Err(error) = self.deliver(&mut over).await else { return };
            self.sent.clear();
            if wait == RETRY[0] {
                tracing::warn!("the log server at {:?}: {error}", self.target.address);
            }
            sleep(wait).await;
            let moved = self.cursor.arrived() != before;
            wait = if moved { RETRY[0] } else { (wait * 2).min(RETRY[1]) };
        }
    }

    /// One connection's life, which begins with the first thing to send and where the last one's settled.
    async fn deliver(&mut self, over: &mut watch::Receiver<bool>) -> io::Result<()> {
        let mut changes = Changes::watch(&self.source.path)?;
        let mut walk = Walk::resume(self.source.clone(), self.cursor.arrived())?;
        self.parts = Parts::default();
        let mut connection: Option<Connection> = None;
        loop {
            // Seen before reading, so that what was written before the end is read after it.
            let is_over = *over.borrow();
            let batch = self.next_batch(&mut walk)?;
            let is_idle = batch.is_none();
            if connection.take_if(Connection::is_closed).is_some() && !self.sent.is_empty() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if let Some(batch) = batch {
                let connection = match &mut connection {
                    Some(connection) => connection,
                    none => none.insert(Connection::open(&self.target).await?),
                };
                self.send(connection, batch).await?;
            }
            if let Some(connection) = &connection {
                self.settle(connection)?;
            }
            if !is_idle {
                continue;
            }
            if is_over && self.is_done(connection.as_ref()) {
                if let Some(connection) = connection {
                    connection.close().await;
                }
                return Ok(());
            }
            walk.rest();
            tokio::select! {
                result = changes.wait() => result?,
                // A sender that is gone has no more to say: this task will be ended.
                changed = over.changed(), if !is_over => drop(changed),
                () = sleep(PACE), if is_over || !self.sent.is_empty() => {}
            }
        }
    }

    fn is_done(&self, connection: Option<&Connection>) -> bool {
        self.sent.is_empty() || connection.is_some_and(Connection::has_everything)
    }

    async fn send(&mut self, connection: &mut Connection, batch: Batch) -> io::Result<()> {
        connection.send(&batch.packets).await?;
        let has_receipts = batch.packets.iter().all(|packet| packet.receipt.is_some());
        let wait = if has_receipts || !connection.is_stream() { Duration::ZERO } else { SETTLED };
        self.sent.push_back(Sent { position: batch.end, arrives: Instant::now() + wait });
        Ok(())
    }

    fn next_batch(&mut self, walk: &mut Walk) -> io::Result<Option<Batch>> {
        let (mut packets, mut count, mut last) = (Vec::new(), 0, Timestamp(0));
        while count == 0 {
            walk.entries(|entry| {
                count += 1;
                let message = message(entry, &mut self.parts);
                last = message.time;
                packets.extend(self.encoder.encode(&message));
                if count < BATCH { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            if count == 0 && !walk.read()? {
                return Ok(None);
            }
        }
        Ok(walk.position(last)?.map(|end| Batch { packets, end }))
    }

    /// Moves the cursor over what has arrived for sure.
    fn settle(&mut self, connection: &Connection) -> io::Result<()> {
        let now = Instant::now();
        if now < self.moved + PACE || !connection.has_everything() {
            return Ok(());
        }
        let count = self.sent.iter().take_while(|sent| sent.arrives <= now).count();
        if let Some(sent) = self.sent.drain(..count).next_back() {
            self.cursor.advance(sent.position)?;
            self.moved = now;
        }
        Ok(())
    }
}

fn message(entry: &Entry<'_>, parts: &mut Parts) -> Message {
    let line = entry.line.strip_suffix(b"\n");
    let time = entry.time.unwrap_or(Timestamp(0));
    Message {
        stream: entry.stream,
        time,
        part: parts.of(entry.stream, time, entry.newline || line.is_some()),
        line: line.unwrap_or(entry.line).to_owned(),
    }
}
