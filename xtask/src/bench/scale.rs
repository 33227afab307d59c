//! A host that has been in use for long: a thousand containers that ended, five hundred images, two hundred containers
//! that run. What is asked of the engine then must not depend on all of that.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::engine::Engine;

use super::image::NAME as IMAGE;
use super::memory::Processes;
use super::report::Report;
use super::work::{Metric, megabytes, milliseconds};
use crate::Result;

const ENDED: usize = 1000;
const IMAGES: usize = 500;
const RUNNING: usize = 200;
const ROUNDS: usize = 5;

const RESTART: Metric =
    milliseconds("restart to the first answer, 1,000 containers ended, 500 images", 300.0);
const RESTART_RUNNING: Metric = milliseconds("the same with 200 more that run", 300.0);
const PS: Metric = milliseconds("ps, 200 running", 20.0);
const PS_ALL: Metric = milliseconds("ps -a, 1,200 in all", 60.0);
const IMAGE_LIST: Metric = milliseconds("images, 500", 30.0);
const STATS: Metric = milliseconds("stats --no-stream of 200", 1500.0);
const MEMORY: Metric = megabytes("engine that made all of these, PSS", 25.0);
const MEMORY_RESTARTED: Metric = megabytes("engine that found all of these, PSS", 25.0);

/// In an engine of its own: the others' figures are for an ordinary host.
pub(super) fn measure(archive: &Path, report: &mut Report) -> Result {
    let mut engine = Engine::start();
    eprintln!("scale: {ENDED} containers, {IMAGES} images ...");
    run(&engine, &["load", "-q", "-i", &archive.to_string_lossy()])?;
    fill(&engine)?;
    for _ in 0..ROUNDS {
        report.note(&RESTART, "gantry", restart(&mut engine)?);
    }
    eprintln!("scale: {RUNNING} that run ...");
    let names = names("gantry-scale-running", RUNNING);
    run_all(&engine, &names, |name| vec!["run", "-d", "--name", name, IMAGE, "sleep", "1000000"])?;
    for _ in 0..ROUNDS {
        report.note(&PS, "gantry", run(&engine, &["ps"])?);
        report.note(&PS_ALL, "gantry", run(&engine, &["ps", "-a"])?);
        report.note(&IMAGE_LIST, "gantry", run(&engine, &["images"])?);
        report.note(&STATS, "gantry", run(&engine, &["stats", "--no-stream"])?);
    }
    // What an engine still does after its reply is done by then.
    thread::sleep(Duration::from_secs(5));
    report.note(&MEMORY, "gantry", memory(&engine));
    for _ in 0..ROUNDS {
        report.note(&RESTART_RUNNING, "gantry", restart(&mut engine)?);
    }
    thread::sleep(Duration::from_secs(5));
    report.note(&MEMORY_RESTARTED, "gantry", memory(&engine));
    Ok(())
}

/// Every second container becomes an image with a layer of its own.
fn fill(engine: &Engine) -> Result {
    let names = names("gantry-scale-ended", ENDED);
    let write = "echo $HOSTNAME >/made";
    run_all(engine, &names, |name| vec!["run", "--name", name, IMAGE, "sh", "-c", write])?;
    run_all(engine, &names[..IMAGES], |name| vec!["commit", "-p=false", name, name])
}

/// Milliseconds until the next engine answers.
fn restart(engine: &mut Engine) -> Result<f64> {
    engine.stop();
    let started = Instant::now();
    engine.launch();
    // The launch waits for the engine's word that it serves; this is the proof.
    run(engine, &["version"])?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

fn memory(engine: &Engine) -> f64 {
    let exec_root = engine.exec_root().to_string_lossy().into_owned();
    Processes::Ours { engine: engine.daemon_pid(), exec_root }.engine()
}

/// The milliseconds that a command takes.
fn run(engine: &Engine, words: &[&str]) -> Result<f64> {
    let started = Instant::now();
    let output = engine.gantry(words);
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    match output.code {
        0 => Ok(milliseconds),
        code => Err(format!("gantry {}: exit code {code}\n{}", words.join(" "), output.stderr)),
    }
}

/// The same command for each name, eight at a time.
fn run_all<'n>(
    engine: &Engine,
    names: &'n [String],
    words: impl Fn(&'n str) -> Vec<&'n str> + Sync,
) -> Result {
    let next = AtomicUsize::new(0);
    let work = || -> Result {
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            run(engine, &words(name))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("the work does not panic"))
    })
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}
