//! `gantry image history`: what each layer came from.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, Row, Style, print_list};
use crate::output::units::{ago, ellipsis, human_size, rfc3339, short_id};

const FLAGS: &[Flag] = &[
    Flag::format(),
    Flag::bool("human", "Print sizes and dates in human readable format")
        .short('H')
        .default("true"),
    Flag::bool("no-trunc", "Don't truncate output"),
    Flag::string("platform", "Only this platform of an image that has several"),
    Flag::bool("quiet", "Only show image IDs").short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "history",
    aliases: &[],
    paths: &["image history", "history"],
    usage: "[OPTIONS] IMAGE",
    about: "Show the history of an image",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

const LISTING: Listing = Listing {
    columns: &[
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ],
    go_type: "*image.historyContext",
    quiet: "{{.ID}}",
    raw: &[],
};
const TABLE: &str = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
const TABLE_OF_DATES: &str = "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (human, no_trunc) = (parsed.bool("human"), parsed.bool("no-trunc"));
    let table = if human { TABLE } else { TABLE_OF_DATES };
    let style = Style::new(&LISTING, parsed.str("format"), table, parsed.bool("quiet"));
    let client = context.connect().await?;
    let rows = client.image_history(parsed.arg(0), parsed.str("platform")).await?.into_iter().map(
        |item| {
            let created_by = item.created_by.replace('\t', " ");
            Row::new()
                .cell("ID", if no_trunc { item.id } else { short_id(&item.id) })
                .cell("CreatedSince", if human { ago(item.created) } else { rfc3339(item.created) })
                .cell("CreatedAt", rfc3339(item.created))
                .cell("CreatedBy", if no_trunc { created_by } else { ellipsis(&created_by, 45) })
                .cell(
                    "Size",
                    if human { human_size(item.size as f64, 3) } else { item.size.to_string() },
                )
                .cell("Comment", item.comment)
        },
    );
    print_list(&LISTING, &style, rows)?;
    Ok(0)
}
