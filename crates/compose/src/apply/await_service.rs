//! Waiting for services: told by the engine's events, never by asking again and again.

use api::Filters;
use api::containers::{Inspect, Status};

use super::{Apply, Error, Result, observe};
use crate::model::Condition;
use crate::plan::Container;

/// How a container stands to a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    Yes,
    NotYet,
    /// It never will be.
    Never(String),
}

/// Whether a container is as another needs it.
pub fn reached(name: &str, container: &Inspect, condition: Condition) -> Reached {
    let state = &container.state;
    let exited = matches!(state.status, Status::Exited | Status::Dead);
    let gone = || Reached::Never(format!("container {name} exited ({})", state.exit_code));
    match (condition, &state.health) {
        (Condition::Completed, _) if exited && state.exit_code == 0 => Reached::Yes,
        (Condition::Completed, _) if exited => Reached::Never(format!(
            "container {name} didn't complete successfully: exit {}",
            state.exit_code
        )),
        (Condition::Completed, _) => Reached::NotYet,
        (_, _) if exited && !state.restarting => gone(),
        (Condition::Started, _) => {
            if state.running {
                Reached::Yes
            } else {
                Reached::NotYet
            }
        }
        (Condition::Healthy, None) => {
            Reached::Never(format!("container {name} has no healthcheck configured"))
        }
        (Condition::Healthy, Some(health)) => match health.status.as_str() {
            "healthy" => Reached::Yes,
            "unhealthy" => Reached::Never(format!("container {name} is unhealthy")),
            _ => Reached::NotYet,
        },
    }
}

impl Apply<'_> {
    pub(super) async fn await_service(
        &self,
        service: &str,
        condition: Condition,
        required: bool,
    ) -> Result {
        // Its start was a step before this one.
        if condition == Condition::Started {
            return Ok(());
        }
        for name in self.names(service).await? {
            match self.await_container(&name, condition).await {
                Err(Error::Failed(why)) if required => {
                    return Err(Error::Failed(format!("dependency failed to start: {why}")));
                }
                Err(Error::Failed(_)) => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// The containers that a service has now.
    pub async fn names(&self, service: &str) -> Result<Vec<String>> {
        let all = observe::containers(self.client, &self.project.name).await?;
        let all = all.iter().map(Container::of);
        let own = all.filter(|it| it.service == service && !it.one_off);
        Ok(own.map(|it| it.name).collect())
    }

    /// Until one container is as it should be.
    pub async fn await_container(&self, name: &str, condition: Condition) -> Result {
        let done = match condition {
            Condition::Completed => "Exited",
            Condition::Healthy => "Healthy",
            Condition::Started => "Started",
        };
        let subject = format!("Container {name}");
        self.reported(&subject, ("Waiting", done), self.until(name, condition)).await
    }

    pub(super) async fn until(&self, name: &str, condition: Condition) -> Result {
        let mut filters = Filters::default();
        filters.add("type", "container");
        filters.add("container", name);
        // The engine tells from now on, so that nothing happens between the first look and the wait.
        let mut events = self.client.system_events("", "", &filters).await?;
        loop {
            let container = self.client.container_inspect(name).await?;
            match reached(name, &container, condition) {
                Reached::Yes => return Ok(()),
                Reached::Never(why) => return Err(Error::Failed(why)),
                Reached::NotYet => {}
            }
            if events.next().await?.is_none() {
                return Err(Error::Failed(format!(
                    "the engine went away while {name} was waited for"
                )));
            }
        }
    }
}
