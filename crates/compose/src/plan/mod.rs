//! What is to be done so that what is there becomes what a project says. Pure: two states in, steps out.
//!
//! A step waits for the steps that it names; all others may run beside it. Steps are in an order in which they could run
//! one after the other.

mod current;
mod privileges;
mod service;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Condition, Project, Service};

pub use current::{Container, Current};
pub use privileges::{asked, granted};

/// What to do with containers that are as the project wants them, and with those that are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recreate {
    #[default]
    WhereChanged,
    Always,
    Never,
}

#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Services that are asked for; none means all.
    pub services: Vec<String>,
    pub recreate: Recreate,
    /// Of services that are only needed by those that are asked for.
    pub recreate_dependencies: Recreate,
    pub remove_orphans: bool,
    /// New volumes without a name in place of those that containers have.
    pub renew_anonymous_volumes: bool,
    /// Without what the services depend on.
    pub without_dependencies: bool,
    /// Containers are made, not started.
    pub without_start: bool,
    /// Services of several containers go on while each is replaced by one that is there before.
    pub rolling: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    CreateNetwork {
        key: String,
    },
    CreateVolume {
        key: String,
    },
    /// Stops and removes a container that the project no longer wants.
    Remove {
        id: String,
        name: String,
        service: String,
    },
    Create {
        service: String,
        number: usize,
    },
    /// A new container takes the place, the name and the unnamed volumes of another.
    Recreate {
        service: String,
        number: usize,
        id: String,
        carried: BTreeMap<String, String>,
    },
    /// New containers take the places of several of a service, one after the other, each before the old one goes.
    Roll {
        service: String,
        replaced: Vec<Replaced>,
    },
    /// Until a service is as another one needs it.
    Await {
        service: String,
        condition: Condition,
        required: bool,
    },
    Start {
        service: String,
        number: usize,
    },
    /// Of a container that runs, and needs another that is a new one.
    Restart {
        service: String,
        number: usize,
    },
    /// Is as it should be, but for running perhaps.
    Leave {
        name: String,
        runs: bool,
    },
}

/// A container that another one is to take the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    pub number: usize,
    pub id: String,
    /// Its unnamed volumes, which go over.
    pub carried: BTreeMap<String, String>,
}

impl Action {
    /// Whether that container runs and goes on.
    fn leaves(&self, container: &str) -> bool {
        matches!(self, Self::Leave { name, runs: true } if name == container)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub action: Action,
    /// Why, for people.
    pub reason: &'static str,
    /// The steps before it, by their place in the plan.
    pub after: Vec<usize>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Containers of services that the project does not have, left alone.
    pub orphans: Vec<String>,
}

impl Plan {
    fn push(&mut self, action: Action, reason: &'static str, after: Vec<usize>) -> usize {
        self.steps.push(Step { action, reason, after });
        self.steps.len() - 1
    }
}

/// The way from what is there to what is wanted.
pub fn up(project: &Project, current: &Current, wishes: &Wishes) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let order = taking_part(project, wishes);
    let names: BTreeSet<&str> = order.iter().map(|service| service.name.as_str()).collect();
    let resources = resources(project, current, &order, &mut plan)?;
    orphans(project, current, wishes, &mut plan);
    let mut done = service::Done::default();
    for service in &order {
        let is_asked_for = wishes.services.is_empty() || wishes.services.contains(&service.name);
        let recreate = if is_asked_for { wishes.recreate } else { wishes.recreate_dependencies };
        service::converge(
            &mut plan,
            project,
            current,
            service,
            (wishes, recreate),
            &resources,
            &mut done,
        )?;
    }
    if !wishes.without_start {
        for service in &order {
            service::start(&mut plan, service, current, &names, &mut done);
        }
    }
    Ok(plan)
}

/// The services that are asked for and what they need, each before what needs it.
pub fn taking_part<'a>(project: &'a Project, wishes: &Wishes) -> Vec<&'a Service> {
    let mut order = project.in_order(&wishes.services);
    if wishes.without_dependencies && !wishes.services.is_empty() {
        order.retain(|service| wishes.services.contains(&service.name));
    }
    order
}

/// What a container of `run` needs: its service's networks and volumes, and the services that are asked for, as it depends
/// on them.
pub fn one_off(
    project: &Project,
    current: &Current,
    service: &Service,
    wishes: &Wishes,
) -> Result<Plan, String> {
    let mut plan = match wishes.services.is_empty() {
        true => Plan::default(),
        false => up(project, current, wishes)?,
    };
    let mut own = Plan::default();
    resources(project, current, &[service], &mut own)?;
    for step in own.steps {
        if !plan.steps.iter().any(|known| known.action == step.action) {
            plan.push(step.action, step.reason, vec![]);
        }
    }
    for (other, said) in service.depends_on.iter().filter(|(it, _)| wishes.services.contains(it)) {
        let is_start =
            |step: &Step| matches!(&step.action, Action::Start { service, .. } if service == other);
        let starts = (0..plan.steps.len()).filter(|at| is_start(&plan.steps[*at])).collect();
        let (condition, required) = (said.condition, said.required);
        let action = Action::Await { service: other.clone(), condition, required };
        plan.push(action, "the service depends on it", starts);
    }
    plan.orphans.clear();
    Ok(plan)
}

/// Networks and volumes that services need and that are not there. What is outside of the project must be.
fn resources(
    project: &Project,
    current: &Current,
    order: &[&Service],
    plan: &mut Plan,
) -> Result<Vec<usize>, String> {
    let mut steps = Vec::new();
    let used: BTreeSet<&String> =
        order.iter().flat_map(|service| service.networks.keys()).collect();
    for (key, network) in project.networks.iter().filter(|(key, _)| used.contains(key)) {
        if current.networks.contains(&network.name) {
            continue;
        }
        if network.external {
            return Err(format!(
                "network {} declared as external, but could not be found",
                network.name
            ));
        }
        steps.push(plan.push(
            Action::CreateNetwork { key: key.clone() },
            "it is not there",
            vec![],
        ));
    }
    let used = |key: &String| {
        order.iter().flat_map(|service| &service.volumes).any(|mount| mount.source == *key)
    };
    for (key, volume) in project.volumes.iter().filter(|(key, _)| used(key)) {
        if current.volumes.contains(&volume.name) {
            continue;
        }
        if volume.external {
            return Err(format!("external volume {:?} not found", volume.name));
        }
        steps.push(plan.push(Action::CreateVolume { key: key.clone() }, "it is not there", vec![]));
    }
    Ok(steps)
}

fn orphans(project: &Project, current: &Current, wishes: &Wishes, plan: &mut Plan) {
    let is_known = |service: &String| {
        project.services.contains_key(service) || project.disabled.contains(service)
    };
    for container in current.containers.iter().filter(|it| !it.one_off && !is_known(&it.service)) {
        if wishes.remove_orphans {
            plan.push(container.removal(), "its service is not in the project", vec![]);
        } else {
            plan.orphans.push(container.name.clone());
        }
    }
}

#[cfg(test)]
mod tests;
