//! What both ends of a connection keep, and the two tasks that read and write it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;

use crate::frame::{Frame, Kind, broken};
use crate::stream::{Arrived, Receiver, Sender, Stream};

/// Streams that are open at a time.
pub const MOST_STREAMS: usize = 64;
/// Bytes that one side may send of a stream before the other has read them.
pub(crate) const WINDOW: usize = 256 << 10;
/// What a frame costs of a window beside its payload: it takes memory, however short it is.
pub(crate) const FRAME_COST: usize = 64;
/// Bytes that wait for a connection that does not take them.
const QUEUED: usize = 1 << 20;
/// Written at once.
const BATCH: usize = 256 << 10;
/// How long the other side may take to hang up once it was told everything.
const FAREWELL: Duration = Duration::from_secs(5);

/// Which end this is; each numbers its streams so that the numbers never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Odd numbers.
    Client,
    /// Even numbers.
    Engine,
}

/// Dropped, it hangs up.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

/// A stream that the other side opened, and what it asks for.
#[derive(Debug)]
pub struct Accepted {
    pub request: Bytes,
    pub stream: Stream,
}

impl Connection {
    /// What the other side opens comes out of the queue, which ends with the connection.
    pub fn start(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        side: Side,
    ) -> (Self, mpsc::Receiver<Accepted>) {
        let (out, queue) = mpsc::unbounded_channel();
        let (accepting, accepted) = mpsc::channel(MOST_STREAMS);
        let shared = Arc::new(Shared {
            side,
            state: Mutex::default(),
            out,
            budget: Semaphore::new(QUEUED),
            ended: OnceLock::new(),
            closed: watch::Sender::new(false),
        });
        let reading = tokio::spawn(read(reader, Arc::clone(&shared), accepting));
        let writing = tokio::spawn(write(writer, Arc::clone(&shared), queue));
        let tasks = [reading.abort_handle(), writing.abort_handle()];
        (Self { shared, tasks }, accepted)
    }

    /// A new stream. `request` is at most [`crate::MAX_PAYLOAD`] bytes.
    pub fn open(&self, request: impl Into<Bytes>) -> io::Result<Stream> {
        let mut state = self.shared.state();
        if let Some(why) = self.shared.ended.get() {
            return Err(lost(why));
        }
        if state.streams.len() >= MOST_STREAMS {
            return Err(io::Error::other("too many streams are open"));
        }
        let id = state.next_id(self.shared.side)?;
        let stream = state.add(id, &self.shared);
        self.shared.queue(Frame { stream: id, kind: Kind::Open, payload: request.into() });
        Ok(stream)
    }

    /// Resolves once nothing comes or goes any more.
    pub async fn closed(&self) {
        // The sender is held by `shared`, so that this fails never.
        let _ = self.shared.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Sends what is queued, and waits for the other side to hang up.
    pub async fn finish(&self) {
        // Whoever does not take it has gone.
        let _ = self.shared.out.send(Out::Close);
        let _ = tokio::time::timeout(FAREWELL, self.closed()).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.shared.end("the connection was closed");
    }
}

pub(crate) enum Out {
    Frame(Frame),
    /// Nothing follows.
    Close,
}

#[derive(Debug)]
pub(crate) struct Shared {
    side: Side,
    state: Mutex<State>,
    out: mpsc::UnboundedSender<Out>,
    /// Of the bytes that may be queued. Frames that say no more than numbers are not counted: they are few.
    pub(crate) budget: Semaphore,
    /// Why nothing comes or goes any more.
    ended: OnceLock<String>,
    closed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<u32, Entry>,
    /// The last number of ours, and of the other side's.
    own: u32,
    others: u32,
}

#[derive(Debug)]
struct Entry {
    /// None once the other side, or who reads here, is done.
    incoming: Option<mpsc::UnboundedSender<Arrived>>,
    /// Until the other side has ended its direction: it counts the stream as long, whoever reads it here.
    arriving: bool,
    /// What the other side may still send.
    window: usize,
    /// What this side may still send. Closed once nobody there reads on.
    credit: Arc<Credit>,
    sending: bool,
}

/// How much may be sent, and why no more where it is closed.
#[derive(Debug)]
pub(crate) struct Credit {
    pub(crate) bytes: Semaphore,
    pub(crate) why: OnceLock<String>,
}

impl State {
    fn next_id(&mut self, side: Side) -> io::Result<u32> {
        let next = match (self.own, side) {
            (0, Side::Client) => Some(1),
            (0, Side::Engine) => Some(2),
            (last, _) => last.checked_add(2),
        };
        self.own = next.ok_or_else(|| io::Error::other("all numbers of streams are used up"))?;
        Ok(self.own)
    }

