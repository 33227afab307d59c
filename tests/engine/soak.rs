//! Many clients do everything at once while the engine is killed every now and then. Each client knows what was
//! acknowledged of its own objects; some objects are everybody's, and nobody knows who wins there.
//!
//! `GANTRY_SOAK` is the time in seconds (`cargo xtask soak`); without it a short one runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testkit::engine::{Engine, Output, binary, finish, image_archive};

use super::interrupted::nothing_is_left_over;
use super::random::Random;
use crate::consistency::{assert_consistent, assert_no_volume_is_orphaned};

pub(super) const CLIENTS: usize = 16;
const CONTAINERS_OF_EACH: usize = 3;
const IMAGES_OF_EACH: usize = 2;
const VOLUMES_OF_EACH: usize = 2;
const SHARED: usize = 4;
const SHORT: Duration = Duration::from_secs(15);
const BUSY: [&str; 4] =
    ["busybox", "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"];

/// What all clients see of the engine's lives: an odd number of turns means that none serves.
#[derive(Default)]
pub(super) struct Run {
    turns: AtomicU64,
    is_over: AtomicU64,
    acknowledged: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Run {
    pub(super) fn says(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) != 0
    }

    /// Runs `gantry` against the engine at that address.
    pub(super) fn ask(&self, host: &str, words: &[&str]) -> Answer {
        let before = self.turns.load(Ordering::SeqCst);
        let mut command = Command::new(binary("gantry"));
        command.arg("-H").arg(host).args(words).stdin(Stdio::null());
        let output = finish(&mut command);
        let after = self.turns.load(Ordering::SeqCst);
        if output.code == 0 {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            Answer::Done(output)
        } else if before != after || !before.is_multiple_of(2) {
            Answer::Lost
        } else {
            Answer::Refused(output)
        }
    }

    /// Kills engines for as long as the soak goes on, and has the next one serve each time.
    pub(super) fn kill_engines(&self, engine: &mut Engine, random: &mut Random) {
        let seconds = std::env::var("GANTRY_SOAK").ok().map(|text| text.parse().expect("seconds"));
        let time = seconds.map_or(SHORT, Duration::from_secs);
        let end = Instant::now() + time;
        let most = (time / 5).min(Duration::from_secs(40));
        let mut kills = 0;
        while Instant::now() + most / 2 < end {
            std::thread::sleep(random.moment(most));
            self.turns.fetch_add(1, Ordering::SeqCst);
            engine.kill();
            engine.launch();
            self.turns.fetch_add(1, Ordering::SeqCst);
            kills += 1;
        }
        self.is_over.store(1, Ordering::Relaxed);
        println!("{kills} engines killed");
        assert!(kills > 0);
    }

    /// At the end.
    #[track_caller]
    pub(super) fn assert_all_is_well(&self) {
        let acknowledged = self.acknowledged.load(Ordering::Relaxed);
        println!("{acknowledged} commands acknowledged");
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
        assert!(acknowledged > 0);
    }
}

/// What may be true of an object: one thing, or what was and what was asked for where the answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Belief(BTreeSet<&'static str>);

const ABSENT: &str = "absent";

impl Belief {
    fn known(state: &'static str) -> Self {
        Self([state].into())
    }

    fn certain(&self) -> Option<&'static str> {
        (self.0.len() == 1).then(|| *self.0.first().expect("one"))
    }

    /// Whether somebody may have asked for its end and not have heard of it.
    fn may_be_ending(&self) -> bool {
        self.certain().is_none() && self.0.contains("exited")
    }
}

/// How a command ended.
pub(super) enum Answer {
    Done(Output),
    /// The engine served all the while and refused.
    Refused(Output),
    /// An engine died meanwhile.
    Lost,
}

struct Client {
    number: usize,
    host: String,
    run: Arc<Run>,
    random: Random,
    containers: Vec<Belief>,
    images: Vec<Belief>,
    volumes: Vec<Belief>,
    /// For its own files.
    scratch: PathBuf,
}

impl Client {
    fn new(number: usize, engine: &Engine, run: Arc<Run>, seed: u64) -> Self {
        let absent = Belief::known(ABSENT);
        let scratch = engine.scratch().join(format!("client-{number}"));
        std::fs::create_dir(&scratch).unwrap();
        Self {
            number,
            host: engine.host(),
            scratch,
            run,
            random: Random::seeded(seed),
            containers: vec![absent.clone(); CONTAINERS_OF_EACH],
            images: vec![absent.clone(); IMAGES_OF_EACH],
            volumes: vec![absent; VOLUMES_OF_EACH],
        }
    }

