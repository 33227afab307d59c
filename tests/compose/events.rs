use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, stop_signal: KILL}\n  db: {image: busybox, command: sleep 1000, stop_signal: KILL}\n";

#[test]
fn what_happens_to_services_is_told_in_lines_or_in_json() {
    let project = Project::of(TWO);
    project.compose(&["up", "-d"]).ok();
    project.compose(&["kill", "db"]).ok();
    project.engine.gantry(&["wait", "app-db-1"]).ok();
    project.compose(&["run", "--rm", "-T", "--no-deps", "db", "true"]).ok();
    let told = |args: &[&str]| {
        let mut words = vec!["events", "--since", "0", "--until", "0s"];
        words.extend(args);
        project.compose(&words).ok()
    };
    let json = told(&["--json", "db"]);
    let events: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<&str> = events.iter().filter_map(|it| it["action"].as_str()).collect();
    assert_eq!(actions[..2], ["create", "start"], "{json}");
    assert!(actions.contains(&"kill") && actions.contains(&"die"), "{json}");
    let last = events.last().unwrap();
    assert_eq!((&last["service"], &last["type"]), (&"db".into(), &"container".into()));
    assert_eq!(last["attributes"]["exitCode"], "137");
    assert!(!json.contains("com.docker.compose."), "{json}");
    let lines = told(&["web"]);
    let id = project.inspect("app-web-1", "{{.Id}}");
    let start = lines.lines().find(|line| line.contains(" container start ")).unwrap();
    assert!(start.ends_with(&format!("{id} (image=busybox, name=app-web-1)")), "{start}");
    assert!(!lines.contains("app-db-1") && !told(&["db"]).contains("-run-"));
    project.down();
}
