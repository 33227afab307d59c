//! `gantry`: the command line. Talks to an engine through its API and nothing else.

mod app;
mod command;
mod commands;
mod completion;
mod config_file;
mod context;
mod contexts;
mod credentials;
mod daemon;
mod error;
mod flags;
mod help;
mod man;
mod output;
mod platform;
mod prune;
mod reference;
mod session;
mod time;
mod zone;

fn main() -> std::process::ExitCode {
    app::main()
}
