//! `gantry compose volumes`.

use api::Filters;
use compose::labels;

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::commands::volume::ls;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Style, print_list};

pub(crate) const COMMAND: Command = Command {
    name: "volumes",
    aliases: &[],
    paths: &["compose volumes"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "List volumes",
    flags: &[&[
        Flag::format().default("table"),
        Flag::bool("quiet", "Only display volume names").short('q'),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

/// Those of the project, or those of them that containers of services have.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let (project, containers) =
        services::find(context, &client, &parsed.args, Which::Services).await?;
    let mut filters = Filters::default();
    filters.add("label", format!("{}={}", labels::PROJECT, project.name));
    let mut volumes = client.volume_list(&filters).await?.volumes.unwrap_or_default();
    let mounted =
        |name: &str| containers.iter().flat_map(|it| &it.mounts).any(|mount| mount.name == name);
    volumes.retain(|volume| parsed.args.is_empty() || mounted(&volume.name));
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    let style = Style::new(&ls::LISTING, parsed.str("format"), ls::TABLE, parsed.bool("quiet"));
    print_list(&ls::LISTING, &style, volumes.into_iter().map(ls::row))?;
    Ok(0)
}
