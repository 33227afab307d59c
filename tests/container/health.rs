//! Health checks.

use testkit::engine::Engine;

/// A container whose check succeeds while /ok is there.
fn checked(engine: &Engine, more: &[&str]) {
    let flags = ["run", "-d", "--name", "box", "--network", "none", "--health-interval", "20ms"];
    let check = ["--health-cmd", "cat /ok && echo err >&2", "--health-retries", "2"];
    let image = ["busybox", "sh", "-c", "trap 'exit 0' TERM; touch /ok; sleep 300 & wait"];
    engine.gantry(&[&flags[..], &check, more, &image].concat()).ok();
}

fn health(engine: &Engine, template: &str) -> String {
    engine.gantry(&["inspect", "-f", template, "box"]).ok()
}

fn status(engine: &Engine) -> String {
    health(engine, "{{.State.Health.Status}}")
}

fn wait_for(engine: &mut Engine, wanted: &str) {
    engine.wait_until(&format!("it is {wanted}"), |engine| status(engine) == wanted);
}

fn fail(engine: &Engine) {
    engine.gantry(&["exec", "box", "rm", "/ok"]).ok();
}

fn events(engine: &Engine) -> Vec<String> {
    let format = ["--format", "{{.Action}} {{with .Actor.Attributes.exitCode}}{{.}}{{end}}"];
    let line = ["events", "--since", "1h", "--until", "0s", "--filter", "type=container"];
    let text = engine.gantry(&[&line[..], &format].concat()).ok();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_check_makes_healthy_and_failures_in_a_row_unhealthy() {
    let mut engine = Engine::with_busybox();
    checked(&engine, &[]);
    wait_for(&mut engine, "healthy");
    assert!(engine.gantry(&["ps"]).ok().contains("(healthy)"));
    assert_eq!(engine.gantry(&["ps", "-q", "--filter", "health=unhealthy"]).ok(), "");
    fail(&engine);
    wait_for(&mut engine, "unhealthy");
    assert!(engine.gantry(&["ps", "--filter", "health=unhealthy"]).ok().contains("(unhealthy)"));
    let log = health(&engine, "{{range .State.Health.Log}}{{.ExitCode}} {{json .Output}};{{end}}");
    assert!(log.contains(r#"1 "cat: can't open '/ok': No such file or directory\n""#), "{log}");
    let seen = events(&engine);
    let place = |wanted: &str| seen.iter().position(|event| event == wanted).unwrap();
    assert!(place("start") < place("exec_create: /bin/sh -c cat /ok && echo err >&2"));
    assert!(place("exec_start: /bin/sh -c cat /ok && echo err >&2") < place("exec_die 0"));
    assert!(place("exec_die 0") < place("health_status: healthy"));
    assert!(place("exec_die 1") < place("health_status: unhealthy"));
}

#[test]
fn five_results_are_kept_and_no_exec_is_left() {
    let mut engine = Engine::with_busybox();
    checked(&engine, &[]);
    let count = "{{len .State.Health.Log}}";
    engine.wait_until("there are five results", |engine| health(engine, count) == "5");
    let checks = |engine: &Engine| events(engine).iter().filter(|e| *e == "exec_die 0").count();
    engine.wait_until("there were more", |engine| checks(engine) > 7);
    assert_eq!(health(&engine, count), "5");
    let id = engine.gantry(&["ps", "-q", "--no-trunc"]).ok();
    let files = engine.exec_root().join("c").join(id).join("exec");
    let execs = std::fs::read_dir(files).unwrap().count();
    assert!(execs <= 3, "of one check that runs, not of {execs} files");
}

#[test]
fn a_check_that_takes_too_long_is_killed_with_what_it_started() {
    let mut engine = Engine::with_busybox();
    let check = "(sleep 123 & sleep 456) & sleep 789";
    let flags = ["run", "-d", "--name", "box", "--health-cmd", check, "--health-interval", "20ms"];
    let more = ["--health-timeout", "30ms", "--health-retries", "1", "--network", "none"];
    engine.gantry(&[&flags[..], &more, &["busybox", "sleep", "300"]].concat()).ok();
    wait_for(&mut engine, "unhealthy");
    let last =
        health(&engine, "{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}");
    assert_eq!(last, "-1 Health check exceeded timeout (30ms)");
    // Processes that one check leaves would be more with every check.
    let killed = |engine: &Engine| events(engine).iter().filter(|e| *e == "exec_die 137").count();
    engine.wait_until("five were killed", |engine| killed(engine) > 5);
    let processes = engine.gantry(&["top", "box", "-o", "pid,args"]).ok();
    // The shell's own arguments hold these words too.
    let left = processes.lines().filter(|line| line.trim_end().ends_with(" sleep 123"));
    assert!(left.count() <= 1, "{processes}");
}

#[test]
fn what_cannot_be_run_is_a_failure_that_says_so() {
    let mut engine = Engine::with_busybox();
    let flags = ["run", "-d", "--name", "box", "--network", "none", "--health-interval", "20ms"];
    let more = ["--health-cmd", "true", "-w", "/tmp/gone", "busybox", "sh", "-c"];
    engine.gantry(&[&flags[..], &more, &["rmdir /tmp/gone; sleep 300"]].concat()).ok();
    wait_for(&mut engine, "unhealthy");
    let last =
        health(&engine, "{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}");
    assert!(last.starts_with("-1 OCI runtime exec failed"), "{last}");
}

#[test]
fn nobody_looks_at_a_paused_container_and_a_restart_begins_anew() {
    let mut engine = Engine::with_busybox();
    checked(&engine, &[]);
    wait_for(&mut engine, "healthy");
    engine.gantry(&["pause", "box"]).ok();
    let before = health(&engine, "{{json .State.Health.Log}}");
    assert_eq!(status(&engine), "unhealthy", "as Docker has it");
    assert!(engine.gantry(&["ps"]).ok().contains("(Paused)"));
    assert_eq!(health(&engine, "{{json .State.Health.Log}}"), before);
    engine.gantry(&["unpause", "box"]).ok();
    wait_for(&mut engine, "healthy");
    fail(&engine);
    wait_for(&mut engine, "unhealthy");
    engine.gantry(&["stop", "box"]).ok();
    assert_eq!(status(&engine), "unhealthy");
    engine.gantry(&["start", "box"]).ok();
    wait_for(&mut engine, "healthy");
    assert_eq!(health(&engine, "{{.State.Health.FailingStreak}}"), "0");
}

#[test]
fn the_next_engine_goes_on_where_the_killed_one_was() {
    let mut engine = Engine::with_busybox();
    checked(&engine, &["--health-retries", "1000000"]);
    wait_for(&mut engine, "healthy");
    fail(&engine);
    let streak = |engine: &Engine| -> u32 {
        health(engine, "{{.State.Health.FailingStreak}}").parse().unwrap()
    };
    engine.wait_until("checks fail", |engine| streak(engine) > 3);
    let before = streak(&engine);
    engine.kill();
    engine.launch();
    assert_eq!(status(&engine), "healthy", "not enough failures yet");
    assert!(streak(&engine) >= before);
    engine.wait_until("more checks fail", |engine| streak(engine) > before + 3);
}

#[test]
fn a_check_that_hangs_ends_with_the_engine_that_began_it() {
    let mut engine = Engine::with_busybox();
    let flags = ["run", "-d", "--name", "box", "--network", "none", "--health-interval", "20ms"];
    let more = ["--health-cmd", "sleep 456", "busybox", "sleep", "300"];
    engine.gantry(&[&flags[..], &more].concat()).ok();
    let hanging =
        |engine: &Engine| engine.gantry(&["top", "box"]).ok().matches("sleep 456").count();
    engine.wait_until("the check runs", |engine| hanging(engine) > 0);
    engine.kill();
    engine.launch();
    let ended = |engine: &Engine| events(engine).iter().any(|event| event == "exec_die 137");
    engine.wait_until("it was ended", |engine| ended(engine));
}

#[test]
fn none_and_the_images_own() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "base", "busybox"]).ok();
    let change = "HEALTHCHECK --interval=20ms CMD [\"true\"]";
    engine.gantry(&["commit", "-c", change, "base", "checked"]).ok();
    engine.gantry(&["run", "-d", "--name", "box", "checked", "sleep", "300"]).ok();
    wait_for(&mut engine, "healthy");
    engine
        .gantry(&["run", "-d", "--name", "off", "--no-healthcheck", "checked", "sleep", "300"])
        .ok();
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.State.Health}}", "off"]).ok(), "<nil>");
    let without = engine.gantry(&["ps", "--filter", "health=none", "--format", "{{.Names}}"]).ok();
    assert_eq!(without, "off");
}

