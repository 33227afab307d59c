use super::project::Project;

const SLEEP: &str = "command: [sh, -c, 'trap exit TERM; while :; do sleep 0.1; done']";

fn one(more: &str) -> String {
    format!("services:\n  web:\n    image: busybox\n    {SLEEP}\n{more}")
}

#[test]
fn a_whole_application_comes_up_and_is_as_it_says() {
    let project = Project::of(&format!(
        "services:\n  web:\n    image: busybox\n    {SLEEP}\n    depends_on: {{db: {{condition: service_healthy}}}}\n    environment: {{GREETING: hi}}\n    volumes: ['data:/data', './seed:/seed:ro', {{type: tmpfs, target: /t}}]\n    ports: ['127.0.0.1::80']\n    secrets: [token]\n    configs: [{{source: motd, target: /etc/motd}}]\n    mem_limit: 64m\n    labels: {{own: label}}\n    restart: unless-stopped\n  db:\n    image: busybox\n    {SLEEP}\n    healthcheck: {{test: 'true', interval: 100ms, retries: 3}}\n    networks: {{default: {{aliases: [database]}}}}\nvolumes: {{data: }}\nsecrets: {{token: {{file: ./token}}}}\nconfigs: {{motd: {{content: 'welcome'}}}}\n"
    ));
    project.write("token", "secret");
    let output = project.compose(&["up", "-d"]);
    let said = Project::said(&output);
    output.ok();
    for line in [
        "Network app_default  Created",
        "Volume \"app_data\"  Created",
        "Container app-db-1  Healthy",
        "Container app-web-1  Started",
    ] {
        assert!(said.iter().any(|it| it == line), "{line}: {said:?}");
    }
    let exec = |line: &str| project.compose(&["exec", "-T", "web", "sh", "-c", line]).ok();
    assert_eq!(exec("echo $GREETING; cat /run/secrets/token; cat /etc/motd"), "hi\nsecretwelcome");
    assert_eq!(exec("touch /seed/x 2>/dev/null || echo ro; touch /data/x && echo rw"), "ro\nrw");
    assert_eq!(
        exec("ping -c1 -W2 database >/dev/null && ping -c1 -W2 db >/dev/null && echo found"),
        "found"
    );
    assert_eq!(project.inspect("app-web-1", "{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}} {{index .Config.Labels \"own\"}}"), "67108864 unless-stopped label");
    assert_eq!(
        project.inspect("app-web-1", "{{index .Config.Labels \"com.docker.compose.project\"}} {{index .Config.Labels \"com.docker.compose.service\"}} {{index .Config.Labels \"com.docker.compose.container-number\"}} {{index .Config.Labels \"com.docker.compose.depends_on\"}}"),
        "app web 1 db:service_healthy:false"
    );
    project.down();
}

#[test]
fn what_is_unchanged_is_left_and_what_changed_is_made_anew_with_its_unnamed_volumes() {
    let project = Project::of(&one("    volumes: [/anon]\n"));
    project.compose(&["up", "-d"]).ok();
    let id = project.inspect("app-web-1", "{{.Id}}");
    project.compose(&["exec", "-T", "web", "touch", "/anon/kept"]).ok();
    let again = project.compose(&["up", "-d"]);
    assert_eq!(Project::said(&again), ["Container app-web-1  Running"]);
    assert_eq!(project.inspect("app-web-1", "{{.Id}}"), id);
    project.write("compose.yaml", &one("    volumes: [/anon]\n    environment: {A: 1}\n"));
    let changed = project.compose(&["up", "-d", "-t", "0"]);
    assert!(Project::said(&changed).contains(&"Container app-web-1  Recreated".to_owned()));
    assert_ne!(project.inspect("app-web-1", "{{.Id}}"), id);
    project.compose(&["exec", "-T", "web", "test", "-e", "/anon/kept"]).ok();
    project.compose(&["up", "-d", "-t", "0", "--force-recreate", "-V"]).ok();
    project.compose(&["exec", "-T", "web", "test", "-e", "/anon/kept"]).fails(1);
    project.down();
}

#[test]
fn scale_adds_and_takes_away() {
    let project = Project::of(&one(""));
    project.compose(&["up", "-d", "--scale", "web=3"]).ok();
    assert_eq!(project.compose(&["ps", "-q"]).ok().lines().count(), 3);
    project.compose(&["up", "-d", "-t", "0"]).ok();
    let names = project.compose(&["ps", "--format", "{{.Name}}"]).ok();
    assert_eq!(names, "app-web-1");
    project.compose(&["up", "-d", "--scale", "nope=1"]).fails(1);
    project.down();
}

