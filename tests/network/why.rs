//! `network why`: each obstacle is one that is really there.

use testkit::engine::{Engine, wait_for};

use super::run;

/// The first word after the colon, and the steps that are no `pass`.
fn why(engine: &Engine, arguments: &[&str]) -> (String, Vec<String>) {
    let text = engine.gantry(&[&["network", "why"], arguments].concat()).ok();
    let mut lines = text.lines();
    let first = lines.next().expect("a line");
    let verdict = first.rsplit(": ").next().expect("a verdict").to_owned();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let steps = lines.map(words).filter(|line| line.starts_with("block ")).collect();
    (verdict, steps)
}

#[test]
fn each_obstacle_on_the_way_to_a_container_is_named() {
    let engine = Engine::with_busybox();
    engine.gantry(&["network", "create", "inner", "--internal"]).ok();
    let serve = "nc -ll -p 80 -e true & httpd -f -p 127.0.0.1:81 & wait";
    let flags = ["run", "-d", "--name", "web", "-p", "127.0.0.1:21480:80", "-p", "21481:81"];
    engine.gantry(&[&flags[..], &["-p", "21482:82", "busybox", "sh", "-c", serve]].concat()).ok();
    run(&engine, "friend", &[]);
    run(&engine, "stranger", &["--network", "inner"]);
    wait_for("the servers listen", || {
        why(&engine, &["127.0.0.1:21480"]).0 == "reachable"
            && why(&engine, &["web:81", "--from", "host"]).1[0].contains("alone")
    });

    let (verdict, steps) = why(&engine, &["127.0.0.1:21480", "--from", "outside"]);
    assert_eq!(verdict, "unreachable");
    assert!(steps[0].contains("for clients on this host alone"), "{steps:?}");
    let (_, steps) = why(&engine, &["127.0.0.1:21481"]);
    assert!(steps[0].contains("listened to on 127.0.0.1 alone"), "{steps:?}");
    let (_, steps) = why(&engine, &[":21482"]);
    assert_eq!(steps, ["block listener nothing in web listens on port 82/tcp"]);
    let (_, steps) = why(&engine, &[":21483"]);
    assert_eq!(steps, ["block mapping port 21483 is not published by any container that runs"]);

    assert_eq!(why(&engine, &["web:80", "--from", "friend"]).0, "reachable");
    engine.gantry(&["update", "--publish-add", "21484:80", "web"]).ok();
    assert_eq!(why(&engine, &[":21484", "--from", "outside"]).0, "reachable");
    let (verdict, steps) = why(&engine, &["stranger:80", "--from", "friend"]);
    assert_eq!(verdict, "unreachable");
    assert!(steps[0].contains("network inner is internal"), "{steps:?}");
    engine.gantry(&["pause", "web"]).ok();
    let (_, steps) = why(&engine, &["web:80", "--from", "friend"]);
    assert_eq!(steps, ["block container web is paused"]);
    engine.gantry(&["unpause", "web"]).ok();

    let json = engine.gantry(&["network", "why", ":21482", "--format", "json"]).ok();
    assert!(json.contains(r#""Verdict":"unreachable""#), "{json}");
    let subjects = "{{range .Steps}}{{.Subject}} {{end}}";
    let text = engine.gantry(&["network", "why", ":21482", "--format", subjects]).ok();
    assert!(text.starts_with("mapping table "), "{text}");
    let wrong = engine.gantry(&["network", "why", "nobody:80"]).fails(1);
    assert!(wrong.contains("No such container: nobody"), "{wrong}");
    let wrong = engine.gantry(&["network", "why", "web"]).fails(1);
    assert!(wrong.contains("is not HOST:PORT"), "{wrong}");
    engine.gantry(&["rm", "-f", "web"]).ok();
    let (_, steps) = why(&engine, &[":21482"]);
    assert_eq!(steps, ["block mapping port 21482 is not published by any container that runs"]);
}
