use testkit::registry::Registry;

use super::project::Project;

#[test]
fn what_services_build_is_pushed_under_each_of_its_names() {
    let Some(registry) = Registry::start("push what services build") else { return };
    let at = registry.address();
    let project = Project::of(&format!(
        "services:\n  web: {{image: '{at}/app/web', build: {{dockerfile_inline: 'FROM busybox', tags: ['{at}/app/other:1']}}}}\n  db: {{image: busybox}}\n  nameless: {{build: {{dockerfile_inline: 'FROM busybox'}}}}\n"
    ));
    project.compose(&["build"]).ok();
    let output = project.compose(&["push"]);
    assert_eq!(
        Project::said(&output),
        [
            "db  Skipped",
            "nameless  Skipped",
            "web  Pushed",
            "web  Pushed",
            "web  Pushing",
            "web  Pushing"
        ],
        "{output:?}"
    );
    output.ok();
    for name in [format!("{at}/app/web:latest"), format!("{at}/app/other:1")] {
        project.engine.gantry(&["rmi", &name]).ok();
        project.engine.gantry(&["pull", "-q", &name]).ok();
    }
    project.write("compose.yaml", "services:\n  web: {image: 'localhost:1/none', build: {dockerfile_inline: 'FROM busybox'}}\n");
    project.compose(&["build"]).ok();
    assert!(project.compose(&["push"]).fails(1).contains("localhost:1"));
    project.compose(&["push", "--ignore-push-failures", "-q"]).ok();
    assert_eq!(project.compose(&["push", "nope"]).fails(1), "no such service: nope");
}
