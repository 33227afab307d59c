//! What can be asked of a container's task. Each request carries where its answer goes.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use api::containers::{Resources, RestartPolicy};
use api::networks::{EndpointSettings, PortMap};
use runtime::monitor::protocol::Streams;
use tokio::sync::oneshot;

use super::attach::ClientSocket;
use super::exec::{Exec, ExecView};
use super::index::Reservation;
use super::pause::Until;
use crate::error::Result;
use crate::networks::record::Record as Network;

pub type Reply<T> = oneshot::Sender<Result<T>>;

/// A client whose response head is on its way, and whose socket will then arrive here.
pub struct Client {
    pub socket: oneshot::Receiver<ClientSocket>,
    pub streams: Streams,
}

/// What becomes published, and what is not any more.
#[derive(Clone, Debug, Default)]
pub struct PortChanges {
    pub add: PortMap,
    pub remove: PortMap,
}

impl PortChanges {
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

pub enum Request {
    Start {
        reply: Reply<Started>,
    },
    /// By the engine that has just begun.
    BringBack {
        reply: Reply<()>,
    },
    Signal {
        signal: i32,
        purpose: Purpose,
        reply: Reply<()>,
    },
    Pause {
        until: Until,
        reply: Reply<()>,
    },
    Unpause {
        reply: Reply<()>,
    },
    Resize {
        exec: Option<String>,
        height: u16,
        width: u16,
        reply: Reply<()>,
    },
    Attach {
        client: Client,
        reply: Reply<()>,
    },
    CreateExec {
        exec: Box<Exec>,
        reply: Reply<()>,
    },
    StartExec {
        id: String,
        start: ExecStart,
        reply: Reply<()>,
    },
    InspectExec {
        id: String,
        reply: Reply<ExecView>,
    },
    Rename {
        name: Reservation,
        reply: Reply<()>,
    },
    Update {
        resources: Box<Resources>,
        policy: Option<RestartPolicy>,
        ports: PortChanges,
        reply: Reply<()>,
    },
    Connect {
        network: Arc<Network>,
        settings: Box<EndpointSettings>,
        reply: Reply<()>,
    },
    SetAliases {
        network: Arc<Network>,
        aliases: Option<Vec<String>>,
        reply: Reply<()>,
    },
    Disconnect {
        network: Arc<Network>,
        reply: Reply<()>,
    },
    ForgetNetwork {
        name: String,
        reply: Reply<()>,
    },
    Remove {
        options: Remove,
        reply: Reply<()>,
    },
    /// An event of something that is done from outside the task: `stop`, `restart`, `export`.
    Tell {
        action: &'static str,
        reply: Reply<()>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    Now,
    Already,
}

/// Why a signal is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `kill`: whether the container is meant to end by it depends on the signal.
    Kill,
    /// `stop`, `restart`: it is meant to end.
    Stop,
    /// `rm -f`: it is meant to end, and nobody need be told that it was a stop.
    Remove,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Remove {
    pub force: bool,
    /// Anonymous volumes go with it.
    pub volumes: bool,
}

pub struct ExecStart {
    /// None with `detach`.
    pub client: Option<UnixStream>,
    pub detach: bool,
    pub console_size: Option<[u16; 2]>,
    pub multiplexed: bool,
}
