//! `cargo xtask bench`: this engine and others do the same work in turn, in one run on one machine.
//!
//! Wall clock of whole commands, as a person at a terminal waits for them. The others run in a Debian root with
//! namespaces of their own; a copy of this program inside starts their commands, so that nothing stands between the
//! clock and the command. They are measured first by themselves, and then in turn with ours: on cgroup v1 our engine
//! mounts a hierarchy that takes waits away from everybody on the machine, and both numbers are shown.
//! Numbers are printed and written down; nothing is asserted.

mod builds;
mod compose;
mod contestant;
mod floor;
mod image;
mod memory;
mod place;
mod publish;
mod registry;
mod report;
mod scale;
mod traffic;
mod work;

use std::path::PathBuf;
use std::process::Command;

use testkit::engine::Engine;
use testkit::peers::Peers;

use crate::{Result, build, setup, shell};
use contestant::{Contestant, Guests};
use report::Report;
use work::{WORK, Work};

const USAGE: &str = "usage: cargo xtask bench [--against docker,podman] [--only NAME[,NAME...]]";

struct Options {
    against: Vec<String>,
    only: Vec<String>,
}

pub(crate) fn run(args: &[String]) -> Result {
    let options = parse(args)?;
    // testkit finds binaries and peers by its environment, which only a new process can be given.
    if std::env::var_os("GANTRY_BIN").is_none() {
        setup::packages(&[setup::BUILD, setup::IMAGES])?;
        let bin = build::release()?;
        let mut again = Command::new(own_path()?);
        if let Some(program) = peers_program() {
            again.env("GANTRY_PEERS", program);
        }
        return shell::run(again.arg("bench").args(args).env("GANTRY_BIN", bin));
    }
    let report = measure(&options)?;
    print!("{}", report.table());
    let path = shell::workspace().join("target/bench.json");
    std::fs::write(&path, report.json()).map_err(|e| format!("{}: {e}", path.display()))?;
    println!("\nwritten to {}", path.display());
    report.complete()
}

/// The hidden command by which this program starts others' commands for itself.
pub(crate) fn agent(args: &[String]) -> Result {
    match args {
        [] => place::serve(),
        [what, root] if what == "floor" => floor::print(root.as_ref()),
        [what, ..] if ["files", "change", "forget", "layers"].contains(&what.as_str()) => {
            builds::agent(&args.iter().map(String::as_str).collect::<Vec<_>>())
        }
        [what, program, root] if what == "registry" => registry::serve(program, root),
        [what, place] if what == "projects" => compose::agent(place.as_ref()),
        words => traffic::agent(&words.iter().map(String::as_str).collect::<Vec<_>>()),
    }
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options { against: Vec::new(), only: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), args.next().cloned()),
        };
        let value = value.ok_or(USAGE)?;
        let list = value.split(',').map(str::to_owned);
        match name {
            "--against" => options.against.extend(list),
            "--only" => options.only.extend(list),
            _ => return Err(USAGE.into()),
        }
    }
    let known = |names: &[String], all: &[&str]| match names
        .iter()
        .find(|name| !all.contains(&name.as_str()))
    {
        Some(name) => Err(format!("there is no {name}; there are {}", all.join(", "))),
        None => Ok(()),
    };
    known(&options.against, &["docker", "podman"])?;
    known(
        &options.only,
        &WORK.iter().map(|work| work.name).chain(["floor", "scale"]).collect::<Vec<_>>(),
    )?;
    Ok(options)
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    fn work(&self) -> impl Iterator<Item = &'static Work> {
        WORK.iter().filter(|work| self.wants(work.name))
    }
}

/// Where the program that runs the peers is kept beside the project.
fn peers_program() -> Option<PathBuf> {
    let given = std::env::var_os("GANTRY_PEERS").map(Into::into);
    let beside = shell::workspace().join("../shared/tools/peers");
    given.or_else(|| beside.exists().then_some(beside))
}

fn own_path() -> Result<PathBuf> {
    std::env::current_exe().map_err(|e| format!("own path: {e}"))
}

fn measure(options: &Options) -> Result<Report> {
    let dir = tempfile::TempDir::with_prefix("gantry-bench-")
        .map_err(|e| format!("a temporary folder: {e}"))?;
    let image = image::make(dir.path())?;
    let mut report = Report::default();
    if options.wants("floor") {
        floor::measure(&image.root, &mut report)?;
    }
    if options.wants("scale") {
        scale::measure(&image.archive, &mut report)?;
    }
    if options.work().next().is_none() {
        return Ok(report);
    }
    let peers = if options.against.is_empty() { None } else { Peers::at_hand("bench") };
    let mut peers = peers.map(|peers| Guests::new(peers, &image)).transpose()?;
    let mut contestants = match &mut peers {
        Some(peers) => peers.contestants(&options.against)?,
        None => Vec::new(),
    };
    rounds(options, &mut contestants, " before", &mut report);

    let engine = Engine::start();
    let mut ours = Contestant::ours(&engine)?;
    report.check(ours.load(&image.archive), &ours.name, "load");
    contestants.insert(0, ours);
    if let Some(peers) = &mut peers {
        contestants.push(peers.our_runtime()?);
    }
    rounds(options, &mut contestants, "", &mut report);
    Ok(report)
}

/// Does all work with all contestants in turn, round by round. What one of them cannot do is reported and left out.
fn rounds(options: &Options, contestants: &mut [Contestant], when: &str, report: &mut Report) {
    let mut fit = contestants.iter_mut().collect::<Vec<_>>();
    fit.retain_mut(|contestant| report.check(contestant.stand_by(), &contestant.name, "stand by"));
    for work in options.work() {
        eprintln!("{}{when} ...", work.name);
        let mut able: Vec<_> = fit.iter_mut().filter(|one| one.kind == work.kind).collect();
        for _ in 0..work.rounds {
            able.retain_mut(|contestant| measure_once(work, contestant, when, report));
        }
    }
    for contestant in fit {
        report.check(contestant.stand_down(), &contestant.name, "stand down");
    }
}

fn measure_once(work: &Work, contestant: &mut Contestant, when: &str, report: &mut Report) -> bool {
    let name = format!("{}{when}", contestant.name);
    let values = (work.run)(contestant);
    for (metric, value) in work.metrics.iter().zip(values.iter().flatten()) {
        report.note(metric, &name, *value);
    }
    report.check(values.map(drop), &name, work.name)
}
