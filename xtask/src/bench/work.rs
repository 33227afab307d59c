//! The work, with the numbers of docs/benchmarks.md as budgets.

use std::thread;
use std::time::Duration;

use super::contestant::{Contestant, IDLE, Kind};
use super::image::NAME as IMAGE;
use super::{builds, compose, publish, registry, traffic};
use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Megabytes,
    Processes,
}

/// One line of the table.
pub(super) struct Metric {
    pub(super) title: &'static str,
    pub(super) unit: Unit,
    /// At most this much, in the unit.
    pub(super) budget: Option<f64>,
}

pub(super) struct Work {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) rounds: u32,
    pub(super) metrics: &'static [Metric],
    /// Does the work once and returns a value for each metric.
    pub(super) run: fn(&mut Contestant) -> Result<Vec<f64>>,
}

pub(super) const fn milliseconds(title: &'static str, budget: f64) -> Metric {
    Metric { title, unit: Unit::Milliseconds, budget: Some(budget) }
}

/// For comparison only.
const fn unbounded(title: &'static str) -> Metric {
    Metric { title, unit: Unit::Milliseconds, budget: None }
}

pub(super) const fn megabytes(title: &'static str, budget: f64) -> Metric {
    Metric { title, unit: Unit::Megabytes, budget: Some(budget) }
}

pub(super) const WORK: &[Work] = &[
    Work {
        name: "run-bridge",
        kind: Kind::Engine,
        rounds: 15,
        metrics: &[milliseconds("run --rm true, bridge", 15.0)],
        run: |contestant| one(contestant, &["run", "--rm", IMAGE, "true"]),
    },
    Work {
        name: "run-none",
        kind: Kind::Engine,
        rounds: 15,
        metrics: &[milliseconds("run --rm true, none", 10.0)],
        run: |contestant| one(contestant, &["run", "--rm", "--network", "none", IMAGE, "true"]),
    },
    Work {
        name: "run-host",
        kind: Kind::Engine,
        rounds: 15,
        metrics: &[milliseconds("run --rm true, host", 10.0)],
        run: |contestant| one(contestant, &["run", "--rm", "--network", "host", IMAGE, "true"]),
    },
    Work {
        name: "exec",
        kind: Kind::Engine,
        rounds: 15,
        metrics: &[milliseconds("exec true", 6.0)],
        run: |contestant| one(contestant, &["exec", IDLE, "true"]),
    },
    Work {
        name: "ps",
        kind: Kind::Engine,
        rounds: 15,
        metrics: &[milliseconds("ps", 4.0)],
        run: |contestant| one(contestant, &["ps"]),
    },
    Work {
        name: "starts",
        kind: Kind::Engine,
        rounds: 3,
        metrics: &[
            milliseconds("50 starts, 8 at a time", 600.0),
            milliseconds("remove all 50", 300.0),
        ],
        run: starts,
    },
    Work {
        name: "idle",
        kind: Kind::Engine,
        rounds: 1,
        metrics: &[
            megabytes("engine with 20 containers, PSS", 12.0),
            megabytes("per container, PSS", 0.3),
        ],
        run: idle,
    },
    Work {
        name: "logs",
        kind: Kind::Engine,
        rounds: 3,
        metrics: &[
            milliseconds("41 MB in lines of 41 bytes, attached", 250.0),
            milliseconds("read them back with logs", 300.0),
        ],
        run: |contestant| logs(contestant, "/lines"),
    },
    Work {
        name: "short-logs",
        kind: Kind::Engine,
        rounds: 3,
        metrics: &[
            unbounded("41 MB in lines of 8 bytes, attached"),
            unbounded("read the short lines back with logs"),
        ],
        run: |contestant| logs(contestant, "/short-lines"),
    },
    Work {
        name: "run-publish",
        kind: Kind::Engine,
        rounds: 15,
        metrics: &[milliseconds("run --rm -p 80 true, bridge", 18.0)],
        run: |contestant| one(contestant, &["run", "--rm", "-p", "80", IMAGE, "true"]),
    },
    Work {
        name: "publish-many",
        kind: Kind::Engine,
        rounds: 1,
        metrics: &[
            unbounded("start with a port, none published"),
            unbounded("start with a port, 199 published"),
        ],
        run: publish::one_of_many,
    },
    Work {
        name: "publish-range",
        kind: Kind::Engine,
        rounds: 1,
        metrics: &[
            unbounded("start with 1,000 ports"),
            Metric { title: "processes for 1,000 ports", unit: Unit::Processes, budget: Some(0.0) },
            megabytes("memory for 1,000 ports, PSS", 0.3),
        ],
        run: publish::range,
    },
    Work {
        name: "traffic",
        kind: Kind::Engine,
        rounds: 3,
        metrics: &[
            unbounded("2 GB from container to container"),
            unbounded("2 GB from the host to a container"),
            unbounded("2 GB to a port on 127.0.0.1"),
            unbounded("2 GB to a port on the host's address"),
            unbounded("5,000 connections to a container"),
            unbounded("5,000 connections to a port on 127.0.0.1"),
        ],
        run: traffic::measure,
    },
    Work {
        name: "build",
        kind: Kind::Engine,
        rounds: 3,
        metrics: &[
            milliseconds("build three stages, nothing known", 2000.0),
            milliseconds("build them again", 40.0),
            milliseconds("build them with one file changed", 150.0),
        ],
        run: builds::stages,
    },
    Work {
        name: "build-listing",
        kind: Kind::Engine,
        rounds: 1,
        metrics: &[unbounded("build of 100,000 unchanged files")],
        run: builds::listing,
    },
    Work {
        name: "build-waiting",
        kind: Kind::Engine,
        rounds: 1,
        metrics: &[unbounded("build ten stages that sleep a second")],
        run: builds::waiting,
    },
    Work {
        name: "registry",
        kind: Kind::Engine,
        rounds: 3,
        metrics: &[
            unbounded("push 305 MB in 4 layers"),
            milliseconds("pull 305 MB in 4 layers", 1200.0),
        ],
        run: registry::push_and_pull,
    },
    Work {
        name: "compose",
        kind: Kind::Engine,
        rounds: 5,
        metrics: &[
            milliseconds("compose up -d --wait, three services with a check", 300.0),
            milliseconds("compose down of them", 100.0),
        ],
        run: compose::three,
    },
    Work {
        name: "compose-unchanged",
        kind: Kind::Engine,
        rounds: 5,
        metrics: &[milliseconds("compose up -d of 20 services that are up", 50.0)],
        run: compose::unchanged,
    },
    Work {
        name: "runtime",
        kind: Kind::Runtime,
        rounds: 25,
        metrics: &[milliseconds("OCI runtime alone, run", 3.0)],
        run: |contestant| one(contestant, &[]),
    },
];

