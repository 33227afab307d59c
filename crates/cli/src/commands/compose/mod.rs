//! `gantry compose ...`: the model is crate compose; here are flags, messages and what is printed.

pub(crate) mod attach;
pub(crate) mod build;
pub(crate) mod commit;
pub(crate) mod config;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod down;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod export;
mod follow;
pub(crate) mod images;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod port;
mod progress;
mod project;
pub(crate) mod ps;
pub(crate) mod publish;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod scale;
mod services;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod up;
pub(crate) mod version;
pub(crate) mod volumes;
pub(crate) mod wait;
pub(crate) mod watch;

use crate::command::Group;
use crate::flags::Flag;

pub(crate) const GROUP: Group = Group {
    name: "compose",
    about: "Define and run multi-container applications with Gantry",
    flags: FLAGS,
    commands: &[
        &attach::COMMAND,
        &build::COMMAND,
        &commit::COMMAND,
        &config::COMMAND,
        &cp::COMMAND,
        &create::COMMAND,
        &down::COMMAND,
        &events::COMMAND,
        &exec::COMMAND,
        &export::COMMAND,
        &images::COMMAND,
        &kill::COMMAND,
        &logs::COMMAND,
        &ls::COMMAND,
        &pause::COMMAND,
        &plan::COMMAND,
        &port::COMMAND,
        &ps::COMMAND,
        &publish::COMMAND,
        &pull::COMMAND,
        &push::COMMAND,
        &restart::COMMAND,
        &rm::COMMAND,
        &run::COMMAND,
        &scale::COMMAND,
        &start::COMMAND,
        &stats::COMMAND,
        &stop::COMMAND,
        &top::COMMAND,
        &unpause::COMMAND,
        &up::COMMAND,
        &version::COMMAND,
        &volumes::COMMAND,
        &wait::COMMAND,
        &watch::COMMAND,
    ],
};

const FLAGS: &[Flag] = &[
    Flag::list("file", "Compose configuration files").short('f').type_name("stringArray"),
    Flag::string("project-name", "Project name").short('p'),
    Flag::list("profile", "Specify a profile to enable").type_name("stringArray"),
    Flag::list("env-file", "Specify an alternate environment file").type_name("stringArray"),
    Flag::string(
        "project-directory",
        "Specify an alternate working directory\n(default: the path of the, first specified, Compose file)",
    ),
    Flag::string(
        "ansi",
        "Control when to print ANSI control characters (\"never\"|\"always\"|\"auto\")",
    )
    .default("auto")
    .check(ansi),
    Flag::string("progress", "Set type of progress output (auto, tty, plain, quiet)")
        .default("auto")
        .check(progress),
    Flag::int("parallel", "Control max parallelism, -1 for unlimited").default("-1"),
    Flag::bool("dry-run", "Execute command in dry run mode"),
    Flag::bool("compatibility", "Run compose in backward compatibility mode"),
];

fn ansi(text: &str) -> Result<(), String> {
    one_of(text, &["never", "always", "auto"], "--ansi")
}

fn progress(text: &str) -> Result<(), String> {
    one_of(text, &["auto", "tty", "plain", "quiet"], "--progress")
}

fn one_of(text: &str, known: &[&str], flag: &str) -> Result<(), String> {
    if known.contains(&text) { Ok(()) } else { Err(format!("unsupported {flag} value {text:?}")) }
}
