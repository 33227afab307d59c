//! What stops, starts and ends containers that are there.

use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL, depends_on: [db]}\n  db: {image: busybox, command: sleep 1000, stop_signal: KILL}\n";

fn states(project: &Project) -> String {
    let all = project.compose(&["ps", "-a", "--format", "{{.Service}} {{.State}}"]).ok();
    all.lines().collect::<Vec<_>>().join(", ")
}

#[test]
fn services_stop_and_start_again() {
    let project = Project::of(TWO);
    project.compose(&["create"]).ok();
    assert_eq!(states(&project), "db created, web created");
    project.compose(&["start"]).ok();
    assert_eq!(states(&project), "db running, web running");
    let output = project.compose(&["stop", "web"]);
    assert_eq!(
        Project::said(&output),
        ["Container app-web-1  Stopped", "Container app-web-1  Stopping"]
    );
    assert_eq!(states(&project), "db running, web exited");
    project.compose(&["up", "-d"]).ok();
    assert_eq!(states(&project), "db running, web running");
    project.compose(&["stop", "nope"]).fails(1);
    project.down();
}

#[test]
fn pause_kill_restart_and_rm() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    project.compose(&["pause", "db"]).ok();
    assert_eq!(states(&project), "db paused, web running");
    project.compose(&["unpause"]).ok();
    project.compose(&["kill", "db"]).ok();
    project.engine.gantry(&["wait", "app-db-1"]).ok();
    assert_eq!(states(&project), "db exited, web running");
    let started = project.inspect("app-web-1", "{{.State.StartedAt}}");
    project.compose(&["restart", "web"]).ok();
    assert_ne!(project.inspect("app-web-1", "{{.State.StartedAt}}"), started);
    project.compose(&["rm", "-f"]).ok();
    assert_eq!(states(&project), "web running");
    project.compose(&["rm", "-sf"]).ok();
    assert_eq!(states(&project), "");
    assert_eq!(project.compose(&["rm", "-f"]).ok(), "No stopped containers");
    assert_eq!(
        project.compose(&["exec", "-T", "web", "true"]).fails(1),
        "service \"web\" is not running"
    );
    project.down();
}

#[test]
fn a_restart_takes_those_along_that_ask_for_it() {
    let project = Project::of(
        "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL, depends_on: {db: {condition: service_started, restart: true}}}\n  other: {image: busybox, command: sleep 1000, stop_signal: KILL, depends_on: [db]}\n  db: {image: busybox, command: sleep 1000, stop_signal: KILL}\n",
    );
    project.compose(&["up", "-d"]).ok();
    let started =
        || ["app-web-1", "app-other-1"].map(|it| project.inspect(it, "{{.State.StartedAt}}"));
    let before = started();
    project.compose(&["restart", "--no-deps", "db"]).ok();
    assert_eq!(started(), before);
    let output = project.compose(&["restart", "db"]);
    let at = |line: &str| output.stderr.lines().position(|it| it.trim() == line);
    assert!(
        at("Container app-db-1  Started") < at("Container app-web-1  Restarting"),
        "{output:?}"
    );
    let after = started();
    assert!(after[0] != before[0] && after[1] == before[1], "{before:?} {after:?}");
    project.compose(&["up", "-d", "--force-recreate", "db"]).ok();
    assert_eq!(started(), after, "it is not part of this");
    project.compose(&["up", "-d", "--force-recreate", "db", "--always-recreate-deps", "web"]).ok();
    project.down();
}