    fn work(mut self) -> Self {
        while !self.run.is_over() {
            match self.random.below(12) {
                0..=5 => self.container_step(),
                6 | 7 => self.image_step(),
                8 | 9 => self.volume_step(),
                10 => self.shared_step(),
                _ => self.look(),
            }
        }
        self
    }

    fn asks(&self, words: &[&str]) -> Answer {
        self.run.ask(&self.host, words)
    }

    /// Asks for a change from one state to another.
    fn changes(&self, words: &[&str], from: &'static str, to: &'static str) -> Belief {
        match self.asks(words) {
            Answer::Done(_) => Belief::known(to),
            Answer::Lost => Belief([from, to].into()),
            Answer::Refused(output) if is_excused(&output) => Belief::known(from),
            Answer::Refused(output) => {
                self.run.says(format!("{from}: {words:?}: {} {}", output.code, output.stderr));
                Belief([from, to].into())
            }
        }
    }

    /// Asks again and again while engines die. Once an answer was lost, a refusal with the words `already` means that it
    /// is done.
    fn in_the_end(&self, words: &[&str], already: &str) -> Option<Output> {
        let mut was_lost = false;
        loop {
            match self.asks(words) {
                Answer::Done(output) => return Some(output),
                Answer::Lost => was_lost = true,
                Answer::Refused(output) if was_lost && output.stderr.contains(already) => {
                    return Some(output);
                }
                Answer::Refused(output) if is_excused(&output) => return None,
                Answer::Refused(output) => {
                    self.run.says(format!("{words:?}: {} {}", output.code, output.stderr));
                    return None;
                }
            }
        }
    }

    /// Asks for what changes nothing, and must be answered so.
    fn must_print(&self, words: &[&str], code: i32, is_right: impl Fn(&str) -> bool) {
        let (answer, output) = match self.asks(words) {
            Answer::Lost => return,
            Answer::Done(output) => (0, output),
            Answer::Refused(output) => (output.code, output),
        };
        if answer != code || !is_right(&output.stdout) {
            let Output { stdout, stderr, .. } = output;
            self.run.says(format!("{words:?}: {answer}, {stdout:?}, {stderr:?}"));
        }
    }

    fn container(&self, slot: usize) -> String {
        format!("c{}-{slot}", self.number)
    }

    fn image(&self, slot: usize) -> String {
        format!("soak:i{}-{slot}", self.number)
    }

    fn container_step(&mut self) {
        let slot = self.random.below(CONTAINERS_OF_EACH);
        let name = self.container(slot);
        let name = name.as_str();
        let Some(state) = self.containers[slot].certain() else {
            self.settle_container(slot);
            return;
        };
        let chance = self.random.below(8);
        if state != ABSENT && self.random.below(4) == 0 {
            return self.keeps_its_state(slot, state);
        }
        let belief = match (state, chance) {
            (ABSENT, 0..=2) => self.changes(
                &[&["create", "--name", name][..], options(slot), &BUSY].concat(),
                state,
                "created",
            ),
            (ABSENT, 3) => {
                let token = format!("token {chance}{slot}");
                let words = ["run", "--rm", "-v", "/nobodys", "--network", "none", "busybox"];
                let words = [&words[..], &["echo", &token]].concat();
                return self.must_print(&words, 0, |printed| printed.trim_end() == token);
            }
            (ABSENT, _) => {
                // Between create and start there is a state of its own.
                let words = [&["run", "-d", "--name", name][..], options(slot), &BUSY].concat();
                let mut belief = self.changes(&words, state, "running");
                if belief.certain().is_none() {
                    belief.0.insert("created");
                }
                belief
            }
            ("created" | "exited", 0..=3) => self.changes(&["start", name], state, "running"),
            ("created" | "exited", 4) => self.changes(&["rm", name], state, ABSENT),
            ("running", 0) => self.changes(&["stop", "-t", "0", name], state, "exited"),
            ("running", 1) => self.changes(&["kill", name], state, "exited"),
            ("running" | "paused", 2) => {
                // It is killed, then removed.
                let mut belief = self.changes(&["rm", "-f", name], state, ABSENT);
                if belief.certain().is_none() {
                    belief.0.insert("exited");
                }
                belief
            }
            ("running", 3) => self.changes(&["pause", name], state, "paused"),
            ("running", 4) => self.changes(&["restart", "-t", "0", name], "exited", state),
            ("running", 5 | 6) => {
                let words = ["exec", name, "sh", "-c", "echo hello; exit 7"];
                return self.must_print(&words, 7, |printed| printed == "hello\n");
            }
            ("paused", 0 | 1 | 3..=5) => self.changes(&["unpause", name], state, "running"),
            (_, 7) if state != ABSENT => return self.must_print(&["logs", name], 0, are_numbers),
            (_, 6) => {
                let words = ["inspect", "-f", "{{.State.Status}}", name];
                return self.must_print(&words, 0, |printed| printed.trim_end() == state);
            }
            _ => return,
        };
        self.containers[slot] = belief;
    }

