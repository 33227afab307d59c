//! The one task that owns a container. It answers requests in order, hears its monitor's news, waits out the delay
//! before a restart, and writes down what changed before anybody is told. The verbs are in files of their own; each
//! adds its part to [`Actor`].

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use api::containers::Status;
use runtime::monitor::protocol::{Hello, Message, State};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::Shared;
use super::cheap_moves::Running;
use super::delivery::Delivery;
use super::document::Document;
use super::exec::Exec;
use super::health::{self, Checks};
use super::index::{Exit, Handle, View};
use super::link::{self, Link, News};
use super::logging;
use super::record::Record;
use super::request::{Client, Request};
use super::restart_policy::Backoff;
use crate::error::{Error, Result};
use crate::events::Kind;
use crate::logs;

/// Requests that may wait; more callers wait outside.
const QUEUE: usize = 32;

pub struct Actor {
    pub shared: Arc<Shared>,
    pub record: Document,
    pub view: watch::Sender<View>,
    /// See [`Handle::root`].
    pub root: Arc<tokio::sync::Mutex<()>>,
    requests: mpsc::Receiver<Box<Request>>,
    /// Its monitor, while it has one.
    pub run: Option<Run>,
    /// The end of the delay before a restart.
    pub restart: Option<Pin<Box<Sleep>>>,
    pub backoff: Backoff,
    /// Clients that attached before the start.
    pub early_clients: Vec<Client>,
    pub execs: HashMap<String, Exec>,
    /// Somebody asked for the end of the current run.
    pub asked_to_end: bool,
    /// Of its log to another server, if it has one.
    pub delivery: Option<Delivery>,
    /// Of its health, while it runs and has any.
    pub checks: Option<Box<Checks>>,
}

/// A container that has a monitor.
pub struct Run {
    pub link: Link,
    pub news: link::Receiver,
    pub started: Instant,
    /// Held for its end.
    pub _running: Running,
}

/// What becomes of the task after a request.
#[derive(PartialEq, Eq)]
pub enum After {
    GoOn,
    End,
}

impl Actor {
    /// A task for the container, not yet running.
    pub fn new(shared: Arc<Shared>, record: Record) -> (Self, Handle) {
        let record = Document::from(record);
        let view = View {
            record: record.share(),
            exits: 0,
            last_exit: Exit { code: record.state.exit_code, error: record.state.error.clone() },
            removed: false,
        };
        let (view, seen) = watch::channel(view);
        let (sender, requests) = mpsc::channel(QUEUE);
        let handle = Handle::new(&record.id, sender, seen);
        let actor = Self {
            shared,
            record,
            view,
            root: Arc::clone(&handle.root),
            requests,
            run: None,
            restart: None,
            backoff: Backoff::default(),
            early_clients: Vec::new(),
            execs: HashMap::new(),
            asked_to_end: false,
            delivery: None,
            checks: None,
        };
        (actor, handle)
    }

