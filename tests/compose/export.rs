use super::project::Project;

const ONE: &str = "services:\n  web: {image: busybox, command: sh -c 'echo text >/kept'}\n";

#[test]
fn a_services_files_are_written_as_a_tar() {
    let project = Project::of(ONE);
    project.compose(&["up"]).ok();
    project.compose(&["export", "-o", "root.tar", "web"]).ok();
    let tar = project.engine.scratch().join("app/root.tar");
    let listed = std::process::Command::new("tar").arg("-xOf").arg(tar).arg("kept").output();
    assert_eq!(String::from_utf8(listed.unwrap().stdout).unwrap(), "text\n");
    let failed = project.compose(&["export", "--index", "2", "-o", "x", "web"]).fails(1);
    assert_eq!(failed, "no container found for service \"web\"");
    project.down();
}
