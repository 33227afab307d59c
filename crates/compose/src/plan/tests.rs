//! Read as what `up` does.

use std::path::PathBuf;

use super::*;
use crate::{Options, load};

fn project(text: &str) -> Project {
    let mut options = Options::new(PathBuf::from("/"), BTreeMap::new());
    options.files = vec!["-".to_owned()];
    options.stdin = Some(text.to_owned());
    options.project_name = Some("p".to_owned());
    load(&options).expect("the text is a project").project().expect("and has a model")
}

/// Everything of a project, running as it should.
fn running(project: &Project) -> Current {
    let mut current = Current {
        networks: project.networks.values().map(|network| network.name.clone()).collect(),
        volumes: project.volumes.values().map(|volume| volume.name.clone()).collect(),
        ..Current::default()
    };
    for service in project.services.values() {
        current.images.insert(service.image.clone(), "sha256:1".to_owned());
        for number in 1..=service.replicas() {
            current.containers.push(Container {
                id: format!("id-{}-{number}", service.name),
                name: crate::create::name(project, service, number),
                service: service.name.clone(),
                number,
                hash: service.hash.clone(),
                image: "sha256:1".to_owned(),
                state: "running".to_owned(),
                networks: service
                    .networks
                    .keys()
                    .map(|key| project.networks[key].name.clone())
                    .collect(),
                ..Container::default()
            });
        }
    }
    current
}

fn shown(plan: &Plan) -> Vec<String> {
    let line = |step: &Step| {
        let what = match &step.action {
            Action::CreateNetwork { key } => format!("network {key}"),
            Action::CreateVolume { key } => format!("volume {key}"),
            Action::Remove { name, .. } => format!("remove {name}"),
            Action::Create { service, number } => format!("create {service} {number}"),
            Action::Recreate { service, number, .. } => format!("recreate {service} {number}"),
            Action::Roll { service, replaced } => {
                let numbers: Vec<String> =
                    replaced.iter().map(|it| it.number.to_string()).collect();
                format!("roll {service} {}", numbers.join("+"))
            }
            Action::Await { service, condition, .. } => {
                format!("await {service} {}", condition.name())
            }
            Action::Start { service, number } => format!("start {service} {number}"),
            Action::Restart { service, number } => format!("restart {service} {number}"),
            Action::Leave { name, .. } => format!("leave {name}"),
        };
        let after: Vec<String> = step.after.iter().map(usize::to_string).collect();
        if after.is_empty() { what } else { format!("{what} after {}", after.join(",")) }
    };
    plan.steps.iter().map(line).collect()
}

fn planned(project: &Project, current: &Current, wishes: &Wishes) -> Vec<String> {
    shown(&up(project, current, wishes).expect("there is a way"))
}

const TWO: &str = "services:\n  web: {image: w, depends_on: {db: {condition: service_healthy}}}\n  db: {image: d, volumes: ['data:/data']}\nvolumes: {data: }\n";

#[test]
fn from_nothing_networks_and_volumes_come_first_and_dependencies_before_what_needs_them() {
    assert_eq!(
        planned(&project(TWO), &Current::default(), &Wishes::default()),
        [
            "network default",
            "volume data",
            "create db 1 after 0,1",
            "create web 1 after 0,1,2",
            "start db 1 after 2",
            "await db service_healthy after 2,4",
            "start web 1 after 3,5",
        ]
    );
}

#[test]
fn what_runs_as_it_should_is_left_alone() {
    let project = project(TWO);
    let plan = planned(&project, &running(&project), &Wishes::default());
    assert_eq!(plan, ["leave p-db-1", "leave p-web-1"]);
}

#[test]
fn another_configuration_image_or_network_makes_a_new_container() {
    let project = project(TWO);
    let reasons = |change: &dyn Fn(&mut Current)| {
        let mut current = running(&project);
        change(&mut current);
        let plan = up(&project, &current, &Wishes::default()).expect("there is a way");
        let recreated = plan.steps.iter().filter(|it| matches!(it.action, Action::Recreate { .. }));
        recreated.map(|step| step.reason).collect::<Vec<_>>()
    };
    let hash = reasons(&|current| current.containers[0].hash = "other".to_owned());
    assert_eq!(hash, ["its configuration has changed"]);
    let image = reasons(&|current| {
        current.images.insert("w".to_owned(), "sha256:2".to_owned());
    });
    assert_eq!(image, ["its image has changed"]);
    let network = reasons(&|current| current.containers[1].networks.clear());
    assert_eq!(network, ["it is not on a network that it should be on"]);
}

