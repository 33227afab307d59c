//! `gantry compose top`.

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::{print, table};

pub(crate) const COMMAND: Command = Command {
    name: "top",
    aliases: &[],
    paths: &["compose top"],
    usage: "[SERVICES...]",
    about: "Display the running processes",
    flags: &[],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

const COLUMN: usize = 5;

/// A table for each container, with its name above.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let (_, containers) = services::find(context, &client, &parsed.args, Which::Running).await?;
    for container in &containers {
        let top = client.container_top(&container.id, "").await?;
        let processes = top.processes.iter().map(|row| format!("{}\t\n", row.join("\t")));
        let text = format!("{}\n{}", top.titles.join("\t"), processes.collect::<String>());
        let name = services::name(container);
        print(format!("{name}\n{}\n", table::align_wide(&text, COLUMN)))?;
    }
    Ok(0)
}
