//! What is done about a container whose checks have failed: `--health-on-failure`, which Docker does not have and whose
//! words are Podman's. What is under way is remembered, so that an engine that is killed in the middle of it leaves the
//! rest to the next one.

use api::containers::Status as ContainerStatus;

use super::super::actor::Actor;
use super::super::record::Record;
use super::super::request::ExecStart;
use super::super::state::is_up;
use super::super::{Containers, Stop};
use super::policy::shell;
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    None,
    Kill,
    Restart,
    Stop,
    /// A line for the container's shell, run in it.
    Exec(&'a str),
}

impl<'a> Action<'a> {
    /// Reads `HostConfig.HealthOnFailure`.
    pub fn parse(text: &'a str) -> Result<Self> {
        match text {
            "" | "none" => Ok(Self::None),
            "kill" => Ok(Self::Kill),
            "restart" => Ok(Self::Restart),
            "stop" => Ok(Self::Stop),
            _ => match text.strip_prefix("exec:") {
                Some(line) if !line.trim().is_empty() => Ok(Self::Exec(line)),
                _ => Err(Error::invalid(format!(
                    "invalid action on failed health checks: {text:?}: must be one of none, kill, restart, stop, or exec:COMMAND"
                ))),
            },
        }
    }

    fn of(record: &'a Record) -> Self {
        Self::parse(&record.host_config.health_on_failure).unwrap_or(Self::None)
    }
}

/// An engine was killed after it stopped a container that it wanted to start again.
pub fn restart_is_due(record: &Record) -> bool {
    record.state.status == ContainerStatus::Exited
        && record.state.health.as_ref().is_some_and(|health| health.acting)
        && Action::of(record) == Action::Restart
}

impl Actor {
    /// Begins to do what was asked for; nothing where nothing was.
    pub async fn act_on_failure(&mut self) {
        match Action::of(&self.record) {
            Action::None => {}
            Action::Exec(line) => {
                let line = line.to_owned();
                self.run_hook(line).await;
            }
            Action::Kill | Action::Restart | Action::Stop => {
                self.remember_acting(true).await;
                self.act_outside();
            }
        }
    }

    /// What the engine before this one had begun.
    pub fn go_on_acting(&self) {
        let acting = self.record.state.health.as_ref().is_some_and(|health| health.acting);
        if acting && is_up(self.status()) {
            self.act_outside();
        }
    }

    /// Written down: the files beside the monitor go with the run.
    async fn remember_acting(&mut self, acting: bool) {
        if let Some(health) = &mut self.record.state.health {
            health.acting = acting;
        }
        self.keep_health();
        self.save_or_warn().await;
    }

    /// As a client would ask for it, since it needs this very task.
    fn act_outside(&self) {
        let (containers, record) = (Containers(self.shared.clone()), self.record.share());
        tokio::spawn(async move {
            let id = record.id.as_str();
            let done = match Action::of(&record) {
                Action::Kill => containers.kill(id, "").await,
                Action::Restart => containers.restart(id, &Stop::default()).await,
                Action::Stop => containers.stop(id, &Stop::default()).await,
                Action::None | Action::Exec(_) => Ok(()),
            };
            if let Err(error) = done {
                tracing::warn!(container = id, "nothing done about its failed checks: {error}");
            }
        });
    }

    /// Nobody waits for its end, and nobody reads what it prints.
    async fn run_hook(&mut self, line: String) {
        let command = [shell(&self.record.config), vec![line]].concat();
        let start =
            ExecStart { client: None, detach: true, console_size: None, multiplexed: false };
        let run = match self.make_exec(command, false) {
            Ok(id) => self.start_exec(&id, start).await,
            Err(error) => Err(error),
        };
        if let Err(error) = run {
            tracing::warn!(container = self.record.id, "the hook for failed checks: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::super::Health;
    use super::*;

    #[test]
    fn five_actions() {
        assert_eq!(Action::parse("").unwrap(), Action::None);
        assert_eq!(Action::parse("none").unwrap(), Action::None);
        assert_eq!(Action::parse("restart").unwrap(), Action::Restart);
        assert_eq!(Action::parse("exec:kill -HUP 1").unwrap(), Action::Exec("kill -HUP 1"));
        for bad in ["exec:", "exec: ", "reboot", "Kill"] {
            let said = Action::parse(bad).unwrap_err().to_string();
            assert!(said.contains("must be one of none, kill, restart, stop"), "{said}");
        }
    }

    #[test]
    fn a_restart_that_was_begun_is_finished_by_the_next_engine() {
        let mut record = record("ab");
        record.host_config.health_on_failure = "restart".into();
        record.state.status = ContainerStatus::Exited;
        assert!(!restart_is_due(&record));
        record.state.health = Some(Health { acting: true, ..Health::default() });
        assert!(restart_is_due(&record));
        record.host_config.health_on_failure = "stop".into();
        assert!(!restart_is_due(&record));
    }
}