#[test]
fn a_service_of_several_is_rolled_where_that_is_wanted() {
    let project =
        project("services:\n  web: {image: w, scale: 2, depends_on: [db]}\n  db: {image: d}\n");
    let mut current = running(&project);
    current.containers.iter_mut().for_each(|it| it.hash = "other".to_owned());
    let wishes = Wishes { rolling: true, ..Wishes::default() };
    assert_eq!(
        planned(&project, &current, &wishes),
        [
            "recreate db 1",
            "start db 1 after 0",
            "await db service_started after 0,1",
            "roll web 1+2 after 0,2",
        ]
    );
}

#[test]
fn of_two_with_one_number_the_one_that_is_as_it_should_be_goes_on() {
    let project = project("services:\n  web: {image: w, scale: 2}\n");
    let mut current = running(&project);
    let mut old = current.containers[0].clone();
    (old.id, old.hash, old.created) = ("old".to_owned(), "other".to_owned(), -1);
    current.containers[0].name = "0123456789ab_p-web-1".to_owned();
    current.containers.push(old);
    assert_eq!(
        planned(&project, &current, &Wishes::default()),
        ["remove p-web-1", "recreate web 1 after 0", "leave p-web-2", "start web 1 after 1,2"]
    );
}

#[test]
fn a_service_that_asks_for_it_is_restarted_when_what_it_needs_is_a_new_one() {
    let text = "services:\n  web: {image: w, depends_on: {db: {condition: service_started, restart: true}}}\n  other: {image: o, depends_on: [db]}\n  db: {image: d}\n";
    let project = project(text);
    let mut current = running(&project);
    let db = current.containers.iter_mut().find(|it| it.service == "db").expect("it runs");
    db.hash = "other".to_owned();
    assert_eq!(
        planned(&project, &current, &Wishes::default()),
        [
            "recreate db 1",
            "leave p-other-1",
            "leave p-web-1",
            "start db 1 after 0",
            "await db service_started after 0,3",
            "restart web 1 after 2,4",
        ]
    );
}

#[test]
fn a_change_that_was_broken_off_is_finished() {
    let project = project("services: {a: {image: a}}");
    let mut current = running(&project);
    current.containers[0].name = "0123456789ab_p-a-1".to_owned();
    assert_eq!(planned(&project, &current, &Wishes::default())[0], "recreate a 1");
    // Both are there still: the older one stays.
    let mut both = running(&project);
    both.containers.push(Container { created: 1, ..current.containers[0].clone() });
    assert_eq!(
        planned(&project, &both, &Wishes::default()),
        ["remove 0123456789ab_p-a-1", "leave p-a-1"]
    );
}

#[test]
fn a_stopped_container_is_started_and_not_made_anew() {
    let project = project(TWO);
    let mut current = running(&project);
    current.containers[1].state = "exited".to_owned();
    assert_eq!(
        planned(&project, &current, &Wishes::default()),
        [
            "leave p-db-1",
            "leave p-web-1",
            "await db service_healthy after 0",
            "start web 1 after 1,2"
        ]
    );
}

#[test]
fn recreation_can_be_forbidden_and_asked_for() {
    let project = project("services: {a: {image: a}}");
    let mut current = running(&project);
    let wish = |recreate| Wishes { recreate, ..Wishes::default() };
    assert_eq!(planned(&project, &current, &wish(Recreate::Always))[0], "recreate a 1");
    current.containers[0].hash = "other".to_owned();
    assert_eq!(planned(&project, &current, &wish(Recreate::Never)), ["leave p-a-1"]);
}

#[test]
fn scaling_fills_gaps_and_takes_the_highest_numbers_away() {
    let two = project("services: {a: {image: a, scale: 2}}");
    let three = project("services: {a: {image: a, scale: 3}}");
    let mut current = running(&three);
    assert_eq!(
        planned(&two, &current, &Wishes::default()),
        ["remove p-a-3", "leave p-a-1", "leave p-a-2"]
    );
    current.containers.remove(0);
    assert_eq!(
        planned(&three, &current, &Wishes::default()),
        ["leave p-a-2", "leave p-a-3", "create a 1", "start a 1 after 0,1,2"]
    );
}

