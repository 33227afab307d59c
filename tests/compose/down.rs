use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL, volumes: ['data:/data'], depends_on: [db]}\n  db: {image: busybox, command: sleep 1000, stop_signal: KILL}\nvolumes: {data: }\n";

#[test]
fn everything_goes_but_volumes_which_go_when_they_are_to() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    project.compose(&["exec", "-T", "web", "touch", "/data/kept"]).ok();
    let output = project.compose(&["down"]);
    let at = |line: &str| {
        output
            .stderr
            .lines()
            .position(|it| it.trim() == line)
            .unwrap_or_else(|| panic!("{line}: {output:?}"))
    };
    assert!(at("Container app-web-1  Removed") < at("Container app-db-1  Stopping"));
    assert!(at("Container app-db-1  Removed") < at("Network app_default  Removing"));
    assert_eq!(output.code, 0);
    project.compose(&["up", "-d"]).ok();
    project.compose(&["exec", "-T", "web", "test", "-e", "/data/kept"]).ok();
    project.compose(&["down", "-v"]).ok();
    let left =
        |noun: &str| project.engine.gantry(&[noun, "ls", "-q", "--filter", "name=app_"]).ok();
    assert_eq!((left("volume"), left("network")), (String::new(), String::new()));
}

#[test]
fn a_project_can_be_ended_without_its_files() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    std::fs::remove_file(project.engine.scratch().join("app/compose.yaml")).unwrap();
    let failed = project.compose(&["down"]).fails(14);
    assert_eq!(failed, "no configuration file provided: not found");
    project.compose(&["-p", "app", "down", "-v"]).ok();
    assert_eq!(project.engine.gantry(&["ps", "-aq"]).ok(), "");
}

#[test]
fn nothing_to_end_is_said() {
    let project = Project::of(TWO);
    let output = project.compose(&["down"]);
    assert_eq!(output.stderr, "Warning: No resource found to remove for project \"app\".\n");
    assert_eq!(output.code, 0);
}

#[test]
fn a_network_that_others_use_stays() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    project
        .engine
        .gantry(&[
            "run",
            "-d",
            "--name",
            "guest",
            "--network",
            "app_default",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    let output = project.compose(&["down", "-v"]);
    assert!(output.stderr.contains("Network app_default  Resource is still in use"), "{output:?}");
    assert_eq!(output.code, 0);
    project.engine.gantry(&["rm", "-f", "guest"]).ok();
    project.down();
}
