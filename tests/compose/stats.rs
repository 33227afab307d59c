use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL}\n  db: {image: busybox, command: sleep 1000, stop_signal: KILL}\n";

#[test]
fn what_a_projects_containers_use_is_shown() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    project.engine.gantry(&["run", "-d", "--name", "other", "busybox", "sleep", "1000"]).ok();
    let names = |args: &[&str]| {
        let mut words = vec!["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}"];
        words.extend(args);
        let shown = project.compose(&words).ok();
        let mut lines: Vec<String> = shown.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(names(&[]), ["app-db-1 1", "app-web-1 1"]);
    assert_eq!(names(&["db"]), ["app-db-1 1"]);
    project.compose(&["stats", "--no-stream", "nope"]).fails(1);
    project.engine.gantry(&["rm", "-f", "other"]).ok();
    project.down();
}
