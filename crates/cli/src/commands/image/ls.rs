//! `gantry image ls`, `gantry images`.

mod tree;

use std::collections::BTreeMap;

use api::images::Summary;
use client::images::List;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls::filters;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, RawLine, Row, Style, print_list, wanted};
use crate::output::units::{ago, go_time, human_size, short_id};

const FLAGS: &[Flag] = &[
    Flag::bool("all", "Show all images (default hides intermediate images)").short('a'),
    Flag::bool("digests", "Show digests"),
    Flag::filter("Filter output based on conditions provided"),
    Flag::format(),
    Flag::bool("no-trunc", "Don't truncate output"),
    Flag::bool("quiet", "Only show image IDs").short('q'),
    Flag::bool("tree", "Show which images are based on which, and what they share"),
];

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    aliases: &["list"],
    paths: &["image ls", "image list", "images"],
    usage: "[OPTIONS] [REPOSITORY[:TAG]]",
    about: "List images",
    flags: &[FLAGS],
    args: Args::AtMost(1),
    trailing: false,
    run: run!(run),
};

pub(crate) const LISTING: Listing = Listing {
    columns: &[
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("Containers", "CONTAINERS"),
        ("VirtualSize", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
    ],
    go_type: "*formatter.imageContext",
    quiet: "{{.ID}}",
    raw: &[
        RawLine::Always("repository", "Repository"),
        RawLine::Always("tag", "Tag"),
        RawLine::WithColumn("digest", "Digest"),
        RawLine::Always("image_id", "ID"),
        RawLine::Always("created_at", "CreatedAt"),
        RawLine::Always("virtual_size", "Size"),
    ],
};
const TABLE: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
const TABLE_WITH_DIGESTS: &str =
    "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
const NONE: &str = "<none>";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let quiet = parsed.bool("quiet");
    let given = wanted(parsed, &context.config().images_format);
    let digests = parsed.bool("digests");
    let table = if digests { TABLE_WITH_DIGESTS } else { TABLE };
    let style = Style::new(&LISTING, given, table, quiet);
    let mut filters = filters(parsed);
    if let Some(reference) = parsed.args.first() {
        filters.add("reference", reference);
    }
    if parsed.bool("tree") {
        tree::check(parsed)?;
        tree::show(&context.connect().await?, parsed, filters).await?;
        return Ok(0);
    }
    let client = context.connect().await?;
    let list = List { all: parsed.bool("all"), filters, shared_size: false };
    let images = client.image_list(&list).await?;
    let show_digests = digests || given.contains(".Digest");
    let no_trunc = parsed.bool("no-trunc");
    let rows = images.iter().flat_map(|image| {
        let names = names(image, show_digests);
        // Quiet lists are for other commands, which want each image once.
        let count = if quiet { 1 } else { names.len() };
        names.into_iter().take(count).map(move |name| row(image, name, no_trunc))
    });
    print_list(&LISTING, &style, rows)?;
    Ok(0)
}

pub(crate) struct Name {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
}

/// One for each tag, or for each digest where there is no tag.
fn names(image: &Summary, digests: bool) -> Vec<Name> {
    let mut repositories: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (repository, tag) in image.repo_tags.iter().flatten().filter_map(|tag| tag.rsplit_once(':'))
    {
        repositories.entry(repository).or_default().0.push(tag);
    }
    for (repository, digest) in
        image.repo_digests.iter().flatten().filter_map(|digest| digest.split_once('@'))
    {
        repositories.entry(repository).or_default().1.push(digest);
    }
    repositories.remove(NONE);
    let mut names = Vec::new();
    for (repository, (tags, of_repository)) in repositories {
        let name = |tag: &str, digest: &str| Name {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            digest: digest.to_owned(),
        };
        match (tags.as_slice(), of_repository.as_slice()) {
            ([], found) => names.extend(found.iter().map(|digest| name(NONE, digest))),
            (tags, found) if digests && !found.is_empty() => {
                names.extend(
                    tags.iter().flat_map(|tag| found.iter().map(|digest| name(tag, digest))),
                );
            }
            (tags, _) => names.extend(tags.iter().map(|tag| name(tag, NONE))),
        }
    }
    if names.is_empty() {
        names.push(Name {
            repository: NONE.to_owned(),
            tag: NONE.to_owned(),
            digest: NONE.to_owned(),
        });
    }
    names
}

pub(crate) fn row(image: &Summary, name: Name, no_trunc: bool) -> Row {
    let or_not_known = |n: i64, text: String| if n == -1 { "N/A".to_owned() } else { text };
    let shared = image.shared_size;
    Row::new()
        .cell("ID", if no_trunc { image.id.clone() } else { short_id(&image.id) })
        .cell("Repository", name.repository)
        .cell("Tag", name.tag)
        .cell("Digest", name.digest)
        .cell("CreatedSince", ago(image.created))
        .cell("CreatedAt", go_time(image.created))
        .cell("Size", human_size(image.size as f64, 3))
        .cell("Containers", or_not_known(image.containers, image.containers.to_string()))
        .cell("VirtualSize", human_size(image.size as f64, 4))
        .cell("SharedSize", or_not_known(shared, human_size(shared as f64, 4)))
        .cell("UniqueSize", or_not_known(shared, human_size((image.size - shared) as f64, 4)))
}
