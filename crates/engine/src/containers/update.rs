//! `update`: limits, the restart policy and published ports, of a container that may be running.

use api::containers::{Resources, RestartPolicy, UpdateRequest};

use super::Containers;
use super::actor::Actor;
use super::request::{PortChanges, Request};
use super::restart_policy::Policy;
use super::spec;
use super::state::{Action, is_up, may};
use super::{ports, validate};
use crate::error::{Error, Result};

impl Containers {
    /// Returns warnings.
    pub async fn update(&self, wanted: &str, request: UpdateRequest) -> Result<Vec<String>> {
        let UpdateRequest { resources, restart_policy, publish_add, publish_remove } = request;
        let ports = PortChanges {
            add: publish_add.unwrap_or_default(),
            remove: publish_remove.unwrap_or_default(),
        };
        ports::validate(&ports.add)?;
        ports::validate(&ports.remove)?;
        let warnings = validate::validate_resources(&resources, &self.0.host)?;
        let policy = (!restart_policy.name.is_empty()).then_some(restart_policy);
        if let Some(policy) = &policy {
            Policy::parse(policy)?;
        }
        let handle = self.find(wanted)?;
        let restarts = policy.as_ref().is_some_and(|policy| policy.name != "no");
        if restarts && handle.record().host_config.auto_remove {
            return Err(Error::invalid(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            ));
        }
        let resources = Box::new(resources);
        handle.ask(|reply| Request::Update { resources, policy, ports, reply }).await?;
        Ok(warnings)
    }
}

impl Actor {
    pub async fn update(
        &mut self,
        wish: &Resources,
        policy: Option<RestartPolicy>,
        ports: PortChanges,
    ) -> Result<()> {
        may(Action::Update, self.record.subject())?;
        let mut changed = self.record.host_config.resources.clone();
        merge(&mut changed, wish);
        validate::validate_resources(&changed, &self.shared.host)?;
        if !ports.is_empty() {
            self.change_ports(ports).await?;
        }
        if is_up(self.status()) && self.run.is_some() {
            self.apply(&changed).await?;
        }
        self.record.host_config.resources = changed;
        if let Some(policy) = policy {
            self.record.host_config.restart_policy = policy;
        }
        self.save().await?;
        self.tell("update", []);
        Ok(())
    }

    async fn apply(&self, changed: &Resources) -> Result<()> {
        let resources = spec::resources::resources(changed)?;
        self.with_cgroup(move |cgroup| cgroup.update(&resources)).await.map_err(|cause| {
            Error::system(format!("Cannot update container {}", self.record.id)).because(cause)
        })
    }
}

/// What the request names replaces what was.
fn merge(own: &mut Resources, wish: &Resources) {
    for (own, wish) in [
        (&mut own.cpu_shares, wish.cpu_shares),
        (&mut own.memory, wish.memory),
        (&mut own.memory_swap, wish.memory_swap),
        (&mut own.memory_reservation, wish.memory_reservation),
        (&mut own.nano_cpus, wish.nano_cpus),
        (&mut own.cpu_period, wish.cpu_period),
        (&mut own.cpu_quota, wish.cpu_quota),
        (&mut own.cpu_realtime_period, wish.cpu_realtime_period),
        (&mut own.cpu_realtime_runtime, wish.cpu_realtime_runtime),
    ] {
        if wish != 0 {
            *own = wish;
        }
    }
    for (own, wish) in
        [(&mut own.cpuset_cpus, &wish.cpuset_cpus), (&mut own.cpuset_mems, &wish.cpuset_mems)]
    {
        if !wish.is_empty() {
            own.clone_from(wish);
        }
    }
    if wish.blkio_weight != 0 {
        own.blkio_weight = wish.blkio_weight;
    }
    own.pids_limit = wish.pids_limit.or(own.pids_limit);
    // A quota by CPUs and one by numbers exclude each other.
    if wish.nano_cpus != 0 {
        (own.cpu_period, own.cpu_quota) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays() {
        let mut own =
            Resources { memory: 7, cpu_quota: 5, pids_limit: Some(3), ..Resources::default() };
        merge(&mut own, &Resources { nano_cpus: 9, ..Resources::default() });
        assert_eq!((own.memory, own.nano_cpus, own.cpu_quota, own.pids_limit), (7, 9, 0, Some(3)));
    }
}
