//! What an engine finds when it starts.
//!
//! | the record says | the exec root says | then |
//! |---|---|---|
//! | up | a monitor that answers | it is adopted; nothing happens to the container |
//! | up | an exit record | the container ended meanwhile: one `die`, with the real time |
//! | up | neither, same boot | the monitor was killed: its cgroup is killed, the end is 255 |
//! | up | nothing, another boot | the host was restarted: 255 |
//! | restarting | | the policy is asked again |
//! | not up | a monitor | an engine was killed in the middle of a start: it is undone |
//! | removing, dead | | the removal is finished |
//! | a step of a build | | what is left of it is ended and removed |
//! | not up, `--rm` | | it is removed, as Docker does: it ended, or never ran because its engine was killed before |
//!
//! After that the restart policies apply.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::containers::Status;
use network::Interface;
use runtime::cgroup::{Cgroup, Driver};
use runtime::monitor::adopt;
use runtime::monitor::protocol::{Connection, ExitRecord};
use tokio::sync::watch;

use super::actor::{Actor, After, Run};
use super::discard::discard;
use super::exit::read_exit;
use super::health::on_failure;
use super::link::Link;
use super::record::Record;
use super::request::{Remove, Request};
use super::restart_policy::{Policy, at_engine_start};
use super::start_order;
use super::{Containers, cgroup_driver};
use super::{Disk, index::Handle, timestamp};
use crate::config::Config;
use crate::error::{Result, blocking};

/// What became of a container that was up.
enum Found {
    Alive(Alive),
    Ended(ExitRecord),
    /// Why nobody knows what became of it.
    Lost(String),
}

struct Alive {
    connection: Connection,
    init: Option<adopt::Init>,
    /// An engine that is killed while it pauses may have frozen the container and not written that down.
    status: Status,
}

/// Every container that is recorded, with what became of it.
pub struct Survey {
    found: Vec<(Record, Option<Found>)>,
    /// Steps of builds that ended with their engine, by id.
    steps: Vec<String>,
}

impl Survey {
    /// Blocks.
    pub fn take(disk: &Disk, config: &Config) -> Result<Self> {
        let driver = cgroup_driver(config)?;
        let (steps, records): (Vec<_>, Vec<_>) = disk.all()?.into_iter().partition(Record::is_step);
        let found = records.into_iter().map(|record| {
            let was_up = matches!(record.state.status, Status::Running | Status::Paused);
            let state = was_up.then(|| look(&record, driver, &config.exec_root));
            (record, state)
        });
        let steps = steps.into_iter().map(|record| record.id).collect();
        Ok(Self { found: found.collect(), steps })
    }

    /// What those have who are alive, by container: they keep it.
    pub fn interfaces(&self) -> Vec<(String, Interface)> {
        let alive = self.found.iter().filter(|(_, state)| matches!(state, Some(Found::Alive(_))));
        let interfaces = alive.flat_map(|(record, _)| {
            record.state.interfaces.iter().map(|interface| (record.id.clone(), interface.clone()))
        });
        interfaces.collect()
    }
}

impl Containers {
    pub async fn adopt(&self, Survey { found, steps }: Survey) -> Result<()> {
        self.clear_exec_root(&found).await;
        self.remove_steps(steps).await;
        let alive = found.iter().filter(|(_, state)| matches!(state, Some(Found::Alive(_))));
        self.recover_ports(alive.map(|(record, _)| record))?;
        let runs = |state: &Option<Found>| matches!(state, Some(Found::Alive(_)));
        self.adopt_volumes(found.iter().map(|(record, state)| (record, runs(state))));
        let mut due = Vec::new();
        for (record, state) in found {
            due.extend(self.take_over(record, state).await);
        }
        Self::start_again(due);
        self.settle_volumes().await
    }