#[test]
fn a_restart_on_failure_also_when_the_engine_is_killed_in_it() {
    let mut engine = Engine::with_busybox();
    checked(&engine, &["--health-on-failure", "restart"]);
    wait_for(&mut engine, "healthy");
    let started = |engine: &Engine| health(engine, "{{.State.StartedAt}}");
    let first = started(&engine);
    fail(&engine);
    engine.wait_until("it was restarted", |engine| started(engine) != first);
    wait_for(&mut engine, "healthy");

    // The engine is killed as soon as it has said that it acts.
    let second = started(&engine);
    fail(&engine);
    let unhealthy = "health_status: unhealthy";
    engine.wait_until("it acts again", |engine| {
        events(engine).iter().filter(|event| *event == unhealthy).count() == 2
    });
    engine.kill();
    engine.launch();
    engine.wait_until("it was restarted all the same", |engine| started(engine) != second);
    wait_for(&mut engine, "healthy");
}

#[test]
fn a_stop_a_kill_or_a_hook_on_failure() {
    let mut engine = Engine::with_busybox();
    for (action, code) in [("stop", "0"), ("kill", "137")] {
        checked(&engine, &["--health-on-failure", action, "--restart", "always"]);
        wait_for(&mut engine, "healthy");
        fail(&engine);
        engine.wait_until("it has ended", |engine| health(engine, "{{.State.Status}}") == "exited");
        assert_eq!(health(&engine, "{{.State.ExitCode}}"), code, "{action}");
        engine.gantry(&["rm", "box"]).ok();
    }
    checked(&engine, &["--health-on-failure", "exec:echo mended > /ok"]);
    wait_for(&mut engine, "healthy");
    fail(&engine);
    engine.wait_until("the hook has mended it", |engine| {
        engine.gantry(&["exec", "box", "cat", "/ok"]).stdout == "mended\n"
    });
    wait_for(&mut engine, "healthy");
}

#[test]
fn an_action_without_a_check_is_refused() {
    let engine = Engine::with_busybox();
    let said = engine.gantry(&["run", "--health-on-failure", "kill", "busybox", "true"]).fails(125);
    assert!(said.contains("needs a health check"), "{said}");
    let flags = ["run", "--health-cmd", "x", "--health-on-failure", "reboot", "busybox", "true"];
    assert!(engine.gantry(&flags).fails(125).contains("must be one of none, kill, restart"));
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}
