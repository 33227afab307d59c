use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, volumes: ['data:/data']}\n  db: {image: busybox, volumes: ['state:/state']}\nvolumes: {data: , state: }\n";

#[test]
fn a_projects_volumes_are_listed_and_those_of_its_services() {
    let project = Project::of(TWO);
    project.engine.gantry(&["volume", "create", "other"]).ok();
    project.compose(&["create"]).ok();
    let table = project.compose(&["volumes"]).ok();
    let lines: Vec<String> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["DRIVER VOLUME NAME", "local app_data", "local app_state"]);
    assert_eq!(project.compose(&["volumes", "-q", "db"]).ok(), "app_state");
    assert_eq!(project.compose(&["volumes", "--format", "{{.Name}}", "web"]).ok(), "app_data");
    project.compose(&["volumes", "nope"]).fails(1);
    project.down();
}
