use super::project::Project;

const SLEEP: &str = "image: busybox, command: sleep 1000, stop_signal: KILL";

#[test]
fn what_would_change_is_told_with_its_reasons_and_new_privileges() {
    let project = Project::of(&format!(
        "services:\n  web: {{{SLEEP}, cap_add: [NET_ADMIN], depends_on: {{db: {{condition: service_started, restart: true}}}}}}\n  db: {{{SLEEP}, volumes: ['data:/data']}}\nvolumes: {{data: }}\n"
    ));
    let plan = |args: &[&str]| {
        let mut words = vec!["plan"];
        words.extend(args);
        project.compose(&words).ok()
    };
    assert_eq!(
        plan(&[]).lines().collect::<Vec<_>>(),
        [
            "Network app_default: create (it is not there)",
            "Volume app_data: create (it is not there)",
            "Container app-db-1: create (there are fewer than wanted)",
            "Container app-web-1: create (there are fewer than wanted)",
            "Container app-db-1: start (it does not run)",
            "Container app-web-1: start (it does not run)",
            "New privilege of web: capability NET_ADMIN",
        ]
    );
    assert_eq!(project.engine.gantry(&["ps", "-aq"]).ok(), "");
    project.compose(&["up", "-d"]).ok();
    assert_eq!(plan(&[]), "Nothing changes");
    project.write("compose.yaml", &format!(
        "services:\n  web: {{{SLEEP}, cap_add: [NET_ADMIN], depends_on: {{db: {{condition: service_started, restart: true}}}}}}\n  db: {{{SLEEP}, privileged: true, network_mode: host, volumes: ['/etc:/host:ro', '/tmp:/t']}}\n  new: {{image: 'nowhere/none', pid: host}}\n  built: {{build: .}}\n"
    ));
    assert_eq!(
        plan(&["web", "new", "built"]).lines().collect::<Vec<_>>(),
        [
            "Image nowhere/none: pull (it is not there)",
            "Image app-built: build (it is not there)",
            "Container app-db-1: recreate (its configuration has changed)",
            "Container app-new-1: create (there are fewer than wanted)",
            "Container app-built-1: create (there are fewer than wanted)",
            "Container app-db-1: start (it does not run)",
            "Container app-web-1: restart (what it depends on is a new one)",
            "Container app-new-1: start (it does not run)",
            "Container app-built-1: start (it does not run)",
            "New privilege of db: host path /etc, read-only",
            "New privilege of db: host path /tmp, writable",
            "New privilege of db: privileged",
            "New privilege of db: the host's network",
            "New privilege of new: the host's processes",
        ]
    );
    let more = plan(&["--scale", "web=2", "--no-deps", "web"]);
    assert!(more.contains("Container app-web-2: create") && !more.contains("db"), "{more}");
    assert_eq!(project.compose(&["ps", "-q"]).ok().lines().count(), 2);
    project.down();
}
