//! `gantry network disconnect`.

use api::networks::DisconnectNetwork;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

const FLAGS: &[Flag] =
    &[Flag::bool("force", "Force the container to disconnect from a network").short('f')];

pub(crate) const COMMAND: Command = Command {
    name: "disconnect",
    aliases: &[],
    paths: &["network disconnect"],
    usage: "[OPTIONS] NETWORK CONTAINER",
    about: "Disconnect a container from a network",
    flags: &[FLAGS],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (container, force) = (parsed.arg(1).to_owned(), parsed.bool("force"));
    let request = DisconnectNetwork { container, force };
    context.connect().await?.network_disconnect(parsed.arg(0), &request).await?;
    Ok(0)
}
