//! A blob on its way from the upstream: it goes into an upload like any other, and whoever wants it reads behind what has
//! come. The last byte is given to nobody before the whole was hashed: what is not what its digest names is cut off.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use oci::descriptor::Descriptor;
use oci::digest::Digest;
use rustix::fs::{Mode, OFlags};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use crate::client;
use crate::server::layout;
use crate::server::names::Repository;
use crate::server::storage::{Storage, Upload};

/// Given to a client at once.
const PIECE: u64 = 256 << 10;
/// Pieces that wait for a client.
const AHEAD: usize = 2;
/// Chunks that wait to be written.
const QUEUE: usize = 16;

pub(in crate::server) struct Flight {
    digest: Digest,
    size: u64,
    file: Arc<File>,
    /// The file is the upload's own: what is kept is there.
    is_kept: bool,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes have.
    Coming(u64),
    Here,
    Failed,
}

impl Flight {
    pub(super) fn new(kept: Option<&File>, digest: Digest, size: u64) -> io::Result<Self> {
        let file = match kept {
            Some(file) => file.try_clone()?,
            None => nameless()?,
        };
        let state = watch::Sender::new(State::Coming(0));
        Ok(Self { digest, size, file: Arc::new(file), is_kept: kept.is_some(), state })
    }

    pub(in crate::server) fn size(&self) -> u64 {
        self.size
    }

    /// Whether all of it came and is kept.
    pub(super) async fn carry_out(
        &self,
        session: &client::Repository,
        blob: &Descriptor,
        upload: Upload,
    ) -> bool {
        let (sender, chunks) = mpsc::channel(QUEUE);
        let fetching = async {
            let fetched = session.blob(blob, 0, &sender).await;
            drop(sender);
            fetched
        };
        let (fetched, (upload, kept)) = tokio::join!(fetching, self.keep(upload, chunks));
        let Some(upload) = upload else { return false };
        let digest = self.digest.clone();
        let whole = fetched.map_err(|error| error.to_string()).and(kept.map_err(|e| e.to_string()));
        let ended = spawn_blocking(move || match whole {
            Ok(()) => upload.finish(&digest).map_err(|error| error.to_string()),
            Err(why) => {
                upload.abandon();
                Err(why)
            }
        });
        let ended = ended.await.unwrap_or_else(|error| Err(error.to_string()));
        if let Err(why) = &ended {
            tracing::warn!("{} did not come: {why}", self.digest);
        }
        ended.is_ok()
    }

    /// Tells those who read, once others who ask find it in the storage.
    pub(super) fn end(&self, came: bool) {
        self.state.send_replace(if came { State::Here } else { State::Failed });
    }

    /// Another repository has it too, once it has come.
    pub(super) fn join(self: &Arc<Self>, storage: &Storage, repository: Repository) {
        let (flight, storage) = (Arc::clone(self), storage.clone());
        tokio::spawn(async move {
            let mut state = flight.state.subscribe();
            let ended = state.wait_for(|state| !matches!(state, State::Coming(_))).await;
            if ended.is_ok_and(|state| *state == State::Here)
                && let Err(error) = link(&storage, repository.clone(), flight.digest.clone()).await
            {
                tracing::warn!("{} of {repository}: {error}", flight.digest);
            }
        });
    }

    /// A part of it, as it comes.
    pub(in crate::server) fn read(
        self: Arc<Self>,
        part: Range<u64>,
    ) -> mpsc::Receiver<io::Result<Bytes>> {
        let (sender, pieces) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            let mut at = part.start;
            while at < part.end {
                let piece = self.piece(at, part.end).await;
                at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                let failed = piece.is_err();
                if sender.send(piece).await.is_err() || failed {
                    return;
                }
            }
        });
        pieces
    }

    async fn piece(&self, at: u64, end: u64) -> io::Result<Bytes> {
        let readable = |state: &State| match state {
            State::Coming(arrived) => (*arrived).min(self.size.saturating_sub(1)),
            State::Here => self.size,
            State::Failed => 0,
        };
        let mut state = self.state.subscribe();
        let seen = state.wait_for(|state| *state == State::Failed || readable(state) > at).await;
        let until = seen.map_or(0, |state| readable(&state)).min(end).min(at + PIECE);
        if until <= at {
            return Err(io::Error::other("the upstream broke off"));
        }
        let length = usize::try_from(until - at).map_err(io::Error::other)?;
        let file = Arc::clone(&self.file);
        let read = spawn_blocking(move || {
            let mut piece = vec![0; length];
            file.read_exact_at(&mut piece, at)?;
            Ok(Bytes::from(piece))
        });
        read.await.map_err(io::Error::other)?
    }

    /// Writes what comes; the upload is gone if the thread that wrote is.
    async fn keep(
        &self,
        upload: Upload,
        mut chunks: mpsc::Receiver<Bytes>,
    ) -> (Option<Upload>, io::Result<()>) {
        let mut upload = Box::new(upload);
        let mut batch = Vec::new();
        let mut arrived = 0;
        while chunks.recv_many(&mut batch, QUEUE).await > 0 {
            let (pieces, from) = (std::mem::take(&mut batch), arrived);
            arrived += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            let spool = (!self.is_kept).then(|| Arc::clone(&self.file));
            let written = spawn_blocking(move || {
                let written = spooled(spool.as_deref(), from, &pieces).and_then(|()| {
                    upload.append(&pieces).map_err(|error| io::Error::other(error.to_string()))
                });
                (upload, written)
            });
            let written = match written.await {
                Ok((same, written)) => {
                    upload = same;
                    written
                }
                Err(error) => return (None, Err(io::Error::other(error))),
            };
            if written.is_err() {
                return (Some(*upload), written);
            }
            self.state.send_replace(State::Coming(arrived));
        }
        (Some(*upload), Ok(()))
    }
}

/// Whether it was there to be linked to.
pub(super) async fn link(
    storage: &Storage,
    repository: Repository,
    digest: Digest,
) -> io::Result<bool> {
    let (blob, link) = (layout::blob(&digest), layout::blob_link(&repository, &digest));
    let link = move |storage: &Storage| {
        let held = storage.shared()?;
        let is_there = storage.renew(&blob)?;
        if is_there {
            held.check()?;
            storage.touch(&link)?;
        }
        Ok(is_there)
    };
    storage.blocking(link).await
}

fn spooled(file: Option<&File>, mut at: u64, pieces: &[Bytes]) -> io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    for piece in pieces {
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// A file that ends with its last reader.
fn nameless() -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(std::env::temp_dir(), flags, Mode::RUSR | Mode::WUSR)?;
    Ok(file.into())
}
