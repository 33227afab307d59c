//! Many clients make, join, leave and remove networks at once, their own and everybody's, while the engine is killed
//! every now and then. When all is removed again, the host's network is as it was before.
//!
//! `GANTRY_SOAK` as in the soak of everything else.

use std::sync::Arc;

use testkit::engine::{Engine, wait_for};

use super::random::Random;
use super::soak::{Answer, CLIENTS, Run};
use crate::network::kernel::{self, assert_same};

const OF_EACH: usize = 2;
const SHARED: usize = 3;

/// What somebody may be told whose object another one has, or who asks for the same a second time because an answer was
/// lost.
const SENSIBLE: [&str; 13] = [
    "already exists",
    "already in use",
    "has active endpoints",
    "is already in progress",
    "is not connected to",
    "is not running",
    "No such container",
    "not found",
    "can not be connected",
    "cannot be connected",
    "is marked for removal",
    "is restarting",
    "a prune operation is already running",
];

struct Client {
    number: usize,
    host: String,
    run: Arc<Run>,
    random: Random,
}

impl Client {
    fn work(mut self) {
        while !self.run.is_over() {
            self.step();
        }
    }

    /// One of its own, or one that everybody makes and removes.
    fn network(&mut self) -> String {
        match self.random.below(3) {
            0 => format!("shared{}", self.random.below(SHARED)),
            _ => format!("n{}-{}", self.number, self.random.below(OF_EACH)),
        }
    }

    fn container(&mut self) -> String {
        format!("c{}-{}", self.number, self.random.below(OF_EACH))
    }

    fn step(&mut self) {
        let (network, container) = (self.network(), self.container());
        let (network, container) = (network.as_str(), container.as_str());
        let kinds: [&[&str]; 5] = [
            &[],
            &["--internal"],
            &["--ipv6"],
            &["-o", "com.docker.network.bridge.enable_icc=false"],
            &["-o", "com.docker.network.bridge.gateway_mode_ipv4=routed"],
        ];
        let ports: [&[&str]; 4] = [
            &[],
            &["-p", "80"],
            &["-p", "127.0.0.1::81", "-p", "53/udp"],
            &["-P", "--expose=90-99"],
        ];
        let (kind, ports) = (*self.random.pick(&kinds), *self.random.pick(&ports));
        let create = [&["network", "create"], kind, &[network]].concat();
        let on = ["run", "-d", "--name", container, "--network", network];
        let run = [&on[..], ports, &["busybox", "sleep", "86400"]].concat();
        let plain = [&on[..4], ports, &["busybox", "sleep", "86400"]].concat();
        let alone = ["run", "--rm", "--network", network, "busybox", "true"];
        let all: [&[&str]; 15] = [
            &create,
            &create,
            &create,
            &run,
            &run,
            &plain,
            &alone,
            &["network", "connect", network, container],
            &["network", "connect", "--alias", "also", network, container],
            &["network", "disconnect", "-f", network, container],
            &["rm", "-f", container],
            &["restart", "-t", "0", container],
            &["network", "rm", network],
            &["network", "rm", network],
            &["network", "inspect", "-v", network],
        ];
        let words = *self.random.pick(&all);
        if let Answer::Refused(output) = self.run.ask(&self.host, words)
            && !SENSIBLE.iter().any(|part| output.stderr.contains(part))
        {
            self.run.says(format!("{words:?}: {} {}", output.code, output.stderr));
        }
    }
}

#[test]
fn sixteen_clients_make_join_and_remove_networks_while_engines_die() {
    let mut engine = Engine::with_busybox();
    let mut random = Random::new();
    // What stays from the first time on: the proxy of published ports, the cgroup, the links of the host between which
    // nothing is to be forwarded.
    engine.gantry(&["run", "--rm", "-p", "80", "busybox", "true"]).ok();
    engine.gantry(&["network", "create", "--ipv6", "first"]).ok();
    engine.gantry(&["network", "rm", "first"]).ok();
    let before = kernel::settled(&engine);
    let run = Arc::new(Run::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let random = Random::seeded(random.number());
            let client = Client { number, host: engine.host(), run: run.clone(), random };
            std::thread::spawn(|| client.work())
        })
        .collect();
    run.kill_engines(&mut engine, &mut random);
    clients.into_iter().for_each(|client| client.join().unwrap());
    run.assert_all_is_well();
    remove_all(&engine);
    wait_for("links are gone", || engine.links().len() == 1);
    assert_same(&before, &kernel::settled(&engine), "when all is removed");
    engine.kill();
    engine.launch();
    assert_same(&before, &kernel::seen(&engine), "with one more engine");
}

fn remove_all(engine: &Engine) {
    let containers = engine.gantry(&["ps", "-aq"]).ok();
    let containers: Vec<_> = containers.lines().collect();
    engine.gantry(&[&["rm", "-f"], &containers[..]].concat()).ok();
    let custom = ["network", "ls", "-q", "--filter", "type=custom"];
    let networks = engine.gantry(&custom).ok();
    engine.gantry(&[&["network", "rm"], &networks.lines().collect::<Vec<_>>()[..]].concat()).ok();
    assert_eq!(engine.gantry(&custom).ok(), "");
}