#[test]
fn orphans_are_named_and_removed_only_when_asked_but_services_of_other_profiles_are_none() {
    let one = project("services: {a: {image: a}, b: {image: b, profiles: [x]}}");
    let both = project("services: {a: {image: a}, b: {image: b}, c: {image: c}}");
    let current = running(&both);
    let plan = up(&one, &current, &Wishes::default()).expect("there is a way");
    assert_eq!(plan.orphans, ["p-c-1"]);
    let wishes = Wishes { remove_orphans: true, ..Wishes::default() };
    assert_eq!(planned(&one, &current, &wishes), ["remove p-c-1", "leave p-a-1"]);
}

#[test]
fn volumes_without_a_name_go_over_to_the_new_container() {
    let project =
        project("services: {a: {image: a, volumes: [/anon, 'named:/named']}}\nvolumes: {named: }");
    let mut current = running(&project);
    let anonymous = "0123456789abcdef".repeat(4);
    current.containers[0].hash = "other".to_owned();
    current.containers[0].volumes = [
        ("/anon", anonymous.as_str()),
        ("/image", &anonymous),
        ("/named", "p_named"),
        ("/gone", "p_gone"),
    ]
    .map(|(target, name)| (target.to_owned(), name.to_owned()))
    .into();
    let carried = |wishes: &Wishes| {
        let plan = up(&project, &current, wishes).expect("there is a way");
        plan.steps.into_iter().find_map(|step| match step.action {
            Action::Recreate { carried, .. } => Some(carried.into_keys().collect::<Vec<_>>()),
            _ => None,
        })
    };
    assert_eq!(carried(&Wishes::default()), Some(vec!["/anon".to_owned(), "/image".to_owned()]));
    let renewed = Wishes { renew_anonymous_volumes: true, ..Wishes::default() };
    assert_eq!(carried(&renewed), Some(vec![]));
}

#[test]
fn who_shares_a_namespace_with_a_new_container_is_new_as_well() {
    let project = project("services: {a: {image: a}, b: {image: b, network_mode: 'service:a'}}");
    let mut current = running(&project);
    current.containers[0].hash = "other".to_owned();
    let plan = planned(&project, &current, &Wishes::default());
    assert_eq!(plan[..2], ["recreate a 1", "recreate b 1 after 0"]);
}

#[test]
fn what_is_external_must_be_there() {
    let network =
        project("services: {a: {image: a, networks: [n]}}\nnetworks: {n: {external: true}}");
    assert_eq!(
        up(&network, &Current::default(), &Wishes::default()),
        Err("network n declared as external, but could not be found".to_owned())
    );
    let volume =
        project("services: {a: {image: a, volumes: ['vol:/v']}}\nvolumes: {vol: {external: true}}");
    assert_eq!(
        up(&volume, &Current::default(), &Wishes::default()),
        Err("external volume \"vol\" not found".to_owned())
    );
}

#[test]
fn what_this_version_does_not_do_is_refused_by_name() {
    let socket = project("services: {a: {image: a, use_api_socket: true}}");
    assert_eq!(
        up(&socket, &Current::default(), &Wishes::default()),
        Err("service a: use_api_socket is not in this version".to_owned())
    );
    // Whoever asks builds it first.
    let built = project("services: {a: {build: .}}");
    let refused = up(&built, &Current::default(), &Wishes::default()).expect_err("it is refused");
    assert!(refused.starts_with("No such image: ") && refused.ends_with("-a"), "{refused}");
}

#[test]
fn a_one_off_container_needs_what_its_service_depends_on_and_no_container_of_the_service() {
    let project = project(TWO);
    let wishes = Wishes { services: vec!["db".to_owned()], ..Wishes::default() };
    let plan = one_off(&project, &Current::default(), &project.services["web"], &wishes);
    assert_eq!(
        shown(&plan.expect("there is a way")),
        [
            "network default",
            "volume data",
            "create db 1 after 0,1",
            "start db 1 after 2",
            "await db service_healthy after 3",
        ]
    );
}

#[test]
fn only_what_is_asked_for_and_what_it_needs_takes_part() {
    let project =
        project("services: {a: {image: a, depends_on: [b]}, b: {image: b}, c: {image: c}}");
    let wishes = Wishes { services: vec!["a".to_owned()], ..Wishes::default() };
    let plan = planned(&project, &Current::default(), &wishes);
    assert!(plan.iter().any(|step| step.starts_with("create b")), "{plan:?}");
    assert!(!plan.iter().any(|step| step.contains("create c")), "{plan:?}");
    let alone = Wishes { without_dependencies: true, ..wishes };
    let plan = planned(&project, &Current::default(), &alone);
    assert_eq!(plan, ["network default", "create a 1 after 0", "start a 1 after 1"]);
}
