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
        self.find(wanted)?.ask(|reply| Request::Pause { reply }).await
    }

    pub async fn unpause(&self, wanted: &str) -> Result<()> {
        self.find(wanted)?.ask(|reply| Request::Unpause { reply }).await
    }
}

impl Actor {
    pub async fn pause(&mut self) -> Result<()> {
        may(Action::Pause, self.record.subject())?;
        self.with_cgroup(Cgroup::freeze).await.map_err(|cause| {
            Error::system(format!("Cannot pause container {}", self.record.id)).because(cause)
        })?;
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
        Ok(())
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
