//! The containers of one service: how many, which are as they should be, and in what order they start.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Container, Current, Plan, Recreate, Replaced, Wishes};
use crate::create;
use crate::model::{Dependency, Project, Service};

/// Containers that others are to take the places of while their service goes on.
#[derive(Default)]
struct Rolled {
    /// And why.
    containers: Vec<(&'static str, Replaced)>,
    /// The steps before that.
    before: Vec<usize>,
}

/// What earlier services of the plan have come to.
#[derive(Default)]
pub(super) struct Done {
    /// The steps after which all containers of a service are there.
    made: BTreeMap<String, Vec<usize>>,
    /// The steps after which they run.
    started: BTreeMap<String, Vec<usize>>,
    /// Services of which a container is a new one.
    renewed: BTreeSet<String>,
    /// Those of them that had a container before.
    replaced: BTreeSet<String>,
    to_roll: BTreeMap<String, Rolled>,
    /// Containers that are to be started, or run already.
    to_start: BTreeMap<String, Vec<usize>>,
}

pub(super) fn converge(
    plan: &mut Plan,
    project: &Project,
    current: &Current,
    service: &Service,
    (wishes, recreate): (&Wishes, Recreate),
    resources: &[usize],
    done: &mut Done,
) -> Result<(), String> {
    check_attributes(service)?;
    let wanted = service.replicas();
    let (there, doubles) = one_of_each_number(service, current.of_service(&service.name));
    let (kept, surplus) = there.split_at(wanted.min(there.len()));
    for container in surplus {
        plan.push(container.removal(), "there are more than wanted", vec![]);
    }
    let mut before: Vec<usize> = resources.to_vec();
    for container in doubles {
        before.push(plan.push(container.removal(), "another has its number", vec![]));
    }
    for dependency in service.depends_on.keys() {
        before.extend(done.made.get(dependency).into_iter().flatten());
    }
    let (mut made, mut numbers, mut rolled) = (Vec::new(), Vec::new(), Vec::new());
    for container in kept {
        numbers.push(container.number);
        let why = reason(project, current, service, container, recreate, done);
        let Some(reason) = why else {
            let action =
                Action::Leave { name: container.name.clone(), runs: container.is_running() };
            made.push(plan.push(action, "it is as the project says", vec![]));
            continue;
        };
        done.renewed.insert(service.name.clone());
        done.replaced.insert(service.name.clone());
        let (number, id) = (container.number, container.id.clone());
        let carried = carried(service, container, wishes);
        if wishes.rolling && wanted > 1 && container.state == "running" {
            rolled.push((reason, Replaced { number, id, carried }));
            continue;
        }
        let action = Action::Recreate { service: service.name.clone(), number, id, carried };
        made.push(plan.push(action, reason, before.clone()));
    }
    for number in free_numbers(&numbers, wanted - kept.len()) {
        check_image(project, current, service)?;
        let action = Action::Create { service: service.name.clone(), number };
        numbers.push(number);
        done.renewed.insert(service.name.clone());
        made.push(plan.push(action, "there are fewer than wanted", before.clone()));
    }
    done.made.insert(service.name.clone(), made);
    numbers.retain(|number| !rolled.iter().any(|(_, it)| it.number == *number));
    done.to_start.insert(service.name.clone(), numbers);
    done.to_roll.insert(service.name.clone(), Rolled { containers: rolled, before });
    Ok(())
}

/// Of two with one number, which a replacement that was broken off leaves behind, the one that goes on: what runs as the
/// service says, else the older one. And the others.
fn one_of_each_number<'a>(
    service: &Service,
    there: Vec<&'a Container>,
) -> (Vec<&'a Container>, Vec<&'a Container>) {
    let is_new = |it: &Container| it.hash == service.hash && it.is_running();
    let (mut kept, mut doubles): (Vec<&Container>, Vec<&Container>) = Default::default();
    for container in there {
        match kept.last_mut().filter(|last| last.number == container.number) {
            None => kept.push(container),
            Some(last) if is_new(container) && !is_new(last) => {
                doubles.push(std::mem::replace(last, container));
            }
            Some(_) => doubles.push(container),
        }
    }
    (kept, doubles)
}

/// Why a container cannot stay.
fn reason(
    project: &Project,
    current: &Current,
    service: &Service,
    container: &Container,
    recreate: Recreate,
    done: &Done,
) -> Option<&'static str> {
    match recreate {
        Recreate::Never => return None,
        Recreate::Always => return Some("it was asked for"),
        Recreate::WhereChanged => {}
    }
    let name = create::name(project, service, container.number);
    if container.name.ends_with(&format!("_{name}")) {
        return Some("an earlier change was broken off before it had its name");
    }
    if container.hash != service.hash {
        return Some("its configuration has changed");
    }
    let image = current.images.get(&service.image_name(&project.name));
    if image.is_some_and(|image| *image != container.image) {
        return Some("its image has changed");
    }
    let networks = service.networks.keys().filter_map(|key| project.networks.get(key));
    if container.is_running()
        && networks.into_iter().any(|network| !container.networks.contains(&network.name))
    {
        return Some("it is not on a network that it should be on");
    }
    let shares = [&service.network_mode, &service.ipc, &service.pid];
    let mut neighbours = shares.into_iter().filter_map(|said| said.strip_prefix("service:"));
    if neighbours.any(|other| done.renewed.contains(other)) {
        return Some("it shares a namespace with a container that is a new one");
    }
    None
}

