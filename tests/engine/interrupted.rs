//! The engine is killed at random moments while it is asked for one thing after the other. What was acknowledged is
//! there afterwards, what was not is there whole or not at all, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::engine::{Engine, PATIENCE, binary, image_archive};

use super::random::Random;

const ROUNDS: u64 = 15;

/// A client that does one thing after the other until one fails.
struct Client {
    host: String,
}

impl Client {
    fn new(engine: &Engine) -> Self {
        Self { host: engine.host() }
    }

    /// Whether it was acknowledged.
    fn does(&self, args: &[&str]) -> bool {
        let mut command = Command::new(binary("gantry"));
        command.arg("-H").arg(&self.host).args(args).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("gantry is built").success()
    }
}

/// What `ps` shows of a container: a status, or nothing once it is removed.
type Seen = Option<&'static str>;

/// What containers may look like: the state that was acknowledged last, and the one that was asked for after that.
type Expected = BTreeMap<String, BTreeSet<Seen>>;

fn container_lives(client: &Client, round: u64) -> Expected {
    let steps: [(&[&str], Seen); 6] = [
        (&["create", "--name", "NAME", "busybox", "sleep", "300"], Some("created")),
        (&["start", "NAME"], Some("running")),
        (&["stop", "-t", "0", "NAME"], Some("exited")),
        (&["start", "NAME"], Some("running")),
        (&["kill", "NAME"], Some("exited")),
        (&["rm", "NAME"], None),
    ];
    let mut expected = Expected::new();
    for n in 0.. {
        let name = format!("c{round}-{n}");
        let mut acknowledged: Seen = None;
        // One in three lives on, to be found by later engines.
        let steps = if n % 3 == 0 { &steps[..4] } else { &steps[..] };
        for (words, after) in steps {
            let words: Vec<&str> =
                words.iter().map(|word| if *word == "NAME" { &name } else { *word }).collect();
            if !client.does(&words) {
                expected.insert(name, [acknowledged, *after].into());
                return expected;
            }
            acknowledged = *after;
        }
        expected.insert(name, [acknowledged].into());
    }
    expected
}

fn seen(engine: &Engine) -> BTreeMap<String, String> {
    let list = engine.gantry(&["ps", "-a", "--format", "{{.Names}} {{.State}}"]).ok();
    let line = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
    list.lines().filter_map(line).collect()
}

fn names(directory: PathBuf) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn ids(engine: &Engine, which: &str) -> BTreeSet<String> {
    engine.gantry(&["ps", "--no-trunc", which]).ok().lines().map(str::to_owned).collect()
}

/// Monitors of this engine's containers, by the directory that they were given.
fn monitors(engine: &Engine) -> BTreeSet<String> {
    let root = engine.exec_root().join("c");
    let of = |entry: fs::DirEntry| {
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let words: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let directory = words.iter().find(|word| Path::new(&***word).starts_with(&root))?;
        Some(Path::new(&**directory).file_name()?.to_string_lossy().into_owned())
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(of).collect()
}

/// Links of the engine's containers, and the cgroups.
fn links(engine: &Engine) -> usize {
    engine.kernel_objects().iter().filter(|name| name.contains("/veth")).count()
}

fn cgroups(engine: &Engine) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for parent in engine.kernel_objects().iter().filter(|name| name.starts_with("/sys/fs/cgroup")) {
        found.extend(names(parent.into()).into_iter().filter(|name| name.len() == 64));
    }
    found
}

/// Exactly what belongs to the containers there are is there. What ends behind an answer is waited for.
#[track_caller]
pub(super) fn nothing_is_left_over(engine: &mut Engine) {
    let mut differences = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        differences = what_does_not_fit(engine);
        if differences.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{}\n{}", differences.join("\n"), engine.log());
}

fn what_does_not_fit(engine: &Engine) -> Vec<String> {
    let (all, running) = (ids(engine, "-aq"), ids(engine, "-q"));
    let found = [
        ("directories of containers", names(engine.data_root().join("containers")), &all),
        ("monitors", monitors(engine), &running),
        ("directories of monitors", names(engine.exec_root().join("c")), &running),
        ("cgroups", cgroups(engine), &running),
    ];
    let differences = found.into_iter().flat_map(|(what, seen, expected)| {
        let differences = seen.symmetric_difference(expected);
        differences.map(|id| format!("{what}: {id}")).collect::<Vec<_>>()
    });
    let bridged = engine.gantry(&["ps", "-q", "--filter", "network=bridge"]).ok().lines().count();
    let links = links(engine);
    let links = (links != bridged).then(|| format!("{links} links of {bridged} containers"));
    differences.chain(links).collect()
}

#[test]
fn containers_are_made_and_removed_whole_or_not_at_all() {
    let mut engine = Engine::with_busybox();
    let mut random = Random::new();
    let mut expected = Expected::new();
    for round in 0..ROUNDS {
        let client = Client::new(&engine);
        let worker = std::thread::spawn(move || container_lives(&client, round));
        std::thread::sleep(random.moment(Duration::from_millis(600)));
        engine.kill();
        expected.extend(worker.join().unwrap());
        engine.launch();
        let seen = seen(&engine);
        for (name, states) in &expected {
            let state = seen.get(name).map(String::as_str);
            assert!(states.contains(&state), "{name} is {state:?}, not {states:?}");
        }
        // What was in doubt is settled now.
        let known = seen.iter().map(|(name, state)| (name.clone(), [settled(state)].into()));
        expected = known.collect();
        nothing_is_left_over(&mut engine);
    }
}

