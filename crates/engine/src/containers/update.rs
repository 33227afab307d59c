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
        let warnings = validate::validate_changes(&resources, &self.0.host)?;
        let policy = (!restart_policy.name.is_empty()).then_some(restart_policy);
        if let Some(policy) = &policy {
            Policy::parse(policy)?;
        }
        let handle = self.find(wanted)?;
        let restarts = policy.as_ref().is_some_and(|policy| policy.name != "no");
        let record = handle.record();
        if restarts && record.host_config.auto_remove {
            let why =
                "Restart policy cannot be updated because AutoRemove is enabled for the container";
            return Err(Error::conflict(format!("{}: {why}", cannot_update(&record.id))));
        }
        let resources = Box::new(self.possible(resources));
        handle.ask(|reply| Request::Update { resources, policy, ports, reply }).await?;
        Ok(warnings)
    }

    /// Without what the kernel does not have, which was warned of.
    fn possible(&self, mut resources: Resources) -> Resources {
        if !self.0.host.blkio_weight {
            resources.blkio_weight = 0;
        }
        resources.pids_limit = resources.pids_limit.map(|limit| limit.max(0));
        resources
    }
}

fn cannot_update(id: &str) -> String {
    format!("Cannot update container {id}")
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
        merge(&mut changed, wish)
            .map_err(|why| Error::conflict(format!("{}: {why}", cannot_update(&self.record.id))))?;
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
        self.with_cgroup(move |cgroup| cgroup.update(&resources))
            .await
            .map_err(|cause| Error::system(cannot_update(&self.record.id)).because(cause))
    }
}

/// What the request names replaces what was; or why it cannot, in Docker's words.
fn merge(own: &mut Resources, wish: &Resources) -> Result<(), &'static str> {
    conflict(own, wish)?;
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
    spec::resources::fill_swap(own);
    Ok(())
}

/// A quota by CPUs and one by numbers exclude each other, and memory never silently exceeds memory and swap.
fn conflict(own: &Resources, wish: &Resources) -> Result<(), &'static str> {
    let conflicts = [
        (
            wish.nano_cpus > 0 && own.cpu_period > 0,
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        (
            wish.nano_cpus > 0 && own.cpu_quota > 0,
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
        ),
        (
            wish.cpu_period > 0 && own.nano_cpus > 0,
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
        ),
        (
            wish.cpu_quota > 0 && own.nano_cpus > 0,
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
        (
            own.memory_swap > 0 && wish.memory_swap == 0 && wish.memory > own.memory_swap,
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ),
    ];
    conflicts.into_iter().find(|(is_so, _)| *is_so).map_or(Ok(()), |(_, why)| Err(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(mut own: Resources, wish: Resources) -> Result<Resources, &'static str> {
        merge(&mut own, &wish).map(|()| own)
    }

    #[test]
    fn what_is_not_named_stays() {
        let own = Resources { cpu_quota: 5, pids_limit: Some(3), ..Resources::default() };
        let wish = Resources { cpu_period: 9, ..Resources::default() };
        let merged = merged(own, wish).unwrap();
        assert_eq!((merged.cpu_period, merged.cpu_quota, merged.pids_limit), (9, 5, Some(3)));
    }

    #[test]
    fn cpus_and_a_quota_exclude_each_other() {
        let quota = Resources { cpu_quota: 5, ..Resources::default() };
        let cpus = Resources { nano_cpus: 9, ..Resources::default() };
        let said = merged(quota.clone(), cpus.clone()).unwrap_err();
        assert!(said.contains("Nano CPUs cannot be updated as CPU Quota"), "{said}");
        let said = merged(cpus.clone(), quota).unwrap_err();
        assert!(said.contains("CPU Quota cannot be updated as NanoCPUs"), "{said}");
        let unlimited = Resources { cpu_quota: -1, ..Resources::default() };
        assert_eq!(merged(unlimited, cpus).map(|merged| merged.nano_cpus), Ok(9));
    }

    #[test]
    fn memory_stays_below_memory_and_swap() {
        let limits =
            |memory, memory_swap| Resources { memory, memory_swap, ..Resources::default() };
        let swap = |own, wish| merged(own, wish).map(|merged| (merged.memory, merged.memory_swap));
        assert!(swap(limits(64, 128), limits(200, 0)).unwrap_err().starts_with("Memory limit"));
        assert_eq!(swap(limits(64, 128), limits(200, 300)), Ok((200, 300)));
        assert_eq!(swap(limits(64, 128), limits(100, 0)), Ok((100, 128)));
        assert_eq!(swap(limits(64, 128), limits(0, 100)), Ok((64, 100)));
        assert_eq!(swap(limits(64, -1), limits(200, 0)), Ok((200, -1)));
        assert_eq!(swap(limits(0, 0), limits(200, 0)), Ok((200, 400)));
    }
}
