//! Services whose image is built.

use std::fs;

use super::project::Project;

const SERVICES: &str = "services:
  web:
    build:
      context: ./web
      args: {GREETING: hello}
      target: final
      secrets: [token]
    network_mode: none
  inline:
    image: own-name
    build:
      context: .
      network: none
      dockerfile_inline: |
        FROM busybox
        COPY compose.yaml /copied
    command: test -s /copied
    network_mode: none
secrets: {token: {environment: TOKEN_OF_TESTS}}
";

fn project() -> Project {
    let project = Project::of(SERVICES);
    fs::create_dir(project.engine.scratch().join("app/web")).unwrap();
    dockerfile(&project, "one");
    project
}

fn dockerfile(project: &Project, word: &str) {
    let text = format!(
        "FROM busybox AS final\nARG GREETING\nRUN --network=none --mount=type=secret,id=token \
         echo $GREETING {word} $(wc -c < /run/secrets/token) > /said\nCMD [\"cat\", \"/said\"]\nFROM scratch\n"
    );
    project.write("web/Dockerfile", &text);
}

fn up(project: &Project, words: &[&str]) -> testkit::engine::Output {
    let words = [&["up"], words].concat();
    let mut command = project.command(&words);
    testkit::engine::finish(command.env("TOKEN_OF_TESTS", "12345"))
}

#[test]
fn what_is_missing_is_built_and_what_is_there_only_when_asked() {
    let project = project();
    let refused = up(&project, &["-d", "--no-build"]).fails(1);
    assert!(refused.contains("No such image: own-name"), "{refused}");
    let output = up(&project, &["--no-log-prefix"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains("hello one 5"), "{}", output.stdout);
    let label = "{{index .Config.Labels \"com.docker.compose.project\"}} {{index .Config.Labels \"com.docker.compose.service\"}}";
    assert_eq!(project.inspect("app-web", label), "app web");
    assert_eq!(
        project.inspect("app-inline-1", "{{.State.ExitCode}} {{.Config.Image}}"),
        "0 own-name"
    );
    dockerfile(&project, "two");
    let output = up(&project, &["--no-log-prefix", "web"]);
    assert!(output.stdout.contains("hello one 5"), "{}", output.stdout);
    let output = up(&project, &["--no-log-prefix", "--build", "web"]);
    assert!(output.stdout.contains("hello two 5"), "{}{}", output.stdout, output.stderr);
    project.down();
}

#[test]
fn services_are_built_by_name_and_a_failure_names_its_step() {
    let project = project();
    project.compose(&["build", "-q", "inline"]).ok();
    project.inspect("own-name", "{{.Id}}");
    assert_eq!(project.engine.gantry(&["images", "-q", "app-web"]).ok(), "");
    project.write("web/Dockerfile", "FROM busybox AS final\nRUN --network=none exit 4\n");
    let failed = project.compose(&["build", "web"]);
    assert_ne!(failed.code, 0);
    assert!(
        failed.stderr.contains("did not complete successfully: exit code: 4"),
        "{}",
        failed.stderr
    );
    let unknown = project.compose(&["build", "nobody"]).fails(1);
    assert!(unknown.contains("no such service: nobody"), "{unknown}");
}

#[test]
fn services_are_built_side_by_side() {
    // Each waits for what the other one has done.
    let meets = |own: &str, other: &str| {
        format!(
            "    build:
      network: none
      dockerfile_inline: |
        FROM busybox
        RUN --network=none --mount=type=cache,target=/meet,id=compose-meet touch /meet/{own}; for i in $$(seq 300); do test -e /meet/{other} && exit 0; sleep 0.1; done; exit 1
"
        )
    };
    let project = Project::of(&format!(
        "services:\n  one:\n{}  two:\n{}",
        meets("one", "two"),
        meets("two", "one")
    ));
    let output = project.compose(&["build"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    for service in ["one", "two"] {
        let begin = format!("{service} | #");
        assert!(output.stderr.lines().any(|line| line.starts_with(&begin)), "{}", output.stderr);
    }
    let alone = project.compose(&["--parallel", "1", "build", "--no-cache", "one"]);
    assert!(!alone.stderr.contains("one | "), "{}", alone.stderr);
}