/// Each has two volumes that nobody named, one of them filled from the image, and goes with them.
fn lives_with_volumes(client: &Client, round: u64) {
    for n in 0.. {
        let name = format!("v{round}-{n}");
        let create = ["create", "--name", &name, "-v", "/etc", "-v", "/empty", "busybox", "true"];
        let run = ["run", "--rm", "--network", "none", "-v", "/empty", "busybox", "true"];
        let steps: [&[&str]; 3] = [&create, &["rm", "-v", &name], &run];
        // One in three lives on.
        let steps = if n % 3 == 0 { &steps[..1] } else { &steps[..] };
        if !steps.iter().all(|words| client.does(words)) {
            return;
        }
    }
}

#[test]
fn no_volume_is_left_that_was_made_for_a_container() {
    let mut engine = Engine::with_busybox();
    let mut random = Random::new();
    for round in 0..ROUNDS {
        let client = Client::new(&engine);
        let worker = std::thread::spawn(move || lives_with_volumes(&client, round));
        std::thread::sleep(random.moment(Duration::from_millis(300)));
        engine.kill();
        worker.join().unwrap();
        engine.launch();
        let format = "{{range .Mounts}}{{.Name}}\n{{end}}";
        let ids = ids(&engine, "-aq");
        let mut inspect = vec!["inspect", "-f", format];
        inspect.extend(ids.iter().map(String::as_str));
        let listed = if ids.is_empty() { String::new() } else { engine.gantry(&inspect).ok() };
        let had: BTreeSet<String> =
            listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let volumes = engine.gantry(&["volume", "ls", "-q"]).ok();
        let there: BTreeSet<String> = volumes.lines().map(str::to_owned).collect();
        assert_eq!(there, had);
        assert_eq!(names(engine.data_root().join("volumes")), had);
        // Of a `run --rm` nothing stays, wherever it was when its engine died.
        let containers = engine.gantry(&["ps", "-a", "--format", "{{.Names}}"]).ok();
        let named = |name: &str| name.starts_with('v') && name.contains('-');
        assert!(containers.lines().all(named), "{containers}");
    }
    nothing_is_left_over(&mut engine);
}

/// A state that a container may rest in.
fn settled(state: &str) -> Seen {
    let known = ["created", "running", "exited"];
    Some(known.into_iter().find(|known| *known == state).expect("a settled state"))
}

fn image_lives(client: &Client, round: u64) -> BTreeMap<String, BTreeSet<bool>> {
    let archive = image_archive("hello-world").to_string_lossy().into_owned();
    let mut expected = BTreeMap::new();
    for n in 0.. {
        let name = format!("i{round}-{n}:latest");
        let steps: [(&[&str], bool); 4] = [
            (&["load", "-q", "-i", &archive], false),
            (&["commit", "box", &name], true),
            (&["rmi", "hello-world"], true),
            (&["rmi", &name], false),
        ];
        let mut there = false;
        let steps = if n % 3 == 0 { &steps[..3] } else { &steps[..] };
        for (words, after) in steps {
            if !client.does(words) {
                expected.insert(name.clone(), [there, *after].into());
                return expected;
            }
            there = *after;
        }
        expected.insert(name.clone(), [there].into());
    }
    expected
}

#[test]
fn images_are_loaded_and_committed_whole_or_not_at_all() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["run", "--name", "box", "busybox", "sh", "-c", "echo hello >/file"]).ok();
    let mut random = Random::new();
    let mut expected = BTreeMap::new();
    for round in 0..ROUNDS {
        let client = Client::new(&engine);
        let worker = std::thread::spawn(move || image_lives(&client, round));
        std::thread::sleep(random.moment(Duration::from_millis(600)));
        engine.kill();
        expected.extend(worker.join().unwrap());
        engine.launch();
        let list = engine.gantry(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok();
        for (name, there) in &expected {
            let is_there = list.lines().any(|line| line == name);
            assert!(there.contains(&is_there), "{name} is there: {is_there}, not {there:?}");
        }
        expected.retain(|name, _| list.lines().any(|line| line == name));
        expected.values_mut().for_each(|there| *there = [true].into());
        // The next load is not in the way of what a cut one left.
        engine.load("hello-world");
        engine.gantry(&["run", "--rm", "--network", "none", "hello-world"]).ok();
    }
    for name in expected.keys() {
        assert_eq!(engine.gantry(&["run", "--rm", name, "cat", "/file"]).ok(), "hello");
        engine.gantry(&["rmi", name]).ok();
    }
    engine.gantry(&["rmi", "hello-world"]).ok();
    engine.gantry(&["rm", "box"]).ok();
    // A removal that was cut off may have taken the name and not the image.
    engine.gantry(&["image", "prune", "-f"]).ok();
    engine.gantry(&["rmi", "busybox", "alpine"]).ok();
    assert_eq!(engine.gantry(&["images", "-aq"]).ok(), "");
    let layers = engine.data_root().join("layers");
    engine.wait_until("no layer is left", |_| names(layers.clone()).is_empty());
}
