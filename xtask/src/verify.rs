//! Checks that only read, and the fixes that write.

use crate::{Result, shell, tidy};

pub(crate) fn run() -> Result {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    shell::run(shell::cargo().args([
        "clippy",
        "-q",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

pub(crate) fn fix() -> Result {
    shell::run(shell::cargo().args([
        "clippy",
        "-q",
        "--workspace",
        "--all-targets",
        "--fix",
        "--allow-dirty",
    ]))?;
    shell::run(shell::cargo().args(["fmt", "--all"]))
}
