//! `gantry compose port`.

use super::services;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "port",
    aliases: &[],
    paths: &["compose port"],
    usage: "[OPTIONS] SERVICE PRIVATE_PORT",
    about: "Print the public port for a port binding",
    flags: &[&[
        Flag::int("index", "Index of the container if service has multiple replicas"),
        Flag::string("protocol", "tcp or udp").default("tcp"),
    ]],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (service, text) = (parsed.arg(0), parsed.arg(1));
    let port: u16 = text.parse().map_err(|_| {
        Failure::new(format!("strconv.ParseUint: parsing {text:?}: invalid syntax"))
    })?;
    let client = context.connect().await?;
    let container = services::one(context, &client, service, parsed.int_if_set("index")).await?;
    let protocol = parsed.str("protocol");
    let is_it = |it: &&api::containers::Port| {
        it.private_port == port && it.kind == protocol && it.public_port != 0
    };
    let Some(found) = container.ports.iter().find(is_it) else {
        let name = services::name(&container);
        return Err(Failure::new(format!("no port {port}/{protocol} for container {name}: <nil>")));
    };
    say(format_args!("{}:{}", found.ip, found.public_port))?;
    Ok(0)
}
