//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod build;
mod demo;
mod images;
mod install;
mod leftovers;
mod sdk;
mod setup;
mod shell;
mod test;
mod tidy;
mod verify;

use std::process::ExitCode;

/// An error is a sentence for the person at the terminal; nothing here is handled further up.
type Result<T = ()> = std::result::Result<T, String>;

const USAGE: &str = "\
Usage: cargo xtask <command>

  test     install what the tests need, build, run every test, look for leftovers
  e2e      the black-box tests alone [--against docker] [-- FILTER]
  verify   read only: rustfmt, clippy, tidy
  fix      write: rustfmt, clippy --fix
  tidy     the layer rule, the map against the folders, noun/verb paths
  build    static release binaries into target/bin
  install  build, then install under /usr/local (PREFIX moves it)
  images   make the base images from Debian packages [NAME...]
  demo     a guided run on private folders
  sdk      the Python SDK's own integration tests [--against docker] [-- WORD of pytest...]
  soak     many clients at once while engines are killed [SECONDS, 600 by default]
  bench    this engine and others in turn [--against docker,podman] [--only NAME,...]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match run(command, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {command}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, args: &[String]) -> Result {
    match command {
        "test" => test::run(),
        "e2e" => test::e2e(args),
        "verify" => verify::run(),
        "fix" => verify::fix(),
        "tidy" => tidy::run(),
        "build" => build::release().map(|dir| println!("{}", dir.display())),
        "install" => install::run(),
        "images" => images::run(args),
        "demo" => demo::run(),
        "sdk" => sdk::run(args),
        "soak" => test::soak(args),
        "bench" => bench::run(args),
        "bench-agent" => bench::agent(args),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("no such command\n\n{USAGE}")),
    }
}