    fn add(&mut self, id: u32, shared: &Arc<Shared>) -> Stream {
        let (incoming, arrivals) = mpsc::unbounded_channel();
        let credit = Arc::new(Credit { bytes: Semaphore::new(WINDOW), why: OnceLock::new() });
        let entry = Entry {
            incoming: Some(incoming),
            arriving: true,
            window: WINDOW,
            credit: Arc::clone(&credit),
            sending: true,
        };
        self.streams.insert(id, entry);
        Stream {
            sender: Sender::new(id, Arc::clone(shared), credit),
            receiver: Receiver::new(id, Arc::clone(shared), arrivals),
        }
    }

    fn forget_if_over(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(|entry| !entry.arriving && !entry.sending) {
            self.streams.remove(&id);
        }
    }

    /// The stream is over in both directions.
    fn reset(&mut self, id: u32, why: &str) {
        let Some(entry) = self.streams.remove(&id) else { return };
        entry.credit.close(why);
        if let Some(incoming) = entry.incoming {
            // Whoever read it has gone.
            let _ = incoming.send(Arrived::Failed(why.to_owned()));
        }
    }
}

impl Credit {
    fn close(&self, why: &str) {
        self.why.get_or_init(|| why.to_owned());
        self.bytes.close();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }

    pub(crate) fn queue(&self, frame: Frame) {
        // Once the connection is lost there is nobody to tell.
        let _ = self.out.send(Out::Frame(frame));
    }

    /// Whether the stream is one that this side may still end.
    pub(crate) fn end_sending(&self, id: u32) -> bool {
        let mut state = self.state();
        let Some(entry) = state.streams.get_mut(&id) else { return false };
        entry.sending = false;
        state.forget_if_over(id);
        true
    }

    /// Nobody reads it here any more.
    pub(crate) fn end_receiving(&self, id: u32) {
        let mut state = self.state();
        let Some(entry) = state.streams.get_mut(&id) else { return };
        if entry.incoming.take().is_some() {
            self.queue(Frame { stream: id, kind: Kind::Stop, payload: Bytes::new() });
        }
    }

    /// This side gives a stream up.
    pub(crate) fn reset(&self, id: u32, why: &str) {
        let mut state = self.state();
        if state.streams.contains_key(&id) {
            state.reset(id, why);
            self.queue(reset(id, why));
        }
    }

    /// So much of a stream was read.
    pub(crate) fn grant(&self, id: u32, bytes: usize) {
        let mut state = self.state();
        let Some(entry) = state.streams.get_mut(&id).filter(|entry| entry.incoming.is_some())
        else {
            return;
        };
        entry.window += bytes;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        let payload = Bytes::copy_from_slice(&bytes);
        self.queue(Frame { stream: id, kind: Kind::Credit, payload });
    }

    pub(crate) fn why_lost(&self) -> io::Error {
        lost(self.ended.get().map_or("the connection was closed", String::as_str))
    }

    /// Every stream fails, and so does what is opened later.
    fn end(&self, why: &str) {
        let mut state = self.state();
        self.ended.get_or_init(|| why.to_owned());
        let all: Vec<u32> = state.streams.keys().copied().collect();
        all.into_iter().for_each(|id| state.reset(id, why));
        drop(state);
        self.budget.close();
        self.closed.send_replace(true);
    }

