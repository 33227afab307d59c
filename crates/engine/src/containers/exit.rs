//! The end of a container's process: writing it down, telling of it once, and what follows: a restart, the removal of
//! a container that was to be removed, or rest.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::containers::Status;
use runtime::monitor::protocol::ExitRecord;

use super::actor::{Actor, After};
use super::discard::{end_container, follow_end};
use super::index::Exit;
use super::request::Remove;
use super::restart_policy::{self, Decision, Policy};
use super::shared_memory;
use super::timestamp;
use crate::error::{Result, blocking};
use crate::events::Kind;

impl Actor {
    /// The monitor's word that init is gone and its log complete.
    pub async fn exited(&mut self, exit: ExitRecord) -> After {
        let ran_for = self.run.as_ref().map_or(Duration::ZERO, |run| run.started.elapsed());
        self.ended(exit, ran_for).await
    }

    /// The monitor is gone. Either it had finished, or it was killed: then its container is, too.
    pub async fn monitor_lost(&mut self) -> After {
        let directory = self.shared.exec_directory(&self.record.id);
        let exit = match read_exit(&directory) {
            Some(exit) => exit,
            None => self.bury("the container's monitor was killed").await,
        };
        self.exited(exit).await
    }

    /// Does what a monitor that was killed left undone: ends the container, removes its cgroup, and leaves the record,
    /// so that an engine that is killed now tells the next one of the same end.
    pub async fn bury(&self, why: &str) -> ExitRecord {
        let directory = self.shared.exec_directory(&self.record.id);
        let ended = self.with_cgroup(move |cgroup| end_container(cgroup, &directory));
        if let Err(error) = ended.await {
            tracing::warn!(container = self.record.id, "something of it is left: {error}");
        }
        let exit = lost(why);
        let directory = self.shared.exec_directory(&self.record.id);
        let (runtime, place) = (Arc::clone(&self.shared.runtime), directory.clone());
        let followed = blocking(move || {
            follow_end(&runtime, &place);
            Ok(())
        });
        if let Err(error) = followed.await {
            tracing::warn!(container = self.record.id, "{error}");
        }
        if let Err(error) = write_exit(&directory, &exit) {
            tracing::warn!(container = self.record.id, "its end is not recorded: {error}");
        }
        exit
    }

    /// Settles the end, whoever reported it.
    pub async fn ended(&mut self, exit: ExitRecord, ran_for: Duration) -> After {
        self.end_checks().await;
        self.run = None;
        self.early_clients.clear();
        self.forget_execs();
        let decision = self.decide(&exit, ran_for);
        let state = &mut self.record.state;
        state.status = match decision {
            Decision::Restart { .. } => Status::Restarting,
            Decision::Stay => Status::Exited,
        };
        state.pid = 0;
        state.exit_code = exit.status.into();
        state.oom_killed = exit.oom_killed;
        state.error = exit.error.clone().unwrap_or_default();
        state.finished_at.clone_from(&exit.finished_at);
        self.leave_network();
        self.leave_volumes().await;
        // Whoever hears of it looks at once, and is to see it. It is written down by the monitor.
        self.show_end(&exit);
        self.tell_death(&exit, ran_for);
        if let Decision::Restart { after } = decision {
            self.restart = Some(Box::pin(tokio::time::sleep(after)));
        }
        if self.record.host_config.auto_remove && decision == Decision::Stay {
            return self.remove_itself().await;
        }
        if self.save_end().await.is_ok() {
            self.clear_exec_directory().await;
        }
        After::GoOn
    }

    fn decide(&mut self, exit: &ExitRecord, ran_for: Duration) -> Decision {
        let policy = Policy::parse(&self.record.host_config.restart_policy).unwrap_or_default();
        let exit = restart_policy::Exit {
            status: exit.status.into(),
            ran_for,
            asked_for: self.asked_to_end,
        };
        self.asked_to_end = false;
        self.backoff.decide(policy, exit, self.record.restart_count)
    }

    /// The one `die` of this run.
    fn tell_death(&self, exit: &ExitRecord, ran_for: Duration) {
        let code = ("exitCode", exit.status.to_string());
        let duration = ("execDuration", ran_for.as_secs().to_string());
        self.tell_at(&exit.finished_at, "die", [code, duration]);
    }

