use super::project::Project;

const ONE: &str =
    "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL, scale: 2}\n";

#[test]
fn images_are_listed_by_container() {
    let project = Project::of(ONE);
    project.compose(&["create"]).ok();
    let table = project.compose(&["images"]).ok();
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0].join(" "), "CONTAINER REPOSITORY TAG IMAGE ID SIZE");
    assert_eq!(lines[1][..3], ["app-web-1", "busybox", "latest"]);
    assert_eq!(lines[2][..3], ["app-web-2", "busybox", "latest"]);
    let id = project.inspect("app-web-1", "{{.Image}}");
    let bare = id.trim_start_matches("sha256:");
    assert_eq!(project.compose(&["images", "-q"]).ok(), bare);
    let json = project.compose(&["images", "--format", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["ContainerName"], "app-web-2");
    assert_eq!(json[1]["ID"], id);
    project.compose(&["images", "--format", "xml"]).fails(1);
    project.down();
}
