//! `wait`: until a container does not run, ends the next time, or is gone.

use tokio::sync::watch;

use super::Containers;
use super::index::{Exit, View};
use super::state::is_up;
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Met at once by one that does not run.
    #[default]
    NotRunning,
    NextExit,
    Removed,
}

impl Condition {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "" | "not-running" => Ok(Self::NotRunning),
            "next-exit" => Ok(Self::NextExit),
            "removed" => Ok(Self::Removed),
            other => Err(Error::invalid(format!("invalid condition: {other:?}"))),
        }
    }
}

/// A wait that has begun: what happens from now on counts.
pub struct Wait {
    view: watch::Receiver<View>,
    condition: Condition,
    exits_before: u64,
}

impl Containers {
    pub fn wait(&self, wanted: &str, condition: Condition) -> Result<Wait> {
        let view = self.find(wanted)?.watch();
        let exits_before = view.borrow().exits;
        Ok(Wait { view, condition, exits_before })
    }
}

impl Wait {
    /// How the last run ended, once the condition is met.
    pub async fn outcome(mut self) -> Exit {
        let (condition, before) = (self.condition, self.exits_before);
        let met = |view: &View| match condition {
            Condition::NotRunning => {
                view.exits > before || view.removed || !is_up(view.record.state.status)
            }
            Condition::NextExit => view.exits > before || view.removed,
            Condition::Removed => view.removed,
        };
        // An error means that the task has ended, and with it the container.
        let _ = self.view.wait_for(met).await;
        self.view.borrow().last_exit.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::containers::Status;

    use super::*;

    fn view(status: Status) -> watch::Sender<View> {
        let mut record = super::super::record::tests::record("ab");
        record.state.status = status;
        let record = Arc::new(record);
        watch::Sender::new(View { record, exits: 3, last_exit: Exit::default(), removed: false })
    }

    fn wait(view: &watch::Sender<View>, condition: Condition) -> Wait {
        Wait { view: view.subscribe(), condition, exits_before: view.borrow().exits }
    }

    #[tokio::test]
    async fn what_does_not_run_is_not_waited_for() {
        assert_eq!(wait(&view(Status::Exited), Condition::NotRunning).outcome().await.code, 0);
    }

    #[tokio::test]
    async fn an_exit_that_is_followed_by_a_restart_counts() {
        let view = view(Status::Running);
        for condition in [Condition::NotRunning, Condition::NextExit] {
            let waiting = wait(&view, condition);
            view.send_modify(|view| {
                view.exits += 1;
                view.last_exit.code = 7;
            });
            assert_eq!(waiting.outcome().await.code, 7);
        }
    }

    #[tokio::test]
    async fn removal_is_waited_for_to_its_end() {
        let view = view(Status::Running);
        let mut waiting = Box::pin(wait(&view, Condition::Removed).outcome());
        view.send_modify(|view| view.exits += 1);
        let early = tokio::time::timeout(std::time::Duration::from_millis(1), &mut waiting).await;
        assert!(early.is_err());
        view.send_modify(|view| view.removed = true);
        waiting.await;
    }
}
