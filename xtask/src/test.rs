//! Every test, with all that they need.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::leftovers::Snapshot;
use crate::{Result, build, images, setup, shell, tidy};

/// Images that the black-box tests load.
const IMAGES: &[&str] =
    &["busybox", "debian", "hello-world", "nginx", "postgres", "python", "redis"];

/// What cargo is to build and run, of the whole workspace.
const EVERY_TEST: &[&str] = &["--tests"];
const BLACK_BOX: &[&str] = &["--test", "e2e"];

/// The whole suite: what the README promises of a fresh machine.
pub(crate) fn run() -> Result {
    let started = Instant::now();
    prepare(EVERY_TEST)?;
    tidy::run()?;
    let before = Snapshot::take();
    let result = shell::run(&mut tests(EVERY_TEST, &[])?);
    print_skipped();
    result?;
    let left = Snapshot::take().added_since(&before);
    if !left.is_empty() {
        return Err(format!("the tests left these behind:\n{}", left.join("\n")));
    }
    println!("nothing left behind; {} s in all", started.elapsed().as_secs());
    Ok(())
}

/// The black-box tests, or those whose names contain one of the words given. `--against docker` runs the
/// differential ones, which need a real Docker beside us.
pub(crate) fn e2e(args: &[String]) -> Result {
    let mut words = Vec::new();
    let mut peers = None;
    let mut args = args.iter().map(String::as_str);
    while let Some(word) = args.next() {
        match word {
            "--" => {}
            "--against" => match args.next() {
                Some("docker") => peers = Some(peers_at_hand()),
                other => {
                    return Err(format!(
                        "--against takes docker, not {}",
                        other.unwrap_or("nothing")
                    ));
                }
            },
            filter => words.push(filter),
        }
    }
    match peers {
        None => {}
        Some(None) => {
            println!(
                "skipped: no Docker at hand to compare with (GANTRY_PEERS names the program that runs one)"
            );
            return Ok(());
        }
        Some(Some(_)) => words.extend(["differential", "bad_values", "podman", "containerd"]),
    }
    prepare(BLACK_BOX)?;
    let mut tests = tests(BLACK_BOX, &words)?;
    if let Some(Some(program)) = peers {
        tests.env("GANTRY_PEERS", program);
    }
    let result = shell::run(&mut tests);
    print_skipped();
    result
}

/// The long form of the test in which many clients work while engines are killed.
pub(crate) fn soak(args: &[String]) -> Result {
    let seconds = args.first().map_or("600", String::as_str);
    seconds.parse::<u64>().map_err(|_| format!("{seconds:?} is no number of seconds"))?;
    prepare(BLACK_BOX)?;
    let mut test = tests(BLACK_BOX, &["engine::soak", "--profile", "soak", "--no-capture"])?;
    shell::run(test.env("GANTRY_SOAK", seconds))
}

/// The program that starts a real Docker in namespaces of its own.
pub(crate) fn peers_at_hand() -> Option<PathBuf> {
    let beside = || Some(shell::workspace().parent()?.join("shared/tools/peers"));
    let program = std::env::var_os("GANTRY_PEERS").map(PathBuf::from).or_else(beside)?;
    program.is_file().then_some(program)
}

/// Where tests leave word that they were skipped (testkit::skip).
fn skipped_list() -> PathBuf {
    shell::workspace().join("target/skipped")
}

fn print_skipped() {
    let list = std::fs::read_to_string(skipped_list()).unwrap_or_default();
    let mut lines: Vec<&str> = list.lines().collect();
    lines.sort();
    lines.dedup();
    for line in lines {
        println!("skipped: {line}");
    }
}

/// Sets up what tests need, and builds them with the binaries: all at once, so that no crate is built twice because
/// tests ask for other features of it.
fn prepare(targets: &[&str]) -> Result {
    if let Err(e) = std::fs::remove_file(skipped_list())
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(format!("{}: {e}", skipped_list().display()));
    }
    setup::packages(&[setup::BUILD, setup::IMAGES, setup::TESTS])?;
    // Here, so that no test's time is spent on it. A test says why it is skipped where they cannot be had.
    if let Err(why) = testkit::servers::fetch() {
        println!("no servers for the tests: {why}");
    }
    if let Err(why) = testkit::bucket::fetch() {
        println!("no object storage for the tests: {why}");
    }
    if let Err(why) = testkit::python::wheels() {
        println!("no Flask for the tests: {why}");
    }
    images::make(IMAGES)?;
    shell::run(shell::cargo().args(["build", "--workspace", "--bins"]).args(targets))
}

/// nextest where it is installed: a process per test, and a limit of time for each.
fn tests(targets: &[&str], args: &[&str]) -> Result<Command> {
    let mut command = shell::cargo();
    if shell::has("cargo-nextest") {
        command.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        command.arg("test");
    }
    command.arg("--workspace").args(targets).args(args);
    command.env("GANTRY_BIN", binaries()?).env("GANTRY_IMAGES", images::cache());
    command.env("GANTRY_SKIPPED", skipped_list());
    Ok(command)
}

fn binaries() -> Result<PathBuf> {
    build::target_dir("debug")
}
