//! Tests that cannot run here say so; the test command lists them at its end.

use std::io::Write;

/// Says that a test is skipped, and why. With `GANTRY_SKIPPED` set, also in that file: a test runner hides what a
/// passing test prints.
pub fn skip(test: &str, reason: &str) {
    println!("skipped: {test}: {reason}");
    let Some(list) = std::env::var_os("GANTRY_SKIPPED") else { return };
    let line = format!("{test}: {reason}\n");
    let file = std::fs::File::options().create(true).append(true).open(&list);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|e| panic!("{}: {e}", list.display()));
}