    /// What does not change whether it runs.
    fn keeps_its_state(&mut self, slot: usize, state: &'static str) {
        let name = self.container(slot);
        match self.random.below(4) {
            0 => {
                let other = format!("{name}-moved");
                for (from, to) in [(&name, &other), (&other, &name)] {
                    self.in_the_end(&["rename", from, to], "No such container");
                }
            }
            1 if state != "paused" => {
                let memory = ["64m", "96m"][self.random.below(2)];
                let update = ["update", "--memory", memory, "--memory-swap", "-1", &name];
                if self.in_the_end(&update, "").is_some() {
                    let bytes = if memory == "64m" { "67108864" } else { "100663296" };
                    let words = ["inspect", "-f", "{{.HostConfig.Memory}}", &name];
                    self.must_print(&words, 0, |printed| printed.trim_end() == bytes);
                }
            }
            2 if state == "running" => {
                let words = ["top", &name];
                self.must_print(&words, 0, |printed| printed.lines().count() > 1);
            }
            _ if state != "paused" => self.copies(&name),
            _ => {}
        }
    }

    /// Into a container and out of it again.
    fn copies(&mut self, name: &str) {
        let (here, back) = (self.scratch.join("here"), self.scratch.join("back"));
        let content = format!("{name} {}", self.random.number());
        std::fs::write(&here, &content).unwrap();
        let _ = std::fs::remove_file(&back);
        let [here, back] = [here, back].map(|path| path.to_string_lossy().into_owned());
        let inside = format!("{name}:/copied");
        let copied = self.in_the_end(&["cp", "-q", &here, &inside], "").is_some()
            && self.in_the_end(&["cp", "-q", &inside, &back], "").is_some();
        if copied && std::fs::read_to_string(&back).ok().as_ref() != Some(&content) {
            self.run.says(format!("what was copied to {name} is not what came back"));
        }
    }

    /// An answer was lost: looks what is true, which must be one of what may be. What may have been told to end by an
    /// engine that died may do so any time later, a paused one when it goes on: that is removed, to be sure of it.
    fn settle_container(&mut self, slot: usize) {
        let name = self.container(slot);
        let may_be_ending = self.containers[slot].may_be_ending();
        let filter = format!("name=^/{name}$");
        let words = ["ps", "-a", "--filter", &filter, "--format", "{{.State}}"];
        let seen = loop {
            let Answer::Done(output) = self.asks(&words) else { return };
            // What an engine ended and died before it said so is started again by the next one.
            if output.stdout.trim() != "restarting" || !may_be_ending {
                break output.stdout;
            }
        };
        let belief = self.settled(&name, &self.containers[slot], &seen);
        let is_alive = ["running", "paused"].map(Some).contains(&belief.certain());
        self.containers[slot] = match may_be_ending && is_alive {
            true => match self.in_the_end(&["rm", "-f", &name], "No such container") {
                Some(_) => Belief::known(ABSENT),
                None => belief,
            },
            false => belief,
        };
    }

    fn settled(&self, name: &str, belief: &Belief, seen: &str) -> Belief {
        let seen = if seen.trim().is_empty() { ABSENT } else { seen.trim() };
        match belief.0.iter().find(|state| **state == seen) {
            Some(state) => Belief::known(state),
            None => {
                self.run.says(format!("{name} is {seen}, not one of {belief:?}"));
                belief.clone()
            }
        }
    }

