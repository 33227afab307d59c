//! `gantry container diff`: what it changed in its root file system.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, Row, Style, print_list};

const FLAGS: &[Flag] = &[Flag::format().hidden()];

pub(crate) const COMMAND: Command = Command {
    name: "diff",
    aliases: &[],
    paths: &["container diff", "diff"],
    usage: "CONTAINER",
    about: "Inspect changes to files or directories on a container's \
        filesystem",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

const LISTING: Listing = Listing {
    columns: &[("Type", "CHANGE TYPE"), ("Path", "PATH")],
    go_type: "*container.diffContext",
    quiet: "{{.Type}} {{.Path}}",
    raw: &[],
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    if parsed.arg(0).is_empty() {
        return Err(Failure::new("Container name cannot be empty"));
    }
    let client = context.connect().await?;
    let changes = client.container_changes(parsed.arg(0)).await?.unwrap_or_default();
    let given = Some(parsed.str("format")).filter(|f| !f.is_empty()).unwrap_or(LISTING.quiet);
    let style = Style::new(&LISTING, given, LISTING.quiet, false);
    let rows = changes.into_iter().map(|change| {
        let kind = match change.kind {
            0 => "C",
            1 => "A",
            _ => "D",
        };
        Row::new().cell("Type", kind).cell("Path", change.path)
    });
    print_list(&LISTING, &style, rows)?;
    Ok(0)
}
