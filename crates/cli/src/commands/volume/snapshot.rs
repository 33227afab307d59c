//! `gantry volume snapshot`: a clone with a label that says of what. Docker has no such command.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "snapshot",
    aliases: &[],
    paths: &["volume snapshot"],
    usage: "VOLUME [SNAPSHOT]",
    about: "Keep the content as it is now, in a volume of its own",
    flags: &[],
    args: Args::Between(1, 2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let name = parsed.args.get(1).map_or("", String::as_str);
    say(client.volume_snapshot(parsed.arg(0), name).await?.name)?;
    Ok(0)
}
