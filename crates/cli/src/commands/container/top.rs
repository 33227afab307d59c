//! `gantry container top`: its processes, as ps shows them.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::{print, table};

pub(crate) const COMMAND: Command = Command {
    name: "top",
    aliases: &[],
    paths: &["container top", "top"],
    usage: "CONTAINER [ps OPTIONS]",
    about: "Display the running processes of a container",
    flags: &[],
    args: Args::AtLeast(1),
    trailing: true,
    run: run!(run),
};

/// Wider than any other table of Docker's, for no better reason than that it always was.
const COLUMN: usize = 20;

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let top = client.container_top(parsed.arg(0), &parsed.args[1..].join(" ")).await?;
    let rows = std::iter::once(&top.titles).chain(&top.processes);
    let text: String = rows.map(|row| format!("{}\n", row.join("\t"))).collect();
    print(table::align_wide(&text, COLUMN))?;
    Ok(0)
}
