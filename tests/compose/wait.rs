use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL}\n  job: {image: busybox, command: sh -c 'until test -e /go; do sleep 0.1; done; exit 3'}\n";

#[test]
fn ends_of_services_are_waited_for() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    let mut waiting = project.command(&["wait", "job"]);
    let waiting = waiting.stdout(std::process::Stdio::piped()).spawn().unwrap();
    project.compose(&["exec", "-T", "job", "touch", "/go"]).ok();
    let output = waiting.wait_with_output().unwrap();
    let id = project.inspect("app-job-1", "{{.Id}}");
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stdout).unwrap()),
        (Some(3), format!("container \"{id}\" exited with status code 3\n"))
    );
    let failed = project.compose(&["wait", "job"]).fails(1);
    assert_eq!(failed, "no containers for project \"app\"");
    project.down();
}

#[test]
fn the_first_end_can_end_the_project() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    let waiting = project.command(&["wait", "--down-project", "web", "job"]).spawn().unwrap();
    project.compose(&["exec", "-T", "job", "touch", "/go"]).ok();
    assert_eq!(waiting.wait_with_output().unwrap().status.code(), Some(3));
    assert_eq!(project.engine.gantry(&["ps", "-aq"]).ok(), "");
}
