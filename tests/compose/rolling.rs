//! `up --rolling`.

use testkit::engine::wait_for;

use super::project::Project;

/// Goes to the first address of each answer, and tries no other.
const CLIENT: &str = r#"
use Socket; use IO::Handle;
open(my $got, ">", "/got"); $got->autoflush(1);
while (1) {
  my ($ip, $said) = (scalar gethostbyname("web"), "failed: no address");
  socket(my $there, PF_INET, SOCK_STREAM, 0);
  if ($ip && connect($there, sockaddr_in(80, $ip))) {
    $there->autoflush(1);
    print $there "GET / HTTP/1.0\r\n\r\n";
    my $all = join("", <$there>);
    $said = $all =~ /^HTTP\S+ 200 .*\n(\w+)\n$/s ? $1 : "failed: got $all";
  } elsif ($ip) {
    $said = "failed: " . inet_ntoa($ip) . ": $!";
  }
  print $got "$said\n";
}
"#;

/// Clients that ask for the service by its name, each time anew, and count what they get.
fn service(more: &str) -> String {
    let client = serde_json::Value::from(CLIENT.replace('$', "$$"));
    format!(
        "services:
  web:
    image: busybox
    scale: 3
    command: [sh, -c, 'mkdir /www; echo $$VERSION >/www/index.html; httpd -f -h /www & trap \"exit\" TERM; while :; do sleep 0.1; done']
    healthcheck: {{test: wget -q -O /dev/null http://127.0.0.1/, interval: 100ms, retries: 50}}
{more}  clients:
    image: debian
    stop_signal: KILL
    depends_on: {{web: {{condition: service_healthy}}}}
    command: [perl, -e, {client}]
"
    )
}

fn got(project: &Project) -> Vec<String> {
    // Nothing until the first has begun.
    let text = project.compose(&["exec", "-T", "clients", "cat", "/got"]).stdout;
    text.lines().map(str::to_owned).collect()
}

fn ids(project: &Project) -> Vec<String> {
    let all = project.compose(&["ps", "-a", "-q", "web"]).ok();
    let mut ids: Vec<String> = all.lines().map(str::to_owned).collect();
    ids.sort();
    ids
}

#[test]
fn no_request_fails_while_every_container_is_replaced() {
    let project = Project::of(&service("    environment: {VERSION: one}\n"));
    project.engine.load("debian");
    project.compose(&["up", "-d", "--wait"]).ok();
    let before = ids(&project);
    wait_for("some are answered", || got(&project).len() > 20);
    project.write("compose.yaml", &service("    environment: {VERSION: two}\n"));
    let output = project.compose(&["up", "-d", "--rolling"]);
    let said = Project::said(&output);
    for number in 1..=3 {
        assert!(said.contains(&format!("Container app-web-{number}  Replaced")), "{said:?}");
    }
    assert_eq!(output.code, 0);
    let answered = got(&project).len();
    wait_for("some more are answered", || got(&project).len() > answered + 20);
    let all = got(&project);
    let failed: Vec<&String> = all.iter().filter(|line| line.starts_with("failed")).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), all.len());
    assert_eq!(all.last().map(String::as_str), Some("two"));
    assert!(all.contains(&"one".to_owned()));
    let after = ids(&project);
    assert!(after.len() == 3 && after.iter().all(|id| !before.contains(id)), "{after:?}");
    let names = project.compose(&["ps", "-a", "--format", "{{.Name}}", "web"]).ok();
    assert_eq!(names, "app-web-1\napp-web-2\napp-web-3");
    let again = project.compose(&["up", "-d"]);
    assert!(Project::said(&again).iter().all(|line| line.ends_with("Running")), "{again:?}");
    project.down();
}

#[test]
fn what_does_not_come_up_is_rolled_back_and_the_old_ones_never_go() {
    let project = Project::of(&service("    environment: {VERSION: one}\n"));
    project.engine.load("debian");
    project.compose(&["up", "-d", "--wait"]).ok();
    let before = ids(&project);
    wait_for("some are answered", || got(&project).len() > 20);
    // The third that starts is the first that fails: two are there already, and give their places back.
    let bad = service(
        "    environment: {VERSION: two}\n    volumes: ['count:/count']\n    post_start: [{command: [sh, -c, 'echo x >>/count/n; test $$(wc -l </count/n) -lt 3']}]\n",
    );
    project.write("compose.yaml", &(bad + "volumes: {count: }\n"));
    let failed = project.compose(&["up", "-d", "--rolling"]).fails(1);
    assert!(failed.ends_with("web post_start hook exited with status 1"), "{failed}");
    assert!(failed.contains("Container app-web-1  Rolled back"), "{failed}");
    assert_eq!(ids(&project), before);
    let answered = got(&project).len();
    wait_for("some more are answered", || got(&project).len() > answered + 20);
    let all = got(&project);
    let failed: Vec<&String> = all.iter().filter(|line| line.starts_with("failed")).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), all.len());
    assert!(all[answered..].iter().all(|line| line == "one"));
    // And an image whose program ends at once, without anything that says what healthy is.
    let ends = "services:\n  web: {image: busybox, scale: 3, command: 'false', restart: always}\n";
    project.write("compose.yaml", ends);
    let failed = project.compose(&["up", "-d", "--rolling", "web"]).fails(1);
    assert!(failed.contains("exited (1)"), "{failed}");
    assert_eq!(ids(&project), before);
    project.compose(&["down", "-v", "-t", "0", "--remove-orphans"]).ok();
}
