//! `gantry context ls`.

use template::Json;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::contexts::Meta;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, Row, Style, print_list};
use crate::output::units::ellipsis;
use crate::output::warn;

const FLAGS: &[Flag] = &[Flag::format(), Flag::bool("quiet", "Only show context names").short('q')];

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    aliases: &["list"],
    paths: &["context ls", "context list"],
    usage: "[OPTIONS]",
    about: "List contexts",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

const LISTING: Listing = Listing {
    columns: &[
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("DockerEndpoint", "DOCKER ENDPOINT"),
        ("Error", "ERROR"),
    ],
    go_type: "*formatter.clientContextContext",
    quiet: "{{.Name}}",
    raw: &[],
};
const TABLE: &str =
    "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}";
/// Errors are cut to so many characters.
const ERROR_WIDTH: usize = 45;

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let current = context.name();
    let mut listed = super::of_environment(context.default_host().unwrap_or_default());
    listed.set_description(super::DEFAULT_DESCRIPTION);
    let mut metas = vec![(listed, String::new())];
    let store = context.contexts();
    metas.extend(store.list()?.into_iter().map(|meta| (meta, String::new())));
    if !metas.iter().any(|(meta, _)| meta.name == current) {
        let why = store.load(&current).err().map(|failure| failure.message).unwrap_or_default();
        metas.push((Meta { name: current.clone(), ..Meta::default() }, why));
    }
    metas.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    let style = Style::new(&LISTING, parsed.str("format"), TABLE, parsed.bool("quiet"));
    let rows = metas.iter().map(|(meta, why)| row(meta, why, meta.name == current));
    print_list(&LISTING, &style, rows)?;
    if context.is_overridden_by_environment() && !parsed.bool("quiet") {
        warn(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use a context, either set the global --context flag, or unset DOCKER_HOST environment variable.",
        );
    }
    Ok(0)
}

fn row(meta: &Meta, why: &str, is_current: bool) -> Row {
    let text = |text: &str| Json::String(text.to_owned());
    let host = meta.engine().host;
    let document = [
        ("Name", text(&meta.name)),
        ("Description", text(meta.description())),
        ("DockerEndpoint", text(&host)),
        ("Current", Json::Bool(is_current)),
        ("Error", text(why)),
        ("ContextType", text("moby")),
    ];
    let document = document.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Row::new()
        .cell("Name", &meta.name)
        .cell("Description", meta.description())
        .cell("DockerEndpoint", host)
        .flag("Current", is_current)
        .cell("Error", ellipsis(why, ERROR_WIDTH))
        .document(Json::Object(document))
}
