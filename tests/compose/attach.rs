use std::io::{Read, Write};
use std::process::Stdio;

use super::project::Project;

const ONE: &str = "services:\n  web: {image: busybox, stdin_open: true, command: sh -c 'read line; echo got $$line; exit 4'}\n";

#[test]
fn a_terminal_is_put_on_a_service() {
    let project = Project::of(ONE);
    project.compose(&["up", "-d"]).ok();
    let mut command = project.command(&["attach", "web"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Its end would end the session before the answer.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"hello\n").unwrap();
    let mut answer = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "got hello\n");
    assert_eq!(child.wait().unwrap().code(), Some(4));
    drop(stdin);
    assert_eq!(project.compose(&["attach", "web"]).fails(1), "service \"web\" is not running");
    project.down();
}
