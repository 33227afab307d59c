//! Plans carried out by an engine: steps that do not wait for one another run side by side, and what fails takes only
//! those with it that wait for it.

mod await_service;
mod container;
mod down;
mod hooks;
mod observe;
mod one_off;
mod order;
mod roll;
mod schedule;

use std::collections::BTreeMap;

use client::Client;

use crate::create;
use crate::model::Project;
use crate::plan::{Action, Current, Plan};

pub use await_service::{Reached, reached};
pub use down::{Down, down};
pub use hooks::{exec, post_start, pre_stop};
pub use observe::{containers, observe, projects};
pub use order::{label, layers, with_dependants};
pub use schedule::{all, first};

/// What becomes of one object while a plan is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `Container p-web-1`
    pub subject: String,
    /// `Creating`, `Created`, ...
    pub status: String,
    pub state: EventState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    Working,
    Done,
    Failed,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Client(#[from] client::Error),
    #[error("{0}")]
    Failed(String),
}

pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// An engine, a project, and whom to tell.
pub struct Apply<'a> {
    pub client: &'a Client,
    pub project: &'a Project,
    pub current: &'a Current,
    pub report: &'a dyn Fn(Event),
    /// Seconds that containers get to stop; nothing leaves it to them.
    pub timeout: Option<i64>,
    /// How many steps may run at once; nothing is no limit.
    pub parallel: Option<usize>,
}

impl Apply<'_> {
    /// Carries out all steps that can be. Of those that fail, what each says.
    pub async fn run(&self, plan: &Plan) -> Vec<Error> {
        schedule::run(plan, self.parallel, |action| self.perform(action)).await
    }

    async fn perform(&self, action: &Action) -> Result {
        match action {
            Action::CreateNetwork { key } => self.create_network(key).await,
            Action::CreateVolume { key } => self.create_volume(key).await,
            Action::Remove { id, name, service } => self.remove(id, name, service).await,
            Action::Create { service, number } => self.create(service, *number).await,
            Action::Recreate { service, number, id, carried } => {
                self.recreate(service, *number, id, carried).await
            }
            Action::Roll { service, replaced } => self.roll(service, replaced).await,
            Action::Await { service, condition, required } => {
                self.await_service(service, *condition, *required).await
            }
            Action::Start { service, number } => self.start(service, *number).await,
            Action::Restart { service, number } => self.restart(service, *number).await,
            Action::Leave { name, runs } => {
                let status = if *runs { "Running" } else { "Created" };
                self.tell(&format!("Container {name}"), status, EventState::Done);
                Ok(())
            }
        }
    }

    async fn create_network(&self, key: &str) -> Result {
        let Some(network) = self.project.networks.get(key) else { return Ok(()) };
        let request = create::network(self.project, key, network);
        let subject = format!("Network {}", network.name);
        self.reported(&subject, ("Creating", "Created"), async {
            self.client.network_create(&request).await?;
            Ok(())
        })
        .await
    }

    async fn create_volume(&self, key: &str) -> Result {
        let Some(volume) = self.project.volumes.get(key) else { return Ok(()) };
        let request = create::volume(self.project, key, volume);
        let subject = format!("Volume {:?}", volume.name);
        self.reported(&subject, ("Creating", "Created"), async {
            self.client.volume_create(&request).await?;
            Ok(())
        })
        .await
    }

    fn tell(&self, subject: &str, status: &str, state: EventState) {
        tell(self.report, subject, status, state);
    }

    /// Does something, and says so before and after.
    async fn reported<T>(
        &self,
        subject: &str,
        (doing, done): (&str, &str),
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        reported(self.report, subject, (doing, done), work).await
    }
}

fn tell(report: &dyn Fn(Event), subject: &str, status: &str, state: EventState) {
    report(Event { subject: subject.to_owned(), status: status.to_owned(), state });
}

async fn reported<T>(
    report: &dyn Fn(Event),
    subject: &str,
    (doing, done): (&str, &str),
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tell(report, subject, doing, EventState::Working);
    let result = work.await;
    match &result {
        Ok(_) => tell(report, subject, done, EventState::Done),
        Err(_) => tell(report, subject, "Error", EventState::Failed),
    }
    result
}

fn stop(timeout: Option<i64>) -> client::containers::Stop {
    client::containers::Stop { signal: String::new(), timeout }
}

type Volumes = BTreeMap<String, String>;
