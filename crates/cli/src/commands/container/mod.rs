//! `gantry container ...`

pub(crate) mod attach;
pub(crate) mod commit;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod diff;
mod end;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod ls;
pub(in crate::commands) mod options;
pub(crate) mod pause;
pub(crate) mod port;
pub(crate) mod prune;
pub(crate) mod rename;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod update;
pub(crate) mod wait;

use client::Client;

use crate::command::{Done, Group};
use crate::context::Context;
use crate::error::{Result, for_each};
use crate::flags::{Flag, Parsed};
use crate::output::say;
use crate::session::{DEFAULT_KEYS, Keys};

pub(crate) const GROUP: Group = Group {
    name: "container",
    about: "Manage containers",
    flags: &[],
    commands: &[
        &attach::COMMAND,
        &commit::COMMAND,
        &cp::COMMAND,
        &create::COMMAND,
        &diff::COMMAND,
        &exec::COMMAND,
        &export::COMMAND,
        &inspect::COMMAND,
        &kill::COMMAND,
        &logs::COMMAND,
        &ls::COMMAND,
        &pause::COMMAND,
        &port::COMMAND,
        &prune::COMMAND,
        &rename::COMMAND,
        &restart::COMMAND,
        &rm::COMMAND,
        &run::COMMAND,
        &start::COMMAND,
        &stats::COMMAND,
        &stop::COMMAND,
        &top::COMMAND,
        &unpause::COMMAND,
        &update::COMMAND,
        &wait::COMMAND,
    ],
};

pub(crate) const DETACH_KEYS: Flag =
    Flag::string("detach-keys", "Override the key sequence for detaching a container");

/// The detach keys in force: the flag's, the config file's, or the usual ones.
fn detach_keys(context: &Context, flag: &str) -> Result<(String, Keys)> {
    let configured = context.config().detach_keys.as_str();
    let text = [flag, configured].into_iter().find(|text| !text.is_empty());
    let keys = Keys::parse(text.unwrap_or(DEFAULT_KEYS))?;
    Ok((text.unwrap_or_default().to_owned(), keys))
}

/// What `stop` and `restart` take.
const STOP: &[Flag] = &[
    Flag::string("signal", "Signal to send to the container").short('s'),
    Flag::int("time", "Seconds to wait before killing the container").short('t'),
];

/// Does the same to each container named, and says its name once it is done.
async fn on_each(
    context: &Context,
    parsed: &Parsed,
    act: impl AsyncFn(&Client, &str) -> client::Result<()>,
) -> Done {
    let client = context.connect().await?;
    for_each(&parsed.args, async |name| {
        act(&client, name).await?;
        say(name)
    })
    .await?;
    Ok(0)
}
