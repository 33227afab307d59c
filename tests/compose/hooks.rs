//! What services have run in their containers after a start and before a stop.

use super::project::Project;

const ONE: &str = "services:
  web:
    image: busybox
    command: [sh, -c, 'trap exit TERM; while :; do sleep 0.1; done']
    volumes: ['data:/data']
    environment: {WHO: container}
    post_start:
      - {command: [sh, -c, 'echo started $$WHO $$MORE $$(id -u) $$(pwd) >>/data/log'], user: '7', working_dir: /data, environment: {MORE: more}}
    pre_stop:
      - {command: [sh, -c, 'echo stopping >>/data/log']}
  log: {image: busybox, command: sleep 1000, stop_signal: KILL, volumes: ['data:/data']}
volumes: {data: {driver_opts: {type: tmpfs, device: tmpfs, o: 'mode=777'}}}
";

fn log(project: &Project) -> String {
    project.compose(&["exec", "-T", "log", "cat", "/data/log"]).ok().replace('\n', ", ")
}

#[test]
fn they_run_with_each_start_and_stop() {
    let project = Project::of(ONE);
    project.compose(&["up", "-d", "--wait"]).ok();
    let mut expected = "started container more 7 /data".to_owned();
    assert_eq!(log(&project), expected);
    project.compose(&["restart", "web"]).ok();
    expected += ", stopping, started container more 7 /data";
    assert_eq!(log(&project), expected);
    project.compose(&["stop", "web"]).ok();
    project.compose(&["start", "web"]).ok();
    expected += ", stopping, started container more 7 /data";
    assert_eq!(log(&project), expected);
    project.compose(&["up", "-d", "--force-recreate", "web"]).ok();
    expected += ", stopping, started container more 7 /data";
    assert_eq!(log(&project), expected);
    project.compose(&["down", "web"]).ok();
    assert_eq!(log(&project), expected + ", stopping");
    project.down();
}

#[test]
fn one_that_fails_is_named_and_nothing_that_needs_the_service_starts() {
    let text = "services:
  web: {image: busybox, command: sleep 1000, stop_signal: KILL, depends_on: [db]}
  db: {image: busybox, command: sleep 1000, stop_signal: KILL, post_start: [{command: [sh, -c, 'echo no >&2; exit 3']}], pre_stop: [{command: 'false'}]}
";
    let project = Project::of(text);
    let failed = project.compose(&["up", "-d"]).fails(1);
    assert!(failed.ends_with("db post_start hook exited with status 3: no"), "{failed}");
    assert_eq!(project.inspect("app-db-1", "{{.State.Status}}"), "running");
    assert_eq!(project.inspect("app-web-1", "{{.State.Status}}"), "created");
    let failed = project.compose(&["down"]).fails(1);
    assert!(failed.ends_with("db pre_stop hook exited with status 1"), "{failed}");
    assert_eq!(project.engine.gantry(&["ps", "-aq"]).ok(), "");
}
