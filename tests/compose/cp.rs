use super::project::Project;

const ONE: &str =
    "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL, scale: 2}\n";

#[test]
fn files_go_into_all_containers_of_a_service_and_come_from_one() {
    let project = Project::of(ONE);
    project.write("here", "text");
    project.compose(&["up", "-d"]).ok();
    project.compose(&["cp", "here", "web:/tmp/there"]).ok();
    project.compose(&["cp", "--index", "2", "here", "web:/tmp/second"]).ok();
    let read = |index: &str, path: &str| {
        project.compose(&["exec", "-T", "--index", index, "web", "cat", path])
    };
    assert_eq!(read("1", "/tmp/there").ok() + &read("2", "/tmp/there").ok(), "texttext");
    assert_eq!(read("2", "/tmp/second").ok(), "text");
    read("1", "/tmp/second").fails(1);
    project.compose(&["cp", "web:/tmp/there", "back"]).ok();
    let back = project.engine.scratch().join("app/back");
    assert_eq!(std::fs::read_to_string(back).unwrap(), "text");
    project.compose(&["cp", "web:/tmp/second", "none"]).fails(1);
    let failed = project.compose(&["cp", "web:/a", "web:/b"]).fails(1);
    assert_eq!(failed, "copying between services is not supported");
    assert_eq!(project.compose(&["cp", "/a", "/b"]).fails(1), "unknown copy direction");
    let failed = project.compose(&["cp", "--index", "3", "web:/a", "b"]).fails(1);
    assert_eq!(failed, "no container found for service \"web\"");
    project.down();
}
