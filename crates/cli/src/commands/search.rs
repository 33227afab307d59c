//! `gantry search`: repositories of a registry.

use std::cmp::Reverse;

use api::registry::SearchResult;

use super::container::ls::filters;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::credentials::HUB_KEY;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, Row, Style, print_list};
use crate::output::units::ellipsis;

const FLAGS: &[Flag] = &[
    Flag::filter("Filter output based on conditions provided"),
    Flag::string("format", "Pretty-print search using a Go template"),
    Flag::int("limit", "Max number of search results"),
    Flag::bool("no-trunc", "Don't truncate output"),
];

pub(crate) const COMMAND: Command = Command {
    name: "search",
    aliases: &[],
    paths: &["search"],
    usage: "[OPTIONS] TERM",
    about: "Search Docker Hub for images",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

const LISTING: Listing = Listing {
    columns: &[
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("StarCount", "STARS"),
        ("IsOfficial", "OFFICIAL"),
        ("IsAutomated", "AUTOMATED"),
    ],
    go_type: "*formatter.SearchContext",
    quiet: "",
    raw: &[],
};
const TABLE: &str = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";
const WIDTH: usize = 45;

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let term = parsed.arg(0);
    let auth = match term.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => {
            context.config().auth(&crate::credentials::key(first))
        }
        _ => context.config().auth(HUB_KEY),
    };
    let client = context.connect().await?;
    let limit = parsed.int("limit");
    let mut results = client.image_search(term, limit, &filters(parsed), &auth).await?;
    results.sort_by_key(|result| Reverse(result.star_count));
    let whole = parsed.bool("no-trunc");
    let style = Style::new(&LISTING, parsed.str("format"), TABLE, false);
    print_list(&LISTING, &style, results.into_iter().map(|result| row(result, whole)))?;
    Ok(0)
}

fn row(result: SearchResult, whole: bool) -> Row {
    let description = result.description.replace(['\n', '\r'], " ");
    let mark = |is: bool| if is { "[OK]" } else { "" };
    Row::new()
        .cell("Name", result.name)
        .cell("Description", if whole { description } else { ellipsis(&description, WIDTH) })
        .cell("StarCount", result.star_count.to_string())
        .cell("IsOfficial", mark(result.is_official))
        .cell("IsAutomated", mark(result.is_automated))
}
