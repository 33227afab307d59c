//! `gantry-runtime`: the OCI runtime's command line, and the processes that stay beside a container.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::commands::main()
}
