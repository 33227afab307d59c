//! Whoever asked for a build: where its files are, what it alone knows, and how it is told what happens.
//!
//! An [`Upload`] brought its context as an archive. A [`Session`] keeps its files and is asked for them over streams of
//! one connection (docs/design/0018-build-session.md). To the worker the two are the same.

mod classic;
mod contents;
mod output;
mod session;
mod told;
mod upload;

use std::sync::Arc;

use api::build::{Selection, Status};
use builder::context::Listing;
use oci::Digest;
use tokio::io::DuplexStream;

pub use classic::Classic;
pub use contents::Contents;
pub use output::Output;
pub use session::{Session, failure};
pub use told::Told;
pub use upload::{Context, Upload};

use crate::error::{Error, Result};

/// The name of the main context.
pub const CONTEXT: &str = "context";

pub enum Client {
    Upload(Upload),
    Session(Session),
}

impl Client {
    /// What a context holds of what is wanted of it, or more, with the digests of all files. It is asked for once.
    pub async fn listing(&self, wanted: &Selection) -> Result<Arc<Listing>> {
        match self {
            Self::Upload(upload) => upload.listing(&wanted.context).await,
            Self::Session(session) => session.listing(wanted).await,
        }
    }

    /// The files at these places of a [`listing`](Self::listing), which was asked for before, in this order.
    /// Both this and what it returns may wait: they are for threads that may.
    pub fn contents(&self, of: &Selection, wanted: Vec<usize>) -> Result<Contents> {
        match self {
            Self::Upload(upload) => upload.contents(&of.context, wanted),
            Self::Session(session) => session.contents(of, wanted),
        }
    }

    /// None where the client has no secret of that name.
    pub async fn secret(&self, id: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Upload(_) => Ok(None),
            Self::Session(session) => session.secret(id).await,
        }
    }

    /// A new connection to an SSH agent of the client's.
    pub async fn agent(&self, id: &str) -> Result<DuplexStream> {
        match self {
            Self::Upload(_) => {
                Err(Error::invalid("no SSH agent is forwarded: this build has no session"))
            }
            Self::Session(session) => session.agent(id).await,
        }
    }

    /// Never waits: what a slow client has not taken is kept up to a bound, output of steps is then left out.
    pub fn tell(&self, status: Status) {
        match self {
            Self::Upload(upload) => upload.teller.tell(status),
            Self::Session(session) => session.teller.tell(status),
        }
    }

    /// Where the bytes of an output at the client's side go. It may wait, and is for threads that may.
    pub fn output(&self, index: usize) -> Result<Output> {
        match self {
            Self::Upload(_) => Err(Error::invalid(
                "outputs at the client's side need a session, which this build has not",
            )),
            Self::Session(session) => session.output(index),
        }
    }

    /// A blob of a cache's folder at the client's side, or its list of manifests; None where it is not there. It may wait,
    /// as what it returns.
    pub fn cache_read(
        &self,
        index: usize,
        of_target: bool,
        digest: Option<&Digest>,
    ) -> Result<Option<mux::Reader>> {
        match self {
            Self::Upload(_) => Err(no_folders()),
            Self::Session(session) => session.cache_read(index, of_target, digest),
        }
    }

    /// Whether a cache's folder at the client's side has a blob. It may wait.
    pub fn cache_has(&self, index: usize, digest: &Digest) -> Result<bool> {
        // What is asked for and then not read is not sent to its end.
        Ok(self.cache_read(index, true, Some(digest))?.is_some())
    }

    /// Where a blob of a cache's folder goes, or its list of manifests; None where it is there already. It may wait.
    pub fn cache_write(&self, index: usize, digest: Option<&Digest>) -> Result<Option<Output>> {
        match self {
            Self::Upload(_) => Err(no_folders()),
            Self::Session(session) => session.cache_write(index, digest),
        }
    }

    /// Resolves once the client went away: nobody wants the build any more.
    pub async fn gone(&self) {
        match self {
            Self::Upload(upload) => upload.gone().await,
            Self::Session(session) => session.gone().await,
        }
    }
}

fn no_folders() -> Error {
    Error::invalid("a cache in a folder needs a session, which this build has not")
}
