//! `gantry events`.

use testkit::engine::Engine;

#[test]
fn a_run_is_told_in_order_and_once() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&[
            "run",
            "--rm",
            "--name",
            "box",
            "--network",
            "none",
            "busybox",
            "sh",
            "-c",
            "exit 3",
        ])
        .fails(3);
    let args = [
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "type=container",
        "--format",
        "{{.Action}}",
    ];
    let actions = engine.gantry(&args).ok();
    assert_eq!(actions, "create\nattach\nstart\ndie\ndestroy");
    let codes = engine.gantry(&[
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "event=die",
        "--format",
        "{{.Actor.Attributes.exitCode}}",
    ]);
    assert_eq!(codes.ok(), "3");
}

/// Docker's actions by its reference (`docker system events`), and what makes them here.
enum Made {
    /// By what `every_action_of_docker_is_told_or_has_no_place_here` does.
    Here,
    /// By what another test does.
    Elsewhere(&'static str),
    /// By nothing yet: what will.
    Later(&'static str),
}

use Made::{Elsewhere, Here, Later};

const ACTIONS: &[(&str, &[(&str, Made)])] = &[
    (
        "container",
        &[
            ("attach", Here),
            ("commit", Here),
            ("copy", Later("no client has asked for it since API 1.20")),
            ("create", Here),
            ("destroy", Here),
            ("detach", Elsewhere("a_detached_session_is_told")),
            ("die", Here),
            ("exec_create", Here),
            ("exec_detach", Elsewhere("a_detached_session_is_told")),
            ("exec_die", Here),
            ("exec_start", Here),
            ("export", Here),
            ("health_status", Elsewhere("tests/container/health.rs")),
            ("kill", Here),
            ("oom", Elsewhere("containers/exit.rs")),
            ("pause", Here),
            ("prune", Here),
            ("rename", Here),
            ("resize", Elsewhere("tests/container/terminal.rs")),
            ("restart", Here),
            ("start", Here),
            ("stop", Here),
            ("top", Here),
            ("unpause", Here),
            ("update", Here),
        ],
    ),
    (
        "image",
        &[
            ("delete", Here),
            ("import", Here),
            ("load", Here),
            ("prune", Here),
            ("pull", Elsewhere("tests/image/pull.rs")),
            ("push", Elsewhere("tests/image/push.rs")),
            ("save", Here),
            ("tag", Here),
            ("untag", Here),
        ],
    ),
    (
        "volume",
        &[("create", Here), ("destroy", Here), ("mount", Here), ("prune", Here), ("unmount", Here)],
    ),
    ("daemon", &[("reload", Elsewhere("tests/engine/reload.rs"))]),
    ("network", &[("connect", Here), ("disconnect", Here), ("create", Later("networks by name"))]),
];

#[test]
fn every_action_of_docker_is_told_or_has_no_place_here() {
    let engine = Engine::with_busybox();
    let run = |args: &str| engine.gantry(&args.split(' ').collect::<Vec<_>>()).ok();
    run("run -d --name box busybox sh -c while:;do:;done");
    run("run --name short busybox true");
    run("create --name long busybox sleep 300");
    run("start long");
    run("exec long true");
    run("pause long");
    run("unpause long");
    run("top long");
    run("update --memory 64m long");
    run("rename long longer");
    run("restart -t 0 longer");
    run("kill -s CONT longer");
    run("commit longer kept:1");
    let tar = engine.scratch().join("box.tar").to_str().unwrap().to_owned();
    run(&format!("export -o {tar} longer"));
    run(&format!("import {tar} imported:1"));
    run("tag kept:1 kept:2");
    run(&format!("save -o {tar} kept:1"));
    run("rmi kept:1 kept:2");
    run("rmi imported:1");
    run("stop -t 0 longer");
    run("run --rm -v data:/data busybox true");
    run("volume rm data");
    run("volume prune -f");
    run("container prune -f");
    run("image prune -f");
    let told = run("events --since 1h --until 0s --format {{.Type}}:{{.Action}}");
    for (kind, actions) in ACTIONS {
        for (action, made) in *actions {
            let line = format!("{kind}:{action}");
            let seen = told.lines().any(|l| l == line || l.starts_with(&format!("{line}: ")));
            match made {
                Here => assert!(seen, "{line} is not among\n{told}"),
                Elsewhere(by) | Later(by) => assert!(!seen, "{line} is not only made by {by}"),
            }
        }
    }
    // And nothing that Docker does not have.
    for line in told.lines() {
        let (kind, action) = line.split_once(':').unwrap();
        let action = action.split(':').next().unwrap();
        let known =
            ACTIONS.iter().find(|(k, _)| *k == kind).map_or(&[][..], |(_, actions)| actions);
        assert!(known.iter().any(|(name, _)| *name == action), "{line} is none of Docker's");
    }
}

#[test]
fn what_happens_to_volumes_is_told_with_dockers_attributes() {
    let engine = Engine::with_busybox();
    let run = |args: &str| engine.gantry(&args.split(' ').collect::<Vec<_>>()).ok();
    run("volume create data");
    run("run --rm --name box -v data:/here:ro -v /own busybox true");
    run("volume rename data renamed");
    run("volume clone renamed copy");
    run("volume snapshot renamed kept");
    run("volume restore renamed kept");
    run("volume rm renamed");
    let told = run(
        "events --since 1h --until 0s --filter type=volume --format {{.Action}}={{.Actor.ID}}={{.Actor.Attributes}}",
    );
    // Ids of the container and of the volume that nobody named.
    let hidden = |word: &str| match word.rsplit_once(':').unwrap_or(("", word)) {
        ("", id) if id.len() == 64 => "ID".to_owned(),
        (key, id) if id.len() == 64 => format!("{key}:ID"),
        _ => word.to_owned(),
    };
    let shown = |line: &str| line.split([' ', '=']).map(hidden).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<_> = told.lines().map(shown).collect();
    // Volumes of one container come in the order of their names, and one of these is made up.
    lines[2..4].sort();
    lines[4..6].sort();
    let expected = [
        "create data map[driver:local]",
        "create ID map[driver:local]",
        "mount ID map[container:ID destination:/own driver:local propagation: read/write:true]",
        "mount data map[container:ID destination:/here driver:local propagation: read/write:false]",
        "unmount ID map[container:ID driver:local]",
        "unmount data map[container:ID driver:local]",
        "destroy ID map[driver:local]",
        "rename renamed map[driver:local oldName:data]",
        "create copy map[driver:local]",
        "create kept map[driver:local]",
        "restore renamed map[driver:local snapshot:kept]",
        "destroy renamed map[driver:local]",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_stream_has_the_form_that_was_asked_for() {
    use std::io::{Read, Write};
    let engine = Engine::with_busybox();
    engine.gantry(&["tag", "busybox", "b:1"]).ok();
    let ask = |version: &str, accept: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(engine.socket()).unwrap();
        let path = format!(
            "/v{version}/events?since=1&until=2000000000&filters=%7B%22event%22%3A%5B%22tag%22%5D%7D"
        );
        let head = format!("GET {path} HTTP/1.0\r\nAccept: {accept}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // The stream goes on; its first piece is what is looked at.
        let mut answer = String::new();
        while !answer.contains("\"timeNano\"") {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let kind = head.lines().find_map(|line| line.strip_prefix("Content-Type: ")).unwrap();
        (kind.to_owned(), body.chars().next().unwrap())
    };
    for (version, accept, kind, first) in [
        ("1.51", "application/json-seq", "application/json", '{'),
        ("1.52", "*/*", "application/json", '{'),
        ("1.52", "application/x-ndjson", "application/x-ndjson", '{'),
        ("1.52", "application/jsonl", "application/json", '{'),
        ("1.53", "application/jsonl", "application/jsonl", '{'),
        ("1.53", "text/html, application/json-seq;q=0.5", "application/json-seq", '\u{1e}'),
    ] {
        assert_eq!(ask(version, accept), (kind.to_owned(), first), "{version} {accept}");
    }
}

/// What dockerd 26 tells of the same commands: actions in their order, with the names and labels that come along.
#[test]
fn every_action_on_an_image_is_told_as_docker_tells_it() {
    let engine = Engine::with_busybox();
    engine.load("hello-world");
    engine.gantry(&["create", "--name", "box", "busybox", "true"]).ok();
    let file = |name: &str| engine.scratch().join(name).to_str().unwrap().to_owned();
    let (saved, root) = (file("saved.tar"), file("root.tar"));
    engine.gantry(&["export", "-o", &root, "box"]).ok();
    let id = |image: &str| engine.gantry(&["image", "inspect", "-f", "{{.Id}}", image]).ok();
    let busybox = id("busybox");
    let told_of = |commands: &[&[&str]]| -> Vec<String> {
        let all = || {
            let range = ["events", "--since", "1h", "--until", "0s", "--filter", "type=image"];
            let format = ["--format", "{{.Action}} {{json .Actor.Attributes}} {{.Actor.ID}}"];
            let told = engine.gantry(&[&range[..], &format].concat()).ok();
            told.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let before = all().len();
        commands.iter().for_each(|words| drop(engine.gantry(words).ok()));
        all().split_off(before)
    };
    let named =
        |action: &str, name: &str, id: &str| format!(r#"{action} {{"name":"{name}"}} {id}"#);

    let tags: [&[&str]; 4] = [
        &["tag", "busybox", "one:1"],
        &["tag", "one:1", "two:1"],
        &["tag", "one:1", "two:1"],
        &["rmi", "two:1"],
    ];
    let expected = [
        named("tag", "one:1", &busybox),
        named("tag", "two:1", &busybox),
        named("tag", "two:1", &busybox),
        named("untag", &busybox, &busybox),
    ];
    assert_eq!(told_of(&tags), expected);

    let saves: [&[&str]; 3] =
        [&["save", "-o", &saved, "one:1"], &["rmi", "one:1"], &["load", "-q", "-i", &saved]];
    let expected = ["save", "untag", "load"].map(|action| named(action, &busybox, &busybox));
    assert_eq!(told_of(&saves), expected);

    let labelled = told_of(&[&["commit", "-c", "LABEL a=b", "box", "made:1"]]);
    let made = id("made:1");
    assert_eq!(labelled, [format!(r#"tag {{"a":"b","name":"made:1"}} {made}"#)]);
    assert_eq!(told_of(&[&["commit", "box"]]), Vec::<String>::new());
    let expected =
        [format!(r#"untag {{"a":"b","name":"{made}"}} {made}"#), named("delete", &made, &made)];
    assert_eq!(told_of(&[&["rmi", "made:1"]]), expected);

    let imported = told_of(&[&["import", &root, "imported:1"]]);
    let import = id("imported:1");
    assert_eq!(imported, [named("tag", "imported:1", &import), named("import", &import, &import)]);
    engine.gantry(&["commit", "-c", "LABEL prune=1", "box", "p:1"]).ok();
    engine.gantry(&["tag", "p:1", "p:2"]).ok();
    let pruned = id("p:1");
    let untagged = format!(r#"untag {{"name":"{pruned}","prune":"1"}} {pruned}"#);
    let told = told_of(&[&["image", "prune", "-af", "--filter", "label=prune=1"]]);
    let (last, rest) = told.split_last().unwrap();
    assert_eq!(rest, [untagged.clone(), untagged, named("delete", &pruned, &pruned)]);
    assert!(last.starts_with(r#"prune {"reclaimed":""#), "{last}");
}
