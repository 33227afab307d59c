use super::project::Project;

const TWO: &str = "services:\n  web: {image: busybox, command: sleep 1000, environment: {A: '1'}, volumes: ['data:/data'], depends_on: [db], ports: ['127.0.0.1::80']}\n  db: {image: busybox, command: sleep 1000, stop_signal: KILL}\nvolumes: {data: }\n";

#[test]
fn a_command_runs_beside_what_its_service_depends_on() {
    let project = Project::of(TWO);
    let line = "echo $A$B; touch /data/x; ping -c1 -W2 db >/dev/null && echo found; exit 3";
    let output = project.compose(&["run", "--rm", "-T", "-e", "B=2", "web", "sh", "-c", line]);
    assert_eq!((output.code, output.stdout.as_str()), (3, "12\nfound\n"), "{output:?}");
    assert_eq!(project.compose(&["ps", "-a", "--format", "{{.Name}}"]).ok(), "app-db-1");
    let id = project.compose(&["run", "-d", "--no-deps", "--name", "job", "web", "true"]).ok();
    assert_eq!(
        project.inspect("job", "{{.Id}} {{len .HostConfig.PortBindings}}"),
        format!("{id} 0")
    );
    project.engine.gantry(&["wait", "job"]).ok();
    assert_eq!(project.compose(&["run", "nope", "true"]).fails(1), "no such service: nope");
    project.down();
    assert_eq!(project.engine.gantry(&["ps", "-aq"]).ok(), "");
}
