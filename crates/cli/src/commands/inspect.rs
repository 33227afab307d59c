//! `gantry inspect`: everything about objects of any kind.

use client::Client;
use template::{Format, Json};

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, INSPECT_FORMAT_HELP, Parsed};
use crate::output::{object, say, warn};

const FLAGS: &[Flag] = &[
    Flag::string("format", INSPECT_FORMAT_HELP).short('f'),
    Flag::bool("size", "Display total file sizes if the type is container").short('s'),
    Flag::string("type", "Return JSON for specified type"),
];

pub(crate) const COMMAND: Command = Command {
    name: "inspect",
    aliases: &[],
    paths: &["inspect"],
    usage: "[OPTIONS] NAME|ID [NAME|ID...]",
    about: "Return low-level information on Gantry objects",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let kind = match parsed.str("type") {
        "" => None,
        "container" => Some(Kind::Container),
        "image" => Some(Kind::Image),
        "network" => Some(Kind::Network),
        "volume" => Some(Kind::Volume),
        later @ ("node" | "plugin" | "secret" | "service" | "task") => {
            return Err(Failure::new(format!(
                "objects of type {later:?} come with a later version"
            )));
        }
        other => return Err(Failure::new(format!("{other:?} is not a valid value for --type"))),
    };
    objects(context, parsed, kind).await
}

/// Prints each object there is, and then what was not found.
pub(crate) async fn objects(context: &Context, parsed: &Parsed, kind: Option<Kind>) -> Done {
    // All of them together are one document, unless each is to be shown in its own way.
    let format = match parsed.str("format") {
        "json" => None,
        template => object::format("", template)?,
    };
    let client = context.connect().await?;
    let (mut documents, mut printed) = (Vec::new(), false);
    let mut failures = Vec::new();
    for name in &parsed.args {
        match find(&client, name, parsed, kind).await {
            Ok((kind, document)) => match &format {
                Some(format) => {
                    let (line, message) = match render(format, kind, &document) {
                        Ok(line) => (line, None),
                        Err(message) => (String::new(), Some(message)),
                    };
                    say(line)?;
                    printed = true;
                    failures.extend(message);
                }
                None => documents.push(document),
            },
            Err(failure) => failures.push(failure.message),
        }
    }
    if format.is_none() {
        let all = Json::Array(documents);
        say(if parsed.str("format") == "json" { all.compact() } else { all.pretty() })?;
    }
    // As Docker ends a listing of nothing.
    if format.is_some() && !printed {
        say("")?;
    }
    failures.iter().for_each(warn);
    Ok(u8::from(!failures.is_empty()))
}

/// Of several kinds with one name, the first in this order is meant.
const ORDER: [Kind; 4] = [Kind::Container, Kind::Image, Kind::Network, Kind::Volume];

async fn find(
    client: &Client,
    name: &str,
    parsed: &Parsed,
    kind: Option<Kind>,
) -> Result<(Kind, Json)> {
    let (size, platform) = (parsed.bool("size"), parsed.str("platform"));
    for candidate in ORDER.into_iter().filter(|one| kind.is_none_or(|kind| kind == *one)) {
        let document = match candidate {
            Kind::Container => client.container_inspect_raw(name, size).await,
            Kind::Image => client.image_inspect_raw(name, platform).await,
            Kind::Network => client.network_inspect_raw(name, parsed.bool("verbose")).await,
            Kind::Volume => client.volume_inspect_raw(name).await,
        };
        match document {
            Ok(document) => return Ok((candidate, parse(&document)?)),
            Err(error) if kind.is_none() && says_no_such(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(format!("Error: No such object: {name}")))
}

/// No image goes by a name that is none, and an object of another kind may.
fn says_no_such(error: &client::Error) -> bool {
    error.is_not_found() || error.to_string().contains("invalid reference format")
}

fn parse(document: &[u8]) -> Result<Json> {
    Json::parse(document)
        .map_err(|error| Failure::new(format!("the engine's answer is not JSON: {error}")))
}

fn render(format: &Format, kind: Kind, document: &Json) -> Result<String, String> {
    let go_type = match kind {
        Kind::Container => "types.ContainerJSON",
        Kind::Image => "types.ImageInspect",
        Kind::Network => "types.NetworkResource",
        Kind::Volume => "volume.Volume",
    };
    format
        .inspect(document, go_type)
        .map_err(|failed| format!("template parsing error: {}", failed.what))
}
