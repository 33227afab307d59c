//! The command line of `gantry-runtime`, compatible with runc's: one file per verb.

mod create;
mod delete;
mod events;
mod exec;
mod features;
mod foreground;
mod kill;
mod list;
mod log;
mod make;
mod pause;
mod ps;
mod resume;
mod run;
mod spec;
mod start;
mod state;
mod update;

use std::cell::Cell;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::flags::{Args, Flag, Order, switch, value};
use crate::state::Container;
use log::{Format, Log};

/// A verb.
struct Command {
    name: &'static str,
    usage: &'static str,
    help: &'static str,
    flags: &'static [Flag],
    order: Order,
    /// Least and most arguments.
    arguments: (usize, usize),
    run: fn(&Global, &Args) -> Result<u8>,
}

const COMMANDS: [&Command; 15] = [
    &create::COMMAND,
    &delete::COMMAND,
    &events::COMMAND,
    &exec::COMMAND,
    &features::COMMAND,
    &kill::COMMAND,
    &list::COMMAND,
    &pause::COMMAND,
    &ps::COMMAND,
    &resume::COMMAND,
    &run::COMMAND,
    &spec::COMMAND,
    &start::COMMAND,
    &state::COMMAND,
    &update::COMMAND,
];

const GLOBAL_FLAGS: [Flag; 9] = [
    switch("debug", "enable debug logging"),
    value("log", "FILE", "set the log file to write logs to (default: stderr)"),
    value("log-format", "FORMAT", "set the log format (text or json)"),
    value("root", "DIR", "root directory for storage of container state"),
    switch("systemd-cgroup", "enable systemd cgroup support"),
    value("rootless", "VALUE", "ignored, found out by itself"),
    value("criu", "PATH", "ignored"),
    switch("help", "show help").short('h'),
    switch("version", "print the version").short('v'),
];

/// What the flags before the verb say, and what the program came with.
struct Global {
    root: PathBuf,
    systemd_cgroup: bool,
    /// Closing it takes a while.
    own_mount: Cell<Option<OwnedFd>>,
}

impl Global {
    fn container(&self, args: &Args) -> Result<Container> {
        Container::load(&self.root, &args.positional[0])
    }
}

/// The whole program.
pub fn main() -> u8 {
    let mut words = std::env::args_os();
    let called = words.next().map(PathBuf::from).unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    match &words[..] {
        // The name under which it is mounted into containers that run with `--init`.
        [dashes, program @ ..] if called.ends_with("docker-init") && dashes == "--" => {
            crate::init::run(program) as u8
        }
        [verb, directory] if verb == "monitor" => monitor(Path::new(directory)),
        [verb, _socket, table] if verb == "proxy" => proxy(table, None),
        [verb, _socket, table, network] if verb == "proxy" => proxy(table, Some(network)),
        [verb, what] if verb == "helper" && what == "view" => view(),
        [verb, what] if verb == "helper" && what == "keep" => crate::keep::keep(),
        [verb, what, directory] if verb == "helper" && what == "poststop" => {
            poststop(Path::new(directory))
        }
        _ => oci(words),
    }
}

fn monitor(directory: &Path) -> u8 {
    match crate::monitor::run(directory) {
        Ok(()) => 0,
        // It has said why in its log and to its engine.
        Err(_) => 1,
    }
}

fn proxy(table: &OsString, network: Option<&OsString>) -> u8 {
    match crate::proxy::run(&table.to_string_lossy(), network.and_then(|path| path.to_str())) {
        Ok(()) => 0,
        // The next port that needs it starts another.
        Err(_) => 1,
    }
}

fn view() -> u8 {
    // What went wrong was said to the engine, where there is one.
    crate::view::serve().map_or(1, |()| 0)
}

fn poststop(directory: &Path) -> u8 {
    match crate::hooks::serve(directory) {
        Ok(()) => 0,
        Err(error) => refuse(&error),
    }
}

