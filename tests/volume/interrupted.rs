//! The engine is killed while volumes are made, copied, renamed and removed: what was acknowledged is there, what was
//! not is there whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use testkit::engine::{Engine, binary};

use super::{names, sh};

const ROUNDS: u64 = 12;

/// Whether the command was acknowledged.
fn does(host: &str, args: &[&str]) -> bool {
    let mut command = Command::new(binary("gantry"));
    command.arg("-H").arg(host).args(args).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("gantry is built").success()
}

/// The words of a command, and what its success makes of names: there or not.
type Step<'s> = (Vec<&'s str>, &'s [(&'s str, bool)]);

/// One volume after the other is cloned, renamed, snapshotted and removed until the engine is gone; by name, whether
/// it may or must be there.
fn lives(host: &str, round: u64) -> BTreeMap<String, BTreeSet<bool>> {
    let mut expected = BTreeMap::new();
    for n in 0.. {
        let [clone, renamed, kept] = ["c", "r", "s"].map(|kind| format!("{kind}{round}-{n}"));
        let steps: [Step<'_>; 4] = [
            (vec!["volume", "clone", "seed", &clone], &[(&clone, true)]),
            (vec!["volume", "rename", &clone, &renamed], &[(&clone, false), (&renamed, true)]),
            (vec!["volume", "snapshot", &renamed, &kept], &[(&kept, true)]),
            (vec!["volume", "rm", &renamed], &[(&renamed, false)]),
        ];
        for (words, after) in steps {
            let done = does(host, &words);
            for (name, there) in after {
                let doubt: BTreeSet<bool> =
                    if done { [*there].into() } else { [true, false].into() };
                expected.insert((*name).to_owned(), doubt);
            }
            if !done {
                return expected;
            }
        }
    }
    expected
}

#[test]
fn volumes_are_whole_or_not_there() {
    let mut engine = Engine::with_busybox();
    sh(
        &engine,
        "seed",
        "for d in 1 2 3 4 5 6 7 8; do mkdir /v/$d; for f in 1 2 3 4 5 6 7 8; do echo $f >/v/$d/$f; done; done; touch /v/last",
    );
    let moment =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    eprintln!("the seed is {moment}");
    for round in 0..ROUNDS {
        let host = engine.host();
        let worker = std::thread::spawn(move || lives(&host, round));
        std::thread::sleep(Duration::from_micros(
            (moment.wrapping_mul(round * 2 + 1) >> 20) % 400_000,
        ));
        engine.kill();
        let expected = worker.join().unwrap();
        engine.launch();
        let seen = names(&engine);
        for (name, there) in &expected {
            assert!(there.contains(&seen.contains(name)), "{name}: {there:?}");
        }
        for name in &seen {
            let data = engine.data_root().join("volumes").join(name).join("_data");
            assert!(data.join("last").exists(), "{name} is there, and not whole");
            assert!(data.join("8/8").exists(), "{name} is there, and not whole");
        }
        // Nothing beside them.
        let directories = std::fs::read_dir(engine.data_root().join("volumes")).unwrap();
        assert_eq!(directories.count(), seen.len());
    }
}