    /// An event of this container at its real time. One that an engine told of that was killed before it could write
    /// it down is known by that time, and not told again.
    pub fn tell_at<'a>(
        &self,
        time: &str,
        action: &str,
        more: impl IntoIterator<Item = (&'a str, String)>,
    ) {
        let nanoseconds = timestamp::parse(time).map(jiff::Timestamp::as_nanosecond);
        let Some(time) = nanoseconds.and_then(|time| i64::try_from(time).ok()) else {
            return self.tell(action, more);
        };
        if self.record.is_step() {
            return;
        }
        let mut attributes = self.record.event_attributes();
        attributes.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        self.shared.events.publish_at(time, Kind::Container, action, &self.record.id, attributes);
    }

    /// Writes the end down, which is shown by now. What cannot be written, the disk being full, the next engine reads from the
    /// monitor's record.
    async fn save_end(&mut self) -> Result<()> {
        let saved = self.shared.disk.put(&self.record).await;
        if let Err(error) = &saved {
            tracing::error!(container = self.record.id, "its end is not written: {error}");
        }
        saved
    }

    /// Wakes those who wait for the end: state and exit code are seen together.
    fn show_end(&mut self, exit: &ExitRecord) {
        self.record.exec_ids = self.unfinished_execs();
        let record = self.record.share();
        let last_exit =
            Exit { code: exit.status.into(), error: exit.error.clone().unwrap_or_default() };
        self.view.send_modify(|view| {
            view.record = record;
            view.exits += 1;
            view.last_exit = last_exit;
        });
    }

    async fn remove_itself(&mut self) -> After {
        match self.remove(Remove { force: false, volumes: true }).await {
            Ok(()) => After::End,
            Err(error) => {
                tracing::error!(container = self.record.id, "cannot remove it: {error}");
                After::GoOn
            }
        }
    }

    pub async fn clear_exec_directory(&self) {
        let directory = self.shared.exec_directory(&self.record.id);
        let removed = blocking(move || {
            clear(&directory);
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::warn!("{error}");
        }
    }

    /// The delay is over.
    pub async fn restart_now(&mut self) {
        self.restart = None;
        self.record.restart_count += 1;
        if let Err(error) = self.start().await {
            tracing::warn!(container = self.record.id, "cannot restart it: {error}");
            self.restart_failed(&error.to_string()).await;
        }
    }

    /// A restart that fails counts as a run that failed.
    async fn restart_failed(&mut self, why: &str) {
        let mut exit = lost(why);
        exit.status = u8::try_from(self.record.state.exit_code).unwrap_or(u8::MAX);
        let decision = self.decide(&exit, Duration::ZERO);
        if let Decision::Restart { after } = decision {
            self.record.state.status = Status::Restarting;
            self.restart = Some(Box::pin(tokio::time::sleep(after)));
        } else {
            self.record.state.status = Status::Exited;
        }
        self.show_end(&exit);
        // Said already; there is no directory that would be kept for it.
        let _ = self.save_end().await;
    }
}

/// Removes a container's directory under the exec root. What is left of it, the next start removes.
pub fn clear(directory: &Path) {
    match shared_memory::remove_with(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove {}: {error}", directory.display());
        }
        _ => {}
    }
}

/// The record of a run that nobody saw end: 255.
fn lost(why: &str) -> ExitRecord {
    ExitRecord {
        status: u8::MAX,
        signal: None,
        oom_killed: false,
        finished_at: timestamp::now(),
        log_end: 0,
        error: Some(why.to_owned()),
    }
}

/// The monitor's exit record, if it left one that can be read.
pub fn read_exit(directory: &Path) -> Option<ExitRecord> {
    let text = std::fs::read(directory.join("exit.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

/// As the monitor would have left it: whole, or not there.
fn write_exit(directory: &Path, exit: &ExitRecord) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let new = directory.join("exit.json.tmp");
    std::fs::write(&new, serde_json::to_vec(exit)?)?;
    std::fs::rename(new, directory.join("exit.json"))
}