#[test]
fn orphans_are_named_and_go_when_they_are_to() {
    let project = Project::of(&one(&format!("  old:\n    image: busybox\n    {SLEEP}\n")));
    project.compose(&["up", "-d"]).ok();
    project.write("compose.yaml", &one(""));
    let output = project.compose(&["up", "-d"]);
    assert!(output.stderr.contains("Found orphan containers ([app-old-1])"), "{output:?}");
    project.compose(&["up", "-d", "--remove-orphans"]).ok();
    assert_eq!(project.engine.gantry(&["ps", "-aq"]).ok().lines().count(), 1);
    project.down();
}

#[test]
fn a_check_that_fails_stops_what_waits_for_it_and_nothing_else() {
    let project = Project::of(&format!(
        "services:\n  web:\n    image: busybox\n    {SLEEP}\n    depends_on: {{db: {{condition: service_healthy}}}}\n  db:\n    image: busybox\n    {SLEEP}\n    healthcheck: {{test: 'false', interval: 50ms, retries: 2}}\n  other:\n    image: busybox\n    {SLEEP}\n"
    ));
    let failed = project.compose(&["up", "-d"]).fails(1);
    assert!(
        failed.ends_with("dependency failed to start: container app-db-1 is unhealthy"),
        "{failed}"
    );
    assert_eq!(project.inspect("app-other-1", "{{.State.Status}}"), "running");
    assert_eq!(project.inspect("app-web-1", "{{.State.Status}}"), "created");
    project.down();
}

#[test]
fn one_that_is_to_complete_is_waited_for() {
    let project = Project::of(&format!(
        "services:\n  web:\n    image: busybox\n    {SLEEP}\n    volumes: ['data:/data']\n    depends_on: {{init: {{condition: service_completed_successfully}}}}\n  init:\n    image: busybox\n    command: sh -c 'sleep 0.3; echo done >/data/x'\n    volumes: ['data:/data']\nvolumes: {{data: }}\n"
    ));
    project.compose(&["up", "-d"]).ok();
    assert_eq!(project.compose(&["exec", "-T", "web", "cat", "/data/x"]).ok(), "done");
    project.down();
}

#[test]
fn wait_returns_when_everything_is_healthy() {
    let project = Project::of(&one(
        "    healthcheck: {test: 'test -e /tmp/up || { touch /tmp/up; false; }', interval: 100ms, retries: 20}\n",
    ));
    project.compose(&["up", "-d", "--wait"]).ok();
    assert_eq!(project.inspect("app-web-1", "{{.State.Health.Status}}"), "healthy");
    project.down();
}

#[test]
fn attached_it_shows_what_is_written_and_ends_with_the_containers() {
    let project = Project::of(
        "services:\n  one: {image: busybox, command: echo first}\n  second: {image: busybox, command: sh -c 'echo two; exit 3'}\n",
    );
    let output = project.compose(&["up"]);
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "Attaching to one-1, second-1",
            "one-1     | exited with code 0",
            "one-1     | first",
            "second-1  | exited with code 3",
            "second-1  | two",
        ]
    );
    assert_eq!(output.code, 0);
    let code = project.compose(&["up", "--exit-code-from", "second"]).code;
    assert_eq!(code, 3);
    project.down();
}

#[test]
fn an_interrupt_stops_what_runs() {
    let project = Project::of(&one(""));
    let mut command = project.command(&["up", "-t", "1"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(line, "Attaching to web-1\n");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(project.inspect("app-web-1", "{{.State.Status}}"), "exited");
    project.down();
}

#[test]
fn what_cannot_be_had_is_named_and_leaves_nothing_behind() {
    let project = Project::of("services: {web: {image: 'localhost:1/nope'}}\n");
    assert!(project.compose(&["up", "-d"]).fails(1).contains("localhost:1"));
    project.write(
        "compose.yaml",
        "services: {web: {image: busybox, networks: [n]}}\nnetworks: {n: {external: true}}\n",
    );
    let failed = project.compose(&["up", "-d"]).fails(1);
    assert_eq!(failed, "network n declared as external, but could not be found");
    project.write("compose.yaml", "services: {web: {build: .}}\n");
    let failed = project.compose(&["up", "-d"]).fails(1);
    assert!(failed.contains("failed to read dockerfile: open "), "{failed}");
    assert_eq!(project.engine.gantry(&["ps", "-aq"]).ok(), "");
}

#[test]
fn a_plan_can_be_asked_for() {
    let project = Project::of(&one(""));
    let plan = project.compose(&["--dry-run", "up", "-d"]).ok();
    assert!(
        plan.contains("DRY-RUN MODE - Container app-web-1: create (there are fewer than wanted)"),
        "{plan}"
    );
    assert_eq!(project.engine.gantry(&["ps", "-aq"]).ok(), "");
}