    /// Only containers that were up have something there; the rest was left by a crash.
    async fn clear_exec_root(&self, found: &[(Record, Option<Found>)]) {
        let were_up = found.iter().filter(|(_, state)| state.is_some());
        let were_up: HashSet<OsString> =
            were_up.map(|(record, _)| OsString::from(&record.id)).collect();
        let (root, driver) = (self.0.config.exec_root.join("c"), self.0.cgroup_driver);
        let runtime = Arc::clone(&self.0.runtime);
        let cleared = blocking(move || {
            let entries = std::fs::read_dir(&root).into_iter().flatten().flatten();
            for entry in entries.filter(|entry| !were_up.contains(&entry.file_name())) {
                if let Err(error) = discard(driver, &runtime, &entry.path()) {
                    tracing::warn!("{error}");
                }
            }
            Ok(())
        });
        if let Err(error) = cleared.await {
            tracing::warn!("{error}");
        }
    }

    /// What ran of them has been ended with their directories under the exec root.
    async fn remove_steps(&self, steps: Vec<String>) {
        let shared = Arc::clone(&self.0);
        let removed = blocking(move || {
            let failed = steps.iter().filter_map(|id| shared.disk.remove(id, &[]).err());
            failed.for_each(|error| tracing::warn!("a step of a build is left: {error}"));
            shared.clear_scratch();
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::warn!("{error}");
        }
    }

    /// The container, where it is to be started again.
    async fn take_over(&self, record: Record, found: Option<Found>) -> Option<Handle> {
        let index = &self.0.index;
        match index.reserve(&record.name, &record.id) {
            Ok(name) => drop(name.keep()),
            Err(error) => tracing::error!(container = record.id, "{error}"),
        }
        let (mut actor, handle) = Actor::new(self.0.clone(), record);
        index.add(handle.clone());
        if actor.settle(found).await != After::GoOn {
            return None;
        }
        let is_due = is_due(&actor.record);
        if is_due {
            // Whoever looks before its turn sees that it is not at rest. Not written down: the next engine asks again.
            actor.record.state.status = Status::Restarting;
            actor.show();
        }
        tokio::spawn(actor.run());
        is_due.then_some(handle)
    }

    /// In the background, so that the engine answers while its containers come up; each after those that it depends on.
    fn start_again(due: Vec<Handle>) {
        let records: Vec<_> = due.iter().map(Handle::record).collect();
        let order = start_order::order(&records.iter().map(|record| &**record).collect::<Vec<_>>());
        let tried: Vec<_> = due.iter().map(|_| watch::channel(false)).collect();
        for (at, waits) in order.into_iter().enumerate() {
            let waits: Vec<_> = waits
                .into_iter()
                .map(|(other, until)| (until, tried[other].1.clone(), due[other].watch()))
                .collect();
            let (handle, tried) = (due[at].clone(), tried[at].0.clone());
            tokio::spawn(async move {
                for (until, tried, view) in waits {
                    start_order::wait(until, tried, view).await;
                }
                if let Err(error) = handle.ask(|reply| Request::BringBack { reply }).await {
                    tracing::warn!(container = &*handle.id, "cannot start it again: {error}");
                }
                tried.send_replace(true);
            });
        }
    }
}

/// By its restart policy, or because a health check asked for it.
fn is_due(record: &Record) -> bool {
    let policy = Policy::parse(&record.host_config.restart_policy).unwrap_or_default();
    let state = &record.state;
    let ran_before = timestamp::parse(&state.started_at).is_some();
    let ended = matches!(state.status, Status::Exited | Status::Restarting);
    let (restarts, by_hand) = (record.restart_count, record.stopped_by_hand);
    on_failure::restart_is_due(record)
        || ended && ran_before && at_engine_start(policy, state.exit_code, restarts, by_hand)
}

/// Looks for the monitor, then for what it left.
fn look(record: &Record, driver: Driver, exec_root: &Path) -> Found {
    let directory = exec_root.join("c").join(&record.id);
    match adopt::verify(&directory) {
        Ok((identity, connection)) => {
            let (init, status) = (identity.init, running_or_paused(record, driver));
            Found::Alive(Alive { connection, init, status })
        }
        Err(why) => match read_exit(&directory) {
            Some(exit) => Found::Ended(exit),
            None => Found::Lost(format!("the container was lost: {why}")),
        },
    }
}

fn running_or_paused(record: &Record, driver: Driver) -> Status {
    let cgroup = Cgroup::open(driver, &record.state.cgroup, &record.id);
    match cgroup.and_then(|cgroup| cgroup.is_frozen()) {
        Ok(true) => Status::Paused,
        Ok(false) => Status::Running,
        Err(error) => {
            tracing::warn!(container = record.id, "is it paused? {error}");
            record.state.status
        }
    }
}

impl Actor {
    /// Brings record and reality together.
    async fn settle(&mut self, found: Option<Found>) -> After {
        if found.is_some() {
            self.adopt_health();
        }
        match (found, self.status()) {
            (Some(Found::Alive(alive)), _) => self.reconnect(alive).await,
            (Some(Found::Ended(exit)), _) => self.ended_meanwhile(exit).await,
            (Some(Found::Lost(why)), _) => {
                let exit = self.bury(&why).await;
                self.ended_meanwhile(exit).await
            }
            (None, Status::Removing | Status::Dead) => self.finish_removal().await,
            (None, Status::Restarting) => {
                self.record.state.status = Status::Exited;
                self.save_or_warn().await;
                After::GoOn
            }
            (None, _) if self.removes_itself_now() => self.finish_removal().await,
            (None, _) => After::GoOn,
        }
    }