fn oci(words: Vec<OsString>) -> u8 {
    // Before anything could be started that would inherit it.
    let own_mount = sys::protect::inherited_mount();
    let words: std::result::Result<Vec<String>, _> =
        words.into_iter().map(OsString::into_string).collect();
    let Ok(words) = words else {
        eprintln!("gantry-runtime: arguments must be UTF-8");
        return 1;
    };
    let global = match Args::parse(&GLOBAL_FLAGS, Order::FlagsBefore(1), &words) {
        Ok(global) => global,
        Err(error) => return refuse(&error),
    };
    if global.has("version") {
        print_version();
        return 0;
    }
    let verb = global.positional.first().map_or("help", String::as_str);
    let Some(command) = COMMANDS.into_iter().find(|command| command.name == verb) else {
        print_help();
        return if verb == "help" { 0 } else { unknown(verb) };
    };
    run_command(command, &global, own_mount)
}

fn run_command(command: &Command, global: &Args, own_mount: Option<OwnedFd>) -> u8 {
    let words = &global.positional[1..];
    let args = match Args::parse(&with_help(command), command.order, words) {
        Ok(args) => args,
        Err(error) => return refuse(&error),
    };
    if args.has("help") || global.has("help") {
        print_command_help(command);
        return 0;
    }
    let log = match open_log(global) {
        Ok(log) => log,
        Err(error) => return refuse(&error),
    };
    let result = check_count(command, &args).and_then(|()| {
        let global = Global {
            root: root(global)?,
            systemd_cgroup: global.has("systemd-cgroup"),
            own_mount: Cell::new(own_mount),
        };
        (command.run)(&global, &args)
    });
    match result {
        Ok(status) => status,
        Err(error) => {
            log.error(&error.to_string());
            exit_status(command, &error)
        }
    }
}

/// A program that could not be started has the shell's statuses, as with crun; all else is runc's.
fn exit_status(command: &Command, error: &Error) -> u8 {
    use crate::error::ErrorKind;
    match (command.name, error.kind) {
        ("exec" | "run", ErrorKind::NotFound) => 127,
        ("exec" | "run", ErrorKind::Permission) => 126,
        ("exec", _) => 255,
        _ => 1,
    }
}

fn with_help(command: &Command) -> Vec<Flag> {
    let mut flags = command.flags.to_vec();
    flags.push(switch("help", "show help").short('h'));
    flags
}

fn check_count(command: &Command, args: &Args) -> Result<()> {
    let (least, most) = command.arguments;
    let given = args.positional.len();
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let (name, usage) = (command.name, command.usage);
    Err(Error::invalid(format!(
        "{name}: got {given} arguments; usage: gantry-runtime {name} {usage}"
    )))
}

fn open_log(global: &Args) -> Result<Log> {
    let format = match global.get("log-format") {
        None | Some("text") => Format::Text,
        Some("json") => Format::Json,
        Some(other) => return Err(Error::invalid(format!("unknown log-format {other:?}"))),
    };
    Log::open(global.get("log").map(Path::new), format)
}

/// Where containers are remembered.
fn root(global: &Args) -> Result<PathBuf> {
    if let Some(root) = global.get("root") {
        return Ok(root.into());
    }
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !rustix::process::geteuid().is_root());
    Ok(PathBuf::from(own.unwrap_or_else(|| "/run".into())).join("gantry-runtime"))
}

fn refuse(error: &Error) -> u8 {
    eprintln!("{error}");
    1
}

fn unknown(verb: &str) -> u8 {
    eprintln!("No help topic for '{verb}'");
    3
}

fn print_version() {
    println!("gantry-runtime version {}", env!("CARGO_PKG_VERSION"));
    println!("spec: {}", oci::runtime::VERSION);
}

fn print_help() {
    println!("Usage: gantry-runtime [global options] COMMAND [options] [arguments]\n");
    println!("Runs containers by the OCI runtime specification.\n\nCommands:");
    for command in COMMANDS.iter().filter(|command| !command.help.is_empty()) {
        println!("  {:<10} {}", command.name, command.help);
    }
    println!("\nGlobal options:");
    print_flags(&GLOBAL_FLAGS);
}

fn print_command_help(command: &Command) {
    println!(
        "Usage: gantry-runtime {} {}\n\n{}\n\nOptions:",
        command.name, command.usage, command.help
    );
    print_flags(&with_help(command));
}

fn print_flags(flags: &[Flag]) {
    for flag in flags {
        let short = flag.short.map_or(String::new(), |short| format!("-{short}, "));
        let value = flag.value.map_or(String::new(), |value| format!(" {value}"));
        println!("  {:<28} {}", format!("{short}--{}{value}", flag.name), flag.help);
    }
}
