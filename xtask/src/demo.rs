//! A guided run: everything a first day shows, on an engine in private folders that is gone afterwards.

use std::process::Stdio;
use std::time::{Duration, Instant};

use testkit::engine::Engine;

use crate::{Result, build, images, setup, shell};

pub(crate) fn run() -> Result {
    setup::packages(&[setup::BUILD, setup::IMAGES])?;
    let bin = build::release()?;
    images::make(&["busybox", "hello-world"])?;
    // testkit finds the binaries by its environment, which only a new process can be given.
    if std::env::var_os("GANTRY_BIN").is_none() {
        let xtask = std::env::current_exe().map_err(|e| format!("own path: {e}"))?;
        let mut again = std::process::Command::new(xtask);
        return shell::run(
            again.arg("demo").env("GANTRY_BIN", bin).env("GANTRY_IMAGES", images::cache()),
        );
    }
    let engine = Engine::start();
    let mut times = Vec::new();
    let mut show = |args: &[&str]| -> Result {
        println!("\n$ gantry {}", args.join(" "));
        let started = Instant::now();
        shell::run(engine.command(args).stdin(Stdio::null()))?;
        times.push((args.join(" "), started.elapsed()));
        Ok(())
    };
    let archive = |name: &str| testkit::engine::image_archive(name).to_string_lossy().into_owned();
    show(&["load", "-i", &archive("hello-world")])?;
    show(&["load", "-i", &archive("busybox")])?;
    show(&["images"])?;
    show(&["run", "--rm", "hello-world"])?;
    show(&["run", "--rm", "busybox", "sh", "-c", "echo hello from $(hostname); id; ls /"])?;
    show(&[
        "run",
        "-d",
        "--name",
        "clock",
        "busybox",
        "sh",
        "-c",
        "while :; do date; sleep 1; done",
    ])?;
    show(&["ps"])?;
    show(&["exec", "clock", "sh", "-c", "echo inside, the first process is: $(cat /proc/1/comm)"])?;
    show(&["logs", "clock"])?;
    show(&["stop", "-t", "0", "clock"])?;
    show(&["ps", "-a"])?;
    show(&["rm", "clock"])?;
    show(&["run", "--rm", "--network", "none", "busybox", "true"])?;
    drop(engine);
    print_times(&times);
    Ok(())
}

fn print_times(times: &[(String, Duration)]) {
    println!("\ntime taken, whole commands:");
    for (command, time) in times {
        println!("{:>8.1} ms  gantry {command}", time.as_secs_f64() * 1000.0);
    }
}