    fn image_step(&mut self) {
        let slot = self.random.below(IMAGES_OF_EACH);
        let name = self.image(slot);
        let name = name.as_str();
        let Some(state) = self.images[slot].certain() else {
            let words = ["images", "-q", name];
            let Answer::Done(output) = self.asks(&words) else { return };
            let seen = if output.stdout.is_empty() { ABSENT } else { "there" };
            self.images[slot] = self.settled(name, &self.images[slot], seen);
            return;
        };
        let can_be = ["exited", "running", "paused"];
        let source = self
            .containers
            .iter()
            .position(|belief| belief.certain().is_some_and(|state| can_be.contains(&state)));
        let belief = match (state, self.random.below(5), source) {
            (ABSENT, 0 | 1, Some(source)) => {
                self.changes(&["commit", &self.container(source), name], state, "there")
            }
            (ABSENT, ..) => self.changes(&["tag", "busybox", name], state, "there"),
            (_, 0, _) => {
                let words = ["run", "--rm", "--network", "none", name, "cat", "/etc/passwd"];
                return self.must_print(&words, 0, |printed| printed.contains("root"));
            }
            (_, 1, _) => return self.must_print(&["history", "-q", name], 0, |p| !p.is_empty()),
            (_, 2, _) => {
                let archive = self.scratch.join("image.tar").to_string_lossy().into_owned();
                if self.in_the_end(&["save", "-o", &archive, name], "").is_some() {
                    let loaded = self.in_the_end(&["load", "-q", "-i", &archive], "");
                    if loaded.is_some_and(|output| !output.stdout.contains(name)) {
                        self.run.says(format!("{name} was not loaded by its name"));
                    }
                }
                return;
            }
            _ => self.changes(&["rmi", name], state, ABSENT),
        };
        self.images[slot] = belief;
    }

    fn volume(&self, slot: usize) -> String {
        format!("v{}-{slot}", self.number)
    }

    /// What is written to one names it, and stays.
    fn volume_step(&mut self) {
        let slot = self.random.below(VOLUMES_OF_EACH);
        let name = self.volume(slot);
        let place = format!("{name}:/place");
        let Some(state) = self.volumes[slot].certain() else {
            let words = ["volume", "ls", "-q", "--filter", &format!("name={name}")];
            let Answer::Done(output) = self.asks(&words) else { return };
            let seen = if output.stdout.is_empty() { ABSENT } else { "there" };
            self.volumes[slot] = self.settled(&name, &self.volumes[slot], seen);
            return;
        };
        self.volumes[slot] = match (state, self.random.below(5)) {
            (ABSENT, _) => self.changes(&["volume", "create", &name], state, "there"),
            (_, 1) => return self.copies_of_volume(&name),
            (_, 2) => {
                let other = format!("m{name}");
                for (from, to) in [(&name, &other), (&other, &name)] {
                    if self.in_the_end(&["volume", "rename", from, to], "no such volume").is_none()
                    {
                        break;
                    }
                }
                return;
            }
            (_, 0) => self.changes(&["volume", "rm", &name], state, ABSENT),
            _ => {
                let script = format!("echo {name} >/place/$RANDOM; cat /place/*");
                let run = ["run", "--rm", "--network", "none", "-v", &place, "busybox"];
                let words = [&run[..], &["sh", "-c", &script]].concat();
                return self.must_print(&words, 0, |printed| {
                    !printed.is_empty() && printed.lines().all(|line| line == name)
                });
            }
        };
    }

    /// A clone and a snapshot have what the volume has.
    fn copies_of_volume(&mut self, name: &str) {
        for verb in ["clone", "snapshot"] {
            // Not the volume's name in it: lists are filtered by parts of names.
            let copy = format!("{verb}{}-{}", self.number, self.random.number());
            let words = ["volume", verb, name, &copy];
            if self.in_the_end(&words, "already exists").is_none() {
                return;
            }
            let place = format!("{copy}:/place");
            let run = ["run", "--rm", "--network", "none", "-v", &place, "busybox"];
            let words = [&run[..], &["sh", "-c", "cat /place/* 2>/dev/null; true"]].concat();
            self.must_print(&words, 0, |printed| printed.lines().all(|line| line == name));
            self.in_the_end(&["volume", "rm", "-f", &copy], "");
        }
    }

