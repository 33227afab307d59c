use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL}\n  job: {image: busybox, command: 'true'}\n";

#[test]
fn processes_are_shown_of_what_runs() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    project.engine.gantry(&["wait", "app-job-1"]).ok();
    let shown = project.compose(&["top"]).ok();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "app-web-1"), "{shown}");
    assert!(lines[1].starts_with("UID    PID") && lines[2].contains("sleep 1000"), "{shown}");
    assert_eq!(project.compose(&["top", "nope"]).fails(1), "no such service: nope");
    project.down();
}
