use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use testkit::engine::wait_for;

use super::project::Project;

const SLEEP: &str = "command: sleep 1000\n    stop_signal: KILL";

struct Watching(Child);

impl Watching {
    /// From the moment from which it sees changes.
    fn start(project: &Project, args: &[&str]) -> Self {
        let mut command = project.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "Watch enabled"));
        // Nobody is to be kept from writing.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn shell(project: &Project, service: &str, line: &str) -> bool {
    project.compose(&["exec", "-T", service, "sh", "-c", line]).code == 0
}

#[test]
fn what_is_saved_here_is_there_and_what_is_deleted_is_gone() {
    let project = Project::of(&format!(
        "services:\n  web:\n    image: busybox\n    user: '7'\n    {SLEEP}\n    scale: 2\n    develop: {{watch: [{{path: src, action: sync, target: /app, ignore: [cache/], initial_sync: true}}, {{path: one.conf, action: sync, target: /etc/one.conf}}]}}\n"
    ));
    let folder = project.engine.scratch().join("app");
    let at = |name: &str| folder.join(name);
    fs::create_dir_all(at("src/old")).unwrap();
    project.write("src/old/first", "1");
    project.write("one.conf", "a");
    let _watching = Watching::start(&project, &["watch"]);
    wait_for("the first files are there", || {
        shell(&project, "web", "test $(cat /app/old/first) = 1")
    });
    project.write("src/file", "text");
    wait_for("a file is there", || shell(&project, "web", "test $(cat /app/file) = text"));
    let both = ["exec", "-T", "--index", "2", "web", "stat", "-c", "%u", "/app/file"];
    wait_for("and in the other container, its user's", || project.compose(&both).stdout == "7\n");
    // As editors save: beside it, then in its place; and a folder with all that is in it.
    project.write("src/file~", "x");
    fs::write(at("new.conf"), "b").unwrap();
    fs::rename(at("new.conf"), at("one.conf")).unwrap();
    wait_for("one file is", || shell(&project, "web", "test $(cat /etc/one.conf) = b"));
    fs::create_dir_all(at("elsewhere/deep/er")).unwrap();
    fs::write(at("elsewhere/deep/er/x"), "deep").unwrap();
    fs::rename(at("elsewhere"), at("src/moved")).unwrap();
    wait_for("a folder is there", || {
        shell(&project, "web", "test $(cat /app/moved/deep/er/x) = deep")
    });
    fs::write(at("src/moved/deep/er/y"), "later").unwrap();
    wait_for("what comes into it too", || shell(&project, "web", "test -e /app/moved/deep/er/y"));
    fs::remove_dir_all(at("src/moved")).unwrap();
    fs::remove_file(at("src/file")).unwrap();
    wait_for("they are gone", || {
        shell(&project, "web", "test ! -e /app/moved && test ! -e /app/file")
    });
    fs::create_dir(at("src/cache")).unwrap();
    project.write("src/cache/x", "x");
    project.write("src/last", "x");
    wait_for("the last is there", || shell(&project, "web", "test -e /app/last"));
    assert!(shell(&project, "web", "test ! -e /app/cache && test ! -e /app/file~"));
    project.down();
}

#[test]
fn changes_build_restart_and_run() {
    let project = Project::of(&format!(
        "services:
  built:
    build: {{dockerfile_inline: \"FROM busybox\\nCOPY version /version\"}}
    {SLEEP}
    develop: {{watch: [{{path: version, action: rebuild}}]}}
  again:
    image: busybox
    {SLEEP}
    develop: {{watch: [{{path: conf, action: sync+restart, target: /conf}}]}}
  told:
    image: busybox
    {SLEEP}
    develop: {{watch: [{{path: conf, action: sync+exec, target: /conf, exec: {{command: sh -c 'cat /conf/a >>/told'}}}}]}}
"
    ));
    let folder = project.engine.scratch().join("app");
    fs::create_dir(folder.join("conf")).unwrap();
    project.write("version", "1");
    let _watching = Watching::start(&project, &["watch"]);
    let started = project.inspect("app-again-1", "{{.State.StartedAt}}");
    project.write("conf/a", "new");
    wait_for("it is told", || shell(&project, "told", "test $(cat /told) = new"));
    let again = || project.inspect("app-again-1", "{{.State.StartedAt}}");
    wait_for("it starts anew", || {
        again() != started && shell(&project, "again", "test -e /conf/a")
    });
    let id = project.inspect("app-told-1", "{{.Id}}");
    project.write("version", "2");
    wait_for("it is built", || shell(&project, "built", "test $(cat /version) = 2"));
    assert_eq!(project.inspect("app-told-1", "{{.Id}}"), id);
    // What cannot be built leaves what runs, and the next change is another chance.
    fs::remove_file(folder.join("version")).unwrap();
    project.write("version", "3");
    wait_for("it is built again", || shell(&project, "built", "test $(cat /version) = 3"));
    project.down();
}

#[test]
fn an_up_can_watch_and_rules_that_cannot_work_are_refused() {
    let project = Project::of(&format!(
        "services:\n  web:\n    image: busybox\n    {SLEEP}\n    develop: {{watch: [{{path: ., action: sync, target: /app}}]}}\n"
    ));
    {
        let _watching = Watching::start(&project, &["up", "--watch"]);
        project.write("file", "text");
        wait_for("a file is there", || shell(&project, "web", "test -e /app/file"));
    }
    project.down();
    let refused = |rule: &str| {
        let text = format!("services:\n  web: {{image: busybox, develop: {{watch: [{rule}]}}}}\n");
        project.write("compose.yaml", &text);
        project.compose(&["watch", "--no-up"]).fails(1)
    };
    let said = refused("{path: ., action: rebuild}");
    assert_eq!(said, "service web: can't watch for rebuilds without a build context");
    let said = refused("{path: ., action: sync}");
    assert_eq!(said, "service web: a watch rule that syncs needs a target");
    let said = refused("{path: nowhere, action: sync, target: /a}");
    assert!(said.ends_with("app/nowhere: No such file or directory (os error 2)"), "{said}");
    project.write("compose.yaml", "services: {web: {image: busybox}}\n");
    assert!(project.compose(&["watch"]).fails(1).starts_with("none of the selected services"));
}