    /// Boxed, since starting a container that removes itself leads back here.
    pub fn run(mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let _until_the_end = self.background();
            self.delivery = Delivery::begin(&self.record, &self.shared.config.data_root);
            while self.turn().await == After::GoOn {}
        })
    }

    /// What goes on beside the requests, until the set is dropped.
    fn background(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if logging::is_compressed(&self.record) {
            let log = self.record.log_path(&self.shared.config.data_root);
            tasks.spawn(async move {
                if let Err(error) = logs::keep_compressed(log.clone()).await {
                    tracing::warn!("{} is not compressed: {error}", log.display());
                }
            });
        }
        tasks
    }

    /// What is done is boxed: a task that waits, as most do all the time, is not to be as large as a start.
    async fn turn(&mut self) -> After {
        tokio::select! {
            Some(news) = news(&mut self.run) => Box::pin(self.hear(*news)).await,
            Some(request) = self.requests.recv() => Box::pin(self.answer(*request)).await,
            () = due(&mut self.restart) => {
                Box::pin(self.restart_now()).await;
                After::GoOn
            }
            due = health::due(&mut self.checks) => {
                Box::pin(self.on_check_due(due)).await;
                After::GoOn
            }
        }
    }

    async fn answer(&mut self, request: Request) -> After {
        // Whoever asked may have gone away; what was asked is done all the same.
        match request {
            Request::Start { reply } => drop(reply.send(self.start_by_hand().await)),
            Request::BringBack { reply } => drop(reply.send(self.bring_back().await)),
            Request::Signal { signal, purpose, reply } => {
                drop(reply.send(self.signal(signal, purpose).await));
            }
            Request::Pause { until, reply } => drop(reply.send(self.pause(until).await)),
            Request::Unpause { reply } => drop(reply.send(self.unpause().await)),
            Request::Resize { exec, height, width, reply } => {
                drop(reply.send(self.resize(exec, height, width).await));
            }
            Request::Attach { client, reply } => drop(reply.send(self.attach(client))),
            Request::CreateExec { exec, reply } => drop(reply.send(self.create_exec(*exec))),
            Request::StartExec { id, start, reply } => {
                drop(reply.send(self.start_exec(&id, start).await));
            }
            Request::InspectExec { id, reply } => drop(reply.send(self.inspect_exec(&id))),
            Request::Rename { name, reply } => drop(reply.send(self.rename(name).await)),
            Request::Update { resources, policy, ports, reply } => {
                drop(reply.send(self.update(&resources, policy, ports).await));
            }
            Request::Connect { network, settings, reply } => {
                drop(reply.send(self.connect(network, *settings).await));
            }
            Request::SetAliases { network, aliases, reply } => {
                drop(reply.send(self.set_aliases(&network, aliases).await));
            }
            Request::Disconnect { network, reply } => {
                drop(reply.send(self.disconnect(network).await));
            }
            Request::ForgetNetwork { name, reply } => {
                drop(reply.send(self.forget_network(&name).await));
            }
            Request::Tell { action, reply } => {
                self.tell(action, []);
                drop(reply.send(Ok(())));
            }
            Request::Remove { options, reply } => {
                let result = self.remove(options).await;
                let after = if result.is_ok() { After::End } else { After::GoOn };
                drop(reply.send(result));
                return after;
            }
        }
        After::GoOn
    }

    async fn hear(&mut self, news: News) -> After {
        match news {
            News::Message(Message::Exited { record }) => return self.exited(record).await,
            News::Message(Message::ExecExited { exec_id, record }) => {
                self.exec_exited(&exec_id, &record);
            }
            News::Message(Message::Oom) => self.tell("oom", []),
            News::Message(Message::Detached { exec_id }) => self.detached(exec_id),
            News::Message(Message::LogError { message }) => {
                tracing::warn!(container = self.record.id, "the log is incomplete: {message}");
            }
            // It ended before we were connected, and waits for clients that still read.
            News::Message(Message::Hello(Hello { state: State::Exited { record }, .. })) => {
                return self.exited(record).await;
            }
            News::Message(Message::Hello(_) | Message::Reply { .. }) => {}
            News::Lost => return self.monitor_lost().await,
        }
        After::GoOn
    }

    /// Writes the document down, then shows it.
    pub async fn save(&mut self) -> Result<()> {
        self.shared.disk.put(&self.record).await?;
        self.show();
        Ok(())
    }

    /// As `save`, where a failure must not stop what is under way: the container's state in memory leads, and the
    /// next change writes again.
    pub async fn save_or_warn(&mut self) {
        if let Err(error) = self.save().await {
            tracing::error!(
                container = self.record.id,
                "the container's record is not written: {error}"
            );
            self.show();
        }
    }

    /// Shows the document to everybody.
    pub fn show(&mut self) {
        let execs = self.unfinished_execs();
        if self.record.exec_ids != execs {
            self.record.exec_ids = execs;
        }
        self.shared.show_names(&self.record);
        let record = self.record.share();
        self.view.send_modify(|view| view.record = record);
    }

    /// An event of this container, now.
    pub fn tell<'a>(
        &self,
        action: impl Into<String>,
        more: impl IntoIterator<Item = (&'a str, String)>,
    ) {
        if self.record.is_step() {
            return;
        }
        let mut attributes = self.record.event_attributes();
        attributes.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        self.shared.events.publish(Kind::Container, action, &self.record.id, attributes);
    }

    pub fn link(&self) -> Result<Link> {
        match &self.run {
            Some(run) => Ok(run.link.clone()),
            None => Err(Error::conflict(format!("container {} is not running", self.record.id))),
        }
    }

    pub fn status(&self) -> Status {
        self.record.state.status
    }
}

/// Never completes while it does not run.
async fn news(run: &mut Option<Run>) -> Option<Box<News>> {
    match run {
        Some(run) => run.news.recv().await,
        None => std::future::pending().await,
    }
}

/// Never completes while no restart is due.
async fn due(restart: &mut Option<Pin<Box<Sleep>>>) {
    match restart {
        Some(sleep) => sleep.as_mut().await,
        None => std::future::pending().await,
    }
}
