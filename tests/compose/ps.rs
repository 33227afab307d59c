use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL, ports: ['127.0.0.1::80']}\n  job: {image: busybox, command: sh -c 'exit 3'}\n";

#[test]
fn containers_are_listed_by_project() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    project.engine.gantry(&["wait", "app-job-1"]).ok();
    let table = project.compose(&["ps"]).ok();
    let head = table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(head, "NAME IMAGE COMMAND SERVICE CREATED STATUS PORTS");
    assert_eq!(table.lines().count(), 2, "{table}");
    let format = "{{.Name}} {{.Service}} {{.State}} {{.ExitCode}}";
    let all = project.compose(&["ps", "-a", "--format", format]).ok();
    assert_eq!(all, "app-job-1 job exited 3\napp-web-1 web running 0");
    assert_eq!(project.compose(&["ps", "--services"]).ok(), "web");
    assert_eq!(project.compose(&["ps", "-a", "--status", "exited", "--services"]).ok(), "job");
    assert_eq!(project.compose(&["ps", "nope"]).fails(1), "no such service: nope");
    project.down();
}

#[test]
fn projects_are_listed_with_their_files() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    project.engine.gantry(&["wait", "app-job-1"]).ok();
    let listed = project.engine.gantry(&["compose", "ls", "-a", "--format", "json"]).ok();
    let file = project.engine.scratch().join("app/compose.yaml").canonicalize().unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let expected = serde_json::json!([{"Name": "app", "Status": "exited(1), running(1)", "ConfigFiles": file}]);
    assert_eq!(listed, expected);
    assert_eq!(project.engine.gantry(&["compose", "ls", "-q"]).ok(), "app");
    project.down();
}

#[test]
fn a_published_port_is_found() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d", "web"]).ok();
    let port = project.compose(&["port", "web", "80"]).ok();
    assert!(port.starts_with("127.0.0.1:") && !port.ends_with(":80"), "{port}");
    project.compose(&["port", "web", "81"]).fails(1);
    project.down();
}
