use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sh -c 'echo one; echo two >&2'}\n  longer: {image: busybox, command: echo three}\n";

#[test]
fn lines_have_their_containers_name_before_them() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    for name in ["app-web-1", "app-longer-1"] {
        project.engine.gantry(&["wait", name]).ok();
    }
    let output = project.compose(&["logs"]);
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["longer-1  | three", "web-1     | one"]);
    assert_eq!(output.stderr, "web-1     | two\n");
    let plain = project.compose(&["logs", "--no-log-prefix", "longer"]).ok();
    assert_eq!(plain, "three");
    assert_eq!(project.compose(&["logs", "-f", "--tail", "1", "web"]).stderr, "web-1  | two\n");
    assert_eq!(project.compose(&["logs", "nope"]).fails(1), "no such service: nope");
    project.down();
}
