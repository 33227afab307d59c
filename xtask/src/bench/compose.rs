//! Applications: three services with a health check, up until they are healthy and down; and twenty that are up already.

use std::fs;
use std::io;
use std::path::Path;

use super::contestant::Contestant;
use super::image::NAME as IMAGE;
use crate::Result;

const THREE: usize = 3;
const TWENTY: usize = 20;

/// `projects DIR` writes both down.
pub(super) fn agent(place: &Path) -> Result {
    write(place).map_err(|error| format!("{}: {error}", place.display()))?;
    println!("0");
    Ok(())
}

fn write(place: &Path) -> io::Result<()> {
    fs::create_dir_all(place)?;
    let check = "    healthcheck: {test: [CMD, 'true'], interval: 100ms}\n";
    fs::write(place.join("three.yaml"), project("gantry-bench-three", THREE, check))?;
    fs::write(place.join("twenty.yaml"), project("gantry-bench-twenty", TWENTY, ""))
}

fn project(name: &str, count: usize, more: &str) -> String {
    let mut text = format!("name: {name}\nservices:\n");
    for number in 0..count {
        text += &format!(
            "  s{number}:\n    image: {IMAGE}\n    command: sleep 1000000\n    stop_signal: KILL\n{more}"
        );
    }
    text
}

fn with_projects(
    contestant: &mut Contestant,
    file: &str,
    measure: impl FnOnce(&mut Contestant, &str) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let place = format!("/tmp/gantry-bench-projects-{}", std::process::id());
    contestant.host_told(&["bench-agent", "projects", &place])?;
    let file = format!("{place}/{file}");
    let values = measure(contestant, &file);
    // Again where something went wrong halfway.
    let _ = contestant.run(&["compose", "-f", &file, "down", "-t", "0"]);
    contestant.host_told(&["bench-agent", "forget", &place])?;
    values
}

/// Up until all are healthy, and down; milliseconds.
pub(super) fn three(contestant: &mut Contestant) -> Result<Vec<f64>> {
    with_projects(contestant, "three.yaml", |contestant, file| {
        let up = contestant.run(&["compose", "-f", file, "up", "-d", "--wait"])?;
        let down = contestant.run(&["compose", "-f", file, "down"])?;
        Ok([up, down].map(|seconds| seconds * 1000.0).to_vec())
    })
}

/// Up of what is up; milliseconds.
pub(super) fn unchanged(contestant: &mut Contestant) -> Result<Vec<f64>> {
    with_projects(contestant, "twenty.yaml", |contestant, file| {
        let words = ["compose", "-f", file, "up", "-d"];
        contestant.run(&words)?;
        Ok(vec![contestant.run(&words)? * 1000.0])
    })
}