    /// Objects of everybody: any sensible answer will do.
    fn shared_step(&mut self) {
        let name = format!("shared{}", self.random.below(SHARED));
        let archive = image_archive("hello-world").to_string_lossy().into_owned();
        let all: [&[&str]; 7] = [
            &["run", "-d", "--name", &name, "--network", "none", "busybox", "sleep", "86400"],
            &["rm", "-f", &name],
            &["restart", "-t", "0", &name],
            &["load", "-q", "-i", &archive],
            &["rmi", "hello-world"],
            &["image", "prune", "-f"],
            &["container", "prune", "-f", "--filter", "label=nobody"],
        ];
        let words = *self.random.pick(&all);
        if let Answer::Refused(output) = self.asks(words) {
            let sensible = [
                "is already in use by container",
                "No such container",
                "No such image",
                "is already in progress",
                "is marked for removal",
                "a prune operation is already running",
            ];
            if !sensible.iter().any(|part| output.stderr.contains(part)) {
                self.run.says(format!("{words:?}: {} {}", output.code, output.stderr));
            }
        }
    }

    fn look(&mut self) {
        let all: [&[&str]; 4] = [
            &["ps", "-a"],
            &["images", "-a"],
            &["info"],
            &["events", "--since", "10s", "--until", "0s"],
        ];
        let words = *self.random.pick(&all);
        self.must_print(words, 0, |_| true);
    }

    /// At the end, with an engine that serves: what was acknowledged is there.
    fn checks(&mut self) {
        for slot in 0..CONTAINERS_OF_EACH {
            self.settle_container(slot);
            match self.containers[slot].certain() {
                None => self.run.says(format!("{} could not be settled", self.container(slot))),
                Some(ABSENT | "created") => {}
                Some(_) => self.must_print(&["logs", &self.container(slot)], 0, are_numbers),
            }
        }
        for (slot, belief) in self.volumes.iter().enumerate() {
            let name = self.volume(slot);
            let words = ["volume", "ls", "-q", "--filter", &format!("name={name}")];
            let Answer::Done(output) = self.asks(&words) else {
                self.run.says(format!("{name} could not be looked up"));
                continue;
            };
            self.settled(&name, belief, if output.stdout.is_empty() { ABSENT } else { "there" });
        }
        for (slot, belief) in self.images.iter().enumerate() {
            let name = self.image(slot);
            let Answer::Done(output) = self.asks(&["images", "-q", &name]) else {
                self.run.says(format!("{name} could not be looked up"));
                continue;
            };
            self.settled(&name, belief, if output.stdout.is_empty() { ABSENT } else { "there" });
        }
    }
}

/// A `run --rm` whose answer was lost may have left its container, which has an image and a volume.
fn is_excused(output: &Output) -> bool {
    let excuses = ["is using its referenced image", "volume is in use"];
    excuses.iter().any(|part| output.stderr.contains(part))
}

/// What a container of that slot has besides.
fn options(slot: usize) -> &'static [&'static str] {
    const PLAIN: &[&str] = &[];
    const CHECKED: &[&str] = &["--health-cmd", "true", "--health-interval", "1s"];
    const RESTARTED: &[&str] = &["--restart", "unless-stopped", "--network", "none"];
    [PLAIN, CHECKED, RESTARTED][slot]
}

/// Counted from 0 in each of the container's lives, no line lost or doubled.
fn are_numbers(log: &str) -> bool {
    let mut next = 0;
    log.lines().all(|line| {
        let Ok(number) = line.parse::<u64>() else { return false };
        let fits = number == next || number == 0;
        next = number + 1;
        fits
    })
}

#[test]
fn sixteen_clients_do_everything_while_engines_die() {
    let mut engine = Engine::with_busybox();
    let mut random = Random::new();
    let run = Arc::new(Run::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::new(number, &engine, run.clone(), random.number());
            std::thread::spawn(|| client.work())
        })
        .collect();
    run.kill_engines(&mut engine, &mut random);
    let mut clients: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    clients.iter_mut().for_each(Client::checks);
    run.assert_all_is_well();
    nothing_is_left_over(&mut engine);
    engine.stop();
    assert_consistent(&engine);
    assert_no_volume_is_orphaned(&engine);
}
