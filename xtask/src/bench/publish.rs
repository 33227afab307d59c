//! What published ports cost: the more there are of them, and as a range.

use super::contestant::Contestant;
use super::image::NAME as IMAGE;
use super::report::median;
use super::work::as_str;
use crate::Result;

const MANY: usize = 199;
const TRIES: usize = 9;
const ONE: &str = "gantry-bench-one";
const RANGE: &str = "20000-20999:20000-20999";

/// Milliseconds that the start of the first takes, and that of one more than there are.
pub(super) fn one_of_many(contestant: &mut Contestant) -> Result<Vec<f64>> {
    let first = typical_start(contestant)?;
    let names: Vec<String> = (0..MANY).map(|number| format!("gantry-bench-p{number}")).collect();
    let start = |name| vec!["run", "-d", "-p", "80", "--name", name, IMAGE, "sleep", "1000000"];
    let lines: Vec<_> = names.iter().map(|name| start(name.as_str())).collect();
    let last = contestant.run_all(&lines).and_then(|_| typical_start(contestant));
    contestant.remove(&as_str(&names))?;
    Ok(vec![first, last?])
}

/// The median of some; each is removed again.
fn typical_start(contestant: &mut Contestant) -> Result<f64> {
    let mut milliseconds = Vec::new();
    for _ in 0..TRIES {
        milliseconds.push(start(contestant, ONE, &["-p", "80"])? * 1000.0);
        contestant.remove(&[ONE])?;
    }
    Ok(median(&milliseconds))
}

fn start(contestant: &mut Contestant, name: &str, flags: &[&str]) -> Result<f64> {
    let run = ["run", "-d", "--name", name];
    contestant.run(&[&run[..], flags, &[IMAGE, "sleep", "1000000"]].concat())
}

/// Milliseconds of the start, and processes and megabytes more than a container without ports has.
pub(super) fn range(contestant: &mut Contestant) -> Result<Vec<f64>> {
    let names = ["gantry-bench-plain", "gantry-bench-range"];
    let mut seen = vec![state(contestant)];
    start(contestant, names[0], &[])?;
    seen.push(state(contestant));
    let seconds = start(contestant, names[1], &["-p", RANGE]);
    seen.push(state(contestant));
    contestant.remove(&names[..if seconds.is_ok() { 2 } else { 1 }])?;
    let more = |of: fn(&(f64, f64)) -> f64| {
        let [before, plain, range] = [of(&seen[0]), of(&seen[1]), of(&seen[2])];
        (range - plain) - (plain - before)
    };
    Ok(vec![seconds? * 1000.0, more(|state| state.0), more(|state| state.1)])
}

/// Processes beside containers, and the memory of the engine and of them.
fn state(contestant: &Contestant) -> (f64, f64) {
    let processes = &contestant.processes;
    (processes.count_helpers(), processes.engine() + processes.helpers())
}