fn one(contestant: &mut Contestant, words: &[&str]) -> Result<Vec<f64>> {
    Ok(vec![contestant.run(words)? * 1000.0])
}

fn starts(contestant: &mut Contestant) -> Result<Vec<f64>> {
    let names: Vec<String> = (0..50).map(|number| format!("gantry-bench-{number}")).collect();
    let start = |name| vec!["run", "-d", "--name", name, IMAGE, "sleep", "1000000"];
    let started =
        contestant.run_all(&names.iter().map(|name| start(name.as_str())).collect::<Vec<_>>())?;
    let removed = contestant.remove(&as_str(&names))?;
    Ok(vec![started * 1000.0, removed * 1000.0])
}

fn idle(contestant: &mut Contestant) -> Result<Vec<f64>> {
    const COUNT: usize = 20;
    let before = contestant.processes.helpers();
    let names: Vec<String> =
        (0..COUNT).map(|number| format!("gantry-bench-idle-{number}")).collect();
    for name in &names {
        contestant.run(&["run", "-d", "--name", name, IMAGE, "sleep", "1000000"])?;
    }
    // What an engine still does after its reply is done by then.
    thread::sleep(Duration::from_secs(2));
    let values = vec![
        contestant.processes.engine(),
        (contestant.processes.helpers() - before) / COUNT as f64,
    ];
    contestant.remove(&as_str(&names))?;
    Ok(values)
}

fn logs(contestant: &mut Contestant, lines: &str) -> Result<Vec<f64>> {
    const NAME: &str = "gantry-bench-lines";
    let written = contestant.run(&["run", "--name", NAME, IMAGE, "cat", lines])?;
    let read = contestant.run(&["logs", NAME])?;
    contestant.run(&["rm", NAME])?;
    Ok(vec![written * 1000.0, read * 1000.0])
}

pub(super) fn as_str(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
