//! `gantry-runtime`: the OCI runtime's command line, and the monitor.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match &args[..] {
        [verb, directory] if verb == "monitor" => {
            match runtime::monitor::run(Path::new(directory)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        _ => ExitCode::FAILURE,
    }
}
