//! `pause` and `unpause`: the cgroup's freezer, in which the monitor is not.

use api::containers::Status;
use runtime::cgroup::Cgroup;

use super::Containers;
use super::actor::Actor;
use super::request::Request;
use super::state::{Action, may};
use crate::error::{Error, Result, blocking};

impl Containers {
    pub async fn pause(&self, wanted: &str) -> Result<()> {
        self.find(wanted)?.ask(|reply| Request::Pause { until: Until::Unpaused, reply }).await
    }

    /// For something that the engine does meanwhile, and unpauses it after. If the engine is killed before, the next
    /// one unpauses it.
    pub async fn hold(&self, wanted: &str) -> Result<()> {
        self.find(wanted)?.ask(|reply| Request::Pause { until: Until::Released, reply }).await
    }

    pub async fn unpause(&self, wanted: &str) -> Result<()> {
        self.find(wanted)?.ask(|reply| Request::Unpause { reply }).await
    }
}

/// Who ends a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Unpaused,
    Released,
}

impl Actor {
    pub async fn pause(&mut self, until: Until) -> Result<()> {
        may(Action::Pause, self.record.subject())?;
        self.record.state.held = until == Until::Released;
        if self.record.state.held {
            // Before it is frozen: nobody would know why.
            self.save().await?;
        }
        if let Err(cause) = self.with_cgroup(Cgroup::freeze).await {
            self.record.state.held = false;
            let what = format!("Cannot pause container {}", self.record.id);
            return Err(Error::system(what).because(cause));
        }
        self.record.state.status = Status::Paused;
        self.end_checks().await;
        self.tell("pause", []);
        self.save_or_warn().await;
        Ok(())
    }

    pub async fn unpause(&mut self) -> Result<()> {
        may(Action::Unpause, self.record.subject())?;
        self.thaw().await?;
        self.resume_checks();
        self.tell("unpause", []);
        self.save_or_warn().await;
        Ok(())
    }

    pub async fn thaw(&mut self) -> Result<()> {
        self.with_cgroup(Cgroup::thaw).await.map_err(|cause| {
            Error::system(format!("Cannot unpause container {}", self.record.id)).because(cause)
        })?;
        self.record.state.status = Status::Running;
        self.record.state.held = false;
        Ok(())
    }

    /// An engine was killed that held it for something that is not going to be done any more.
    pub async fn release(&mut self) {
        if !std::mem::take(&mut self.record.state.held) {
            return;
        }
        if self.status() == Status::Paused
            && let Err(error) = self.thaw().await
        {
            tracing::warn!(container = self.record.id, "{error}");
        }
        self.save_or_warn().await;
    }

    /// Opens the container's cgroup and works on it, on a thread that may block.
    pub async fn with_cgroup<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cgroup) -> runtime::cgroup::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (driver, path) = (self.shared.cgroup_driver, self.record.state.cgroup.clone());
        let id = self.record.id.clone();
        blocking(move || {
            let cgroup = Cgroup::open(driver, &path, &id);
            let result = cgroup.and_then(|cgroup| work(&cgroup));
            result.map_err(|error| Error::system(error.to_string()))
        })
        .await
    }
}