/// The volumes without a name that go over to the new container: those at places where the service wants one, and the
/// image's.
fn carried(service: &Service, container: &Container, wishes: &Wishes) -> BTreeMap<String, String> {
    if wishes.renew_anonymous_volumes {
        return BTreeMap::new();
    }
    let declared = |target: &str| {
        service.volumes.iter().find(|mount| mount.target.trim_end_matches('/') == target)
    };
    let stays = |(target, name): &(&String, &String)| match declared(target) {
        Some(mount) => mount.kind == "volume" && mount.source.is_empty(),
        None => is_anonymous(name),
    };
    let pairs = container.volumes.iter().filter(stays);
    pairs.map(|(target, name)| (target.clone(), name.clone())).collect()
}

/// Names that engines give: 64 hexadecimal digits.
fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn free_numbers(taken: &[usize], count: usize) -> Vec<usize> {
    (1..).filter(|number| !taken.contains(number)).take(count).collect()
}

/// What a service asks for and this version does not do is refused before anything is made.
fn check_attributes(service: &Service) -> Result<(), String> {
    let asked = [
        ("use_api_socket", service.use_api_socket),
        ("credential_spec", service.credential_spec.is_some()),
    ];
    match asked.iter().find(|(_, is_asked)| *is_asked) {
        Some((name, _)) => Err(format!("service {}: {name} is not in this version", service.name)),
        None => Ok(()),
    }
}

fn check_image(project: &Project, current: &Current, service: &Service) -> Result<(), String> {
    let image = service.image_name(&project.name);
    match service.build.is_some() && !current.images.contains_key(&image) {
        true => Err(format!("No such image: {image}")),
        false => Ok(()),
    }
}

/// Starts what does not run, once what it depends on is as it needs it, and restarts what asks for that when another is
/// replaced.
pub(super) fn start(
    plan: &mut Plan,
    service: &Service,
    current: &Current,
    taking_part: &BTreeSet<&str>,
    done: &mut Done,
) {
    let numbers = done.to_start.remove(&service.name).unwrap_or_default();
    let made = done.made.get(&service.name).cloned().unwrap_or_default();
    let is_left = |number: &usize| {
        let own = current.of_service(&service.name).into_iter().find(|it| it.number == *number);
        own.is_some_and(|it| made.iter().any(|step| plan.steps[*step].action.leaves(&it.name)))
    };
    let (left, to_start): (Vec<usize>, Vec<usize>) = numbers.into_iter().partition(is_left);
    let follows =
        |(other, said): (&String, &Dependency)| said.restart && done.replaced.contains(other);
    let to_restart = if service.depends_on.iter().any(follows) { left } else { Vec::new() };
    let rolled = done.to_roll.remove(&service.name).unwrap_or_default();
    let mut before = made.clone();
    if !to_start.is_empty() || !to_restart.is_empty() || !rolled.containers.is_empty() {
        before.extend(await_dependencies(plan, service, taking_part, done));
    }
    let mut started = made;
    for number in to_start {
        let action = Action::Start { service: service.name.clone(), number };
        started.push(plan.push(action, "it does not run", before.clone()));
    }
    for number in to_restart {
        let action = Action::Restart { service: service.name.clone(), number };
        started.push(plan.push(action, "what it depends on is a new one", before.clone()));
    }
    if let Some((reason, _)) = rolled.containers.first() {
        let (reason, service) = (*reason, service.name.clone());
        let replaced = rolled.containers.into_iter().map(|(_, replaced)| replaced).collect();
        // Those that are only started are there to help.
        let after: BTreeSet<usize> =
            rolled.before.into_iter().chain(before).chain(started.iter().copied()).collect();
        let after = after.into_iter().collect();
        started.push(plan.push(Action::Roll { service, replaced }, reason, after));
    }
    done.started.insert(service.name.clone(), started);
}

/// The steps after which what a service depends on is as it needs it.
fn await_dependencies(
    plan: &mut Plan,
    service: &Service,
    taking_part: &BTreeSet<&str>,
    done: &Done,
) -> Vec<usize> {
    let part = service.depends_on.iter().filter(|(other, _)| taking_part.contains(other.as_str()));
    let mut steps = Vec::new();
    for (other, dependency) in part {
        let after = done.started.get(other).cloned().unwrap_or_default();
        let action = Action::Await {
            service: other.clone(),
            condition: dependency.condition,
            required: dependency.required,
        };
        steps.push(plan.push(action, "another service depends on it", after));
    }
    steps
}
