//! `gantry system dial-stdio`: the engine's connection on stdin and stdout, for clients that come by ssh.

use tokio::io::{AsyncWriteExt, copy, split, stdin, stdout};

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "dial-stdio",
    aliases: &[],
    paths: &["system dial-stdio"],
    usage: "",
    about: "Proxy the stdio stream to the daemon connection. Should not be \
        invoked manually.",
    flags: &[],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

/// The engine's end is the end: what the client sends after it is for nobody.
async fn run(context: &Context, _: &Parsed) -> Done {
    let client = context.connect().await?;
    let (mut from_engine, mut to_engine) = split(client.connection().await?);
    let sending = async {
        copy(&mut stdin(), &mut to_engine).await?;
        to_engine.shutdown().await?;
        std::future::pending::<std::io::Result<()>>().await
    };
    let receiving = async {
        let mut stdout = stdout();
        copy(&mut from_engine, &mut stdout).await?;
        stdout.flush().await
    };
    tokio::select! {
        ended = receiving => ended?,
        failed = sending => failed?,
    }
    Ok(0)
}