    /// What ran before the engine began; nothing where somebody has started or stopped it since.
    pub async fn bring_back(&mut self) -> Result<()> {
        if self.status() != Status::Restarting || self.restart.is_some() {
            return Ok(());
        }
        let started = self.start_by_hand().await;
        if started.is_err() && self.status() == Status::Restarting {
            self.record.state.status = Status::Exited;
            self.save_or_warn().await;
        }
        started.map(drop)
    }

    async fn ended_meanwhile(&mut self, exit: ExitRecord) -> After {
        // Its restart policy is applied as at any start of an engine, without a delay.
        self.asked_to_end = true;
        let ran_for = between(&self.record.state.started_at, &exit.finished_at);
        self.ended(exit, ran_for).await
    }

    /// Nobody else will: the engine was killed before it could remove it, or before it could start it. Whoever wanted
    /// it started has lost the engine that was asked to.
    fn removes_itself_now(&self) -> bool {
        let is_down = matches!(self.status(), Status::Created | Status::Exited);
        self.record.host_config.auto_remove && is_down
    }

    async fn reconnect(&mut self, alive: Alive) -> After {
        match Link::start(alive.connection) {
            Ok((link, news)) => {
                let ran_for = alive.init.map_or(Duration::ZERO, |init| init.running_for());
                let started = Instant::now().checked_sub(ran_for).unwrap_or_else(Instant::now);
                let running = self.shared.cheap_moves.hold();
                self.run = Some(Run { link, news, started, _running: running });
                self.record.state.status = alive.status;
                self.release().await;
                self.adopt_execs().await;
                self.end_adopted_checks().await;
                if self.status() == Status::Running {
                    self.resume_checks();
                }
                self.go_on_acting();
                self.show();
                self.adopt_dns();
                After::GoOn
            }
            Err(error) => {
                tracing::error!(container = self.record.id, "cannot talk to its monitor: {error}");
                After::GoOn
            }
        }
    }

    async fn finish_removal(&mut self) -> After {
        self.record.state.status = Status::Dead;
        match self
            .remove(Remove { force: true, volumes: self.record.host_config.auto_remove })
            .await
        {
            Ok(()) => After::End,
            Err(error) => {
                tracing::error!(container = self.record.id, "cannot finish its removal: {error}");
                After::GoOn
            }
        }
    }
}

fn between(start: &str, end: &str) -> Duration {
    let (Some(start), Some(end)) = (timestamp::parse(start), timestamp::parse(end)) else {
        return Duration::ZERO;
    };
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}
