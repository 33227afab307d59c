//! Images built: three stages with a large file, many small ones and a few commands; a context of 100,000 files; stages
//! that only wait.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::contestant::Contestant;
use super::image::NAME as IMAGE;
use super::registry;
use crate::Result;

const TAG: &str = "gantry-bench-built";
const LARGE: usize = 60 << 20;
const FOLDER: usize = 100;
const STAGES: usize = 10;

/// `files DIR COUNT` makes a context, `change DIR` another content of one of its files, `forget DIR` removes it. Each prints
/// the seconds that it took.
pub(super) fn agent(args: &[&str]) -> Result {
    let begun = Instant::now();
    let done = match args {
        ["files", place, count] => {
            let count = count.parse().map_err(|_| format!("{count:?} is no number"))?;
            files(place.as_ref(), count)
        }
        ["change", place] => change(place.as_ref()),
        ["forget", place] => fs::remove_dir_all(place),
        ["layers", place, name] => registry::write_image(place.as_ref(), name),
        _ => return Err("not for people".into()),
    };
    done.map_err(|error| format!("{}: {error}", args.join(" ")))?;
    println!("{}", begun.elapsed().as_secs_f64());
    Ok(())
}

fn files(place: &Path, count: usize) -> io::Result<()> {
    fs::create_dir_all(place)?;
    let text = format!(
        "FROM {IMAGE} AS large\nRUN echo one > /one\nCOPY large /large\n\
         FROM {IMAGE} AS small\nCOPY src /src\nRUN find /src -type f | wc -l > /count\n\
         FROM {IMAGE}\nCOPY --from=large /large /one /\nCOPY --from=small /src /src\nCOPY --from=small /count /count\nRUN cat /count /one > /all\n"
    );
    fs::write(place.join("Dockerfile"), text)?;
    let mut waiting = String::new();
    for stage in 0..STAGES {
        waiting += &format!("FROM {IMAGE} AS s{stage}\nRUN sleep 1 && echo {stage} > /{stage}\n");
    }
    waiting += &format!("FROM {IMAGE}\n");
    for stage in 0..STAGES {
        waiting += &format!("COPY --from=s{stage} /{stage} /{stage}\n");
    }
    fs::write(place.join("Waiting"), waiting)?;
    fs::write(place.join("Listing"), format!("FROM {IMAGE}\nCOPY src/0/0 /\n"))?;
    let large: Vec<u8> =
        (0..LARGE as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u8).collect();
    fs::write(place.join("large"), large)?;
    for number in 0..count {
        let folder = place.join("src").join((number / FOLDER).to_string());
        if number % FOLDER == 0 {
            fs::create_dir_all(&folder)?;
        }
        let line = format!("file {number} has this line again and again\n");
        fs::write(folder.join((number % FOLDER).to_string()), line.repeat(1 + number % 40))?;
    }
    Ok(())
}

/// A content that it never had.
fn change(place: &Path) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    fs::write(place.join("src/0/1"), format!("{now:?}\n"))
}

pub(super) fn place(what: &str) -> String {
    format!("/tmp/gantry-bench-{what}-{}", std::process::id())
}

fn with_context(
    contestant: &mut Contestant,
    what: &str,
    count: &str,
    measure: impl FnOnce(&mut Contestant, &str) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let place = place(what);
    contestant.host_told(&["bench-agent", "files", &place, count])?;
    let values = measure(contestant, &place);
    contestant.host_told(&["bench-agent", "forget", &place])?;
    let _ = contestant.run(&["rmi", "-f", TAG]);
    values
}

/// With nothing known of the steps, with everything known, with one file of 10,000 changed; milliseconds.
pub(super) fn stages(contestant: &mut Contestant) -> Result<Vec<f64>> {
    with_context(contestant, "stages", "10000", |contestant, place| {
        let cold = contestant.run(&["build", "-q", "--no-cache", "-t", TAG, place])?;
        // What engines keep of a context, and write behind, is there after another one.
        contestant.run(&["build", "-q", "-t", TAG, place])?;
        let cached = contestant.run(&["build", "-q", "-t", TAG, place])?;
        contestant.host_told(&["bench-agent", "change", place])?;
        let changed = contestant.run(&["build", "-q", "-t", TAG, place])?;
        Ok([cold, cached, changed].map(|seconds| seconds * 1000.0).to_vec())
    })
}

/// A context of 100,000 files in which nothing changed; milliseconds.
pub(super) fn listing(contestant: &mut Contestant) -> Result<Vec<f64>> {
    with_context(contestant, "listing", "100000", |contestant, place| {
        let file = format!("{place}/Listing");
        let words = ["build", "-q", "-f", &file, "-t", TAG, place];
        contestant.run(&words)?;
        Ok(vec![contestant.run(&words)? * 1000.0])
    })
}

/// Ten stages that sleep for a second each; milliseconds.
pub(super) fn waiting(contestant: &mut Contestant) -> Result<Vec<f64>> {
    with_context(contestant, "waiting", "1", |contestant, place| {
        let file = format!("{place}/Waiting");
        let words = ["build", "-q", "--no-cache", "-f", &file, "-t", TAG, place];
        Ok(vec![contestant.run(&words)? * 1000.0])
    })
}