    fn take(self: &Arc<Self>, frame: Frame, accepting: &mpsc::Sender<Accepted>) -> io::Result<()> {
        let mut state = self.state();
        let id = frame.stream;
        match frame.kind {
            Kind::Open => {
                let is_theirs = (id % 2 == 1) == (self.side == Side::Engine);
                if !is_theirs || id <= state.others || state.streams.len() >= MOST_STREAMS {
                    return Err(broken("a stream that may not be opened"));
                }
                state.others = id;
                let accepted = Accepted { request: frame.payload, stream: state.add(id, self) };
                drop(state);
                accepting.try_send(accepted).map_err(|_| broken("more streams than are read"))
            }
            Kind::Data => state.data(id, frame.payload),
            Kind::End => {
                if let Some(entry) = state.streams.get_mut(&id) {
                    entry.arriving = false;
                    if let Some(incoming) = entry.incoming.take() {
                        // Whoever read it has gone.
                        let _ = incoming.send(Arrived::End);
                    }
                }
                state.forget_if_over(id);
                Ok(())
            }
            Kind::Reset => {
                let why = String::from_utf8_lossy(&frame.payload).into_owned();
                state.reset(id, &why);
                Ok(())
            }
            Kind::Credit => state.credit(id, frame.payload),
            Kind::Stop => {
                if let Some(entry) = state.streams.get(&id) {
                    entry.credit.close("it is not wanted any more");
                }
                Ok(())
            }
        }
    }
}

impl State {
    /// What comes of streams that are over was under way when they ended.
    fn data(&mut self, id: u32, payload: Bytes) -> io::Result<()> {
        let Some(entry) = self.streams.get_mut(&id) else { return Ok(()) };
        let Some(incoming) = &entry.incoming else { return Ok(()) };
        let window = entry.window.checked_sub(payload.len() + FRAME_COST);
        entry.window = window.ok_or_else(|| broken("more than there is room for"))?;
        // Whoever read it has gone, and its end is on its way.
        let _ = incoming.send(Arrived::Data(payload));
        Ok(())
    }

    fn credit(&mut self, id: u32, mut payload: Bytes) -> io::Result<()> {
        let bytes = payload.try_get_u32().map_err(|_| broken("a credit without a number"))?;
        let Some(entry) = self.streams.get(&id) else { return Ok(()) };
        let bytes = bytes as usize;
        if entry.credit.bytes.available_permits() + bytes > WINDOW {
            return Err(broken("more credit than a window"));
        }
        entry.credit.bytes.add_permits(bytes);
        Ok(())
    }
}

async fn read(
    mut reader: impl AsyncRead + Unpin,
    shared: Arc<Shared>,
    accepting: mpsc::Sender<Accepted>,
) {
    let mut reader = tokio::io::BufReader::with_capacity(BATCH, &mut reader);
    let why = loop {
        match Frame::read(&mut reader).await {
            Ok(None) => break "the connection was closed by the other side".to_owned(),
            Ok(Some(frame)) => {
                if let Err(error) = shared.take(frame, &accepting) {
                    break error.to_string();
                }
            }
            Err(error) => break error.to_string(),
        }
    };
    shared.end(&why);
    // The writer has nothing to write any more either.
    let _ = shared.out.send(Out::Close);
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    shared: Arc<Shared>,
    mut queue: mpsc::UnboundedReceiver<Out>,
) {
    let mut batch = BytesMut::new();
    while let Some(Out::Frame(first)) = queue.recv().await {
        let mut data = put(&first, &mut batch);
        let mut closing = false;
        while batch.len() < BATCH {
            match queue.try_recv() {
                Ok(Out::Frame(frame)) => data += put(&frame, &mut batch),
                Ok(Out::Close) => {
                    closing = true;
                    break;
                }
                Err(_) => break,
            }
        }
        if let Err(error) = writer.write_all(&batch).await {
            shared.end(&error.to_string());
            return;
        }
        batch.clear();
        shared.budget.add_permits(data);
        if closing {
            break;
        }
    }
    // A connection that is lost is closed already.
    let _ = writer.shutdown().await;
}

/// How much of it is counted.
fn put(frame: &Frame, batch: &mut BytesMut) -> usize {
    frame.write(batch);
    if frame.kind == Kind::Data { frame.payload.len() } else { 0 }
}

pub(crate) fn reset(stream: u32, why: &str) -> Frame {
    let payload = Bytes::copy_from_slice(&why.as_bytes()[..why.floor_char_boundary(4096)]);
    Frame { stream, kind: Kind::Reset, payload }
}

fn lost(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, why.to_owned())
}
