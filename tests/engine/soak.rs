//! Many clients do everything at once while the engine is killed every now and then. Each client knows what was
//! acknowledged of its own objects; some objects are everybody's, and nobody knows who wins there.
//!
//! `GANTRY_SOAK` is the time in seconds (`cargo xtask soak`); without it a short one runs.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testkit::engine::{Engine, Output, binary, finish, image_archive};

use super::interrupted::nothing_is_left_over;
use super::random::Random;
use crate::consistency::assert_consistent;

const CLIENTS: usize = 16;
const CONTAINERS_OF_EACH: usize = 3;
const IMAGES_OF_EACH: usize = 2;
const VOLUMES_OF_EACH: usize = 2;
const SHARED: usize = 4;
const SHORT: Duration = Duration::from_secs(15);
const NUMBERS: &str = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done";

/// What all clients see of the engine's lives: an odd number of turns means that none serves.
#[derive(Default)]
struct Run {
    turns: AtomicU64,
    is_over: AtomicU64,
    acknowledged: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Run {
    fn says(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
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
}

/// How a command ended.
enum Answer {
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
}

impl Client {
    fn new(number: usize, host: String, run: Arc<Run>, seed: u64) -> Self {
        let absent = Belief::known(ABSENT);
        Self {
            number,
            host,
            run,
            random: Random::seeded(seed),
            containers: vec![absent.clone(); CONTAINERS_OF_EACH],
            images: vec![absent.clone(); IMAGES_OF_EACH],
            volumes: vec![absent; VOLUMES_OF_EACH],
        }
    }

    fn work(mut self) -> Self {
        while self.run.is_over.load(Ordering::Relaxed) == 0 {
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
        let before = self.run.turns.load(Ordering::SeqCst);
        let mut command = Command::new(binary("gantry"));
        command.arg("-H").arg(&self.host).args(words).stdin(Stdio::null());
        let output = finish(&mut command);
        let after = self.run.turns.load(Ordering::SeqCst);
        if output.code == 0 {
            self.run.acknowledged.fetch_add(1, Ordering::Relaxed);
            Answer::Done(output)
        } else if before != after || !before.is_multiple_of(2) {
            Answer::Lost
        } else {
            Answer::Refused(output)
        }
    }

    /// Asks for a change from one state to another.
    fn changes(&self, words: &[&str], from: &'static str, to: &'static str) -> Belief {
        match self.asks(words) {
            Answer::Done(_) => Belief::known(to),
            Answer::Lost => Belief([from, to].into()),
            // A `run --rm` of it whose answer was lost may have left its container.
            Answer::Refused(output)
                if ["is using its referenced image", "volume is in use"]
                    .iter()
                    .any(|part| output.stderr.contains(part)) =>
            {
                Belief::known(from)
            }
            Answer::Refused(output) => {
                self.run.says(format!("{from}: {words:?}: {} {}", output.code, output.stderr));
                Belief([from, to].into())
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
        let belief = match (state, chance) {
            (ABSENT, 0..=2) => self.changes(
                &["create", "--name", name, "busybox", "sh", "-c", NUMBERS],
                state,
                "created",
            ),
            (ABSENT, 3) => {
                let token = format!("token {chance}{slot}");
                let words = ["run", "--rm", "--network", "none", "busybox", "echo", &token];
                return self.must_print(&words, 0, |printed| printed.trim_end() == token);
            }
            (ABSENT, _) => {
                // Between create and start there is a state of its own.
                let words = ["run", "-d", "--name", name, "busybox", "sh", "-c", NUMBERS];
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

    /// An answer was lost: looks what is true, which must be one of what may be.
    fn settle_container(&mut self, slot: usize) {
        let name = self.container(slot);
        if self.containers[slot].certain().is_none() {
            // The process that a dead engine has sent a signal to may still be ending.
            std::thread::sleep(Duration::from_secs(1));
        }
        let filter = format!("name=^/{name}$");
        let words = ["ps", "-a", "--filter", &filter, "--format", "{{.State}}"];
        let Answer::Done(output) = self.asks(&words) else { return };
        self.containers[slot] = self.settled(&name, &self.containers[slot], &output.stdout);
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
        let source = self.containers.iter().position(|belief| belief.certain() == Some("exited"));
        let belief = match (state, self.random.below(4), source) {
            (ABSENT, 0 | 1, Some(source)) => {
                self.changes(&["commit", &self.container(source), name], state, "there")
            }
            (ABSENT, ..) => self.changes(&["tag", "busybox", name], state, "there"),
            (_, 0, _) => {
                let words = ["run", "--rm", "--network", "none", name, "cat", "/etc/passwd"];
                return self.must_print(&words, 0, |printed| printed.contains("root"));
            }
            (_, 1, _) => return self.must_print(&["history", "-q", name], 0, |p| !p.is_empty()),
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
        self.volumes[slot] = match (state, self.random.below(3)) {
            (ABSENT, _) => self.changes(&["volume", "create", &name], state, "there"),
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
    let seconds = std::env::var("GANTRY_SOAK").ok().map(|text| text.parse().expect("seconds"));
    let time = seconds.map_or(SHORT, Duration::from_secs);
    let mut engine = Engine::with_busybox();
    let mut random = Random::new();
    let run = Arc::new(Run::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::new(number, engine.host(), run.clone(), random.number());
            std::thread::spawn(|| client.work())
        })
        .collect();
    let end = Instant::now() + time;
    let most = (time / 5).min(Duration::from_secs(40));
    let mut kills = 0;
    while Instant::now() + most / 2 < end {
        std::thread::sleep(random.moment(most));
        run.turns.fetch_add(1, Ordering::SeqCst);
        engine.kill();
        engine.launch();
        run.turns.fetch_add(1, Ordering::SeqCst);
        kills += 1;
    }
    run.is_over.store(1, Ordering::Relaxed);
    let mut clients: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    clients.iter_mut().for_each(Client::checks);
    let acknowledged = run.acknowledged.load(Ordering::Relaxed);
    println!("{acknowledged} commands acknowledged, {kills} engines killed");
    let wrong = run.wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    assert!(acknowledged > 0 && kills > 0);
    nothing_is_left_over(&mut engine);
    engine.stop();
    assert_consistent(&engine);
}
