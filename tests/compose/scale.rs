use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL, depends_on: [db]}\n  db: {image: busybox, command: sleep 1000, stop_signal: KILL}\n";

#[test]
fn containers_are_added_and_taken_away() {
    let project = Project::of(TWO);
    let names = || project.compose(&["ps", "-a", "--format", "{{.Name}}"]).ok().replace('\n', " ");
    project.compose(&["scale", "--no-deps", "web=2"]).ok();
    assert_eq!(names(), "app-web-1 app-web-2");
    project.compose(&["scale", "web=1"]).ok();
    assert_eq!(names(), "app-db-1 app-web-1");
    let id = project.inspect("app-web-1", "{{.Id}}");
    project.compose(&["scale", "web=3", "db=0"]).ok();
    assert_eq!(names(), "app-web-1 app-web-2 app-web-3");
    assert_eq!(project.inspect("app-web-1", "{{.Id}}"), id);
    assert_eq!(project.compose(&["scale", "web"]).fails(1), "invalid scale specifier: web");
    assert_eq!(project.compose(&["scale", "web=-1"]).fails(1), "invalid scale specifier: web=-1");
    assert_eq!(project.compose(&["scale", "nope=1"]).fails(1), "no such service: nope");
    project.down();
}
