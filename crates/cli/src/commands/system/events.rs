//! `gantry system events`: what happens, as it happens.

use std::fmt::Write as _;

use api::events::Message;
use template::{Format, Json, MissingKey, Of, Type, Value};

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls::filters;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, INSPECT_FORMAT_HELP, Parsed};
use crate::output::{say, units};
use crate::time;

const FLAGS: &[Flag] = &[
    Flag::filter("Filter output based on conditions provided"),
    Flag::string("format", INSPECT_FORMAT_HELP),
    Flag::string("since", "Show all events created since timestamp"),
    Flag::string("until", "Stream events until this timestamp"),
];

pub(crate) const COMMAND: Command = Command {
    name: "events",
    aliases: &[],
    paths: &["system events", "events"],
    usage: "[OPTIONS]",
    about: "Get real time events from the server",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

/// Docker's exit code for a template that cannot be used.
const BAD_TEMPLATE: u8 = 64;
const GO_TYPE: &str = "events.Message";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let format = format(parsed.str("format"))?;
    let since = time::of(parsed.str("since"))?;
    let until = time::of(parsed.str("until"))?;
    let client = context.connect().await?;
    let mut events = client.system_events(&since, &until, &filters(parsed)).await?;
    let go_type = Type::go(GO_TYPE);
    while let Some(event) = events.next().await? {
        match &format {
            None => say(line(&event))?,
            Some(format) => {
                let value = Value::typed(&Json::of(&event), &go_type);
                say(format.execute(&value, MissingKey::NoValue).map_err(String::from)?)?;
            }
        }
    }
    Ok(0)
}

/// Tried on an empty event before any is asked for.
fn format(template: &str) -> Result<Option<Format>> {
    let worded = |error| Failure::with_code(BAD_TEMPLATE, format!("Error parsing format: {error}"));
    let template = match template {
        "" => return Ok(None),
        "json" => "{{json .}}",
        template => template,
    };
    let format = Format::parse(template, Of::Objects).map_err(worded)?;
    let empty = Json::parse(b"{}").expect("an object");
    let pointer = Value::typed(&empty, &Type::go(&format!("*{GO_TYPE}")));
    format.execute(&pointer, MissingKey::NoValue).map_err(|failed| worded(failed.what))?;
    Ok(Some(format))
}

/// `2026-11-21T04:04:47.087096045Z container create ID (image=a, name=b)`.
fn line(event: &Message) -> String {
    let mut line = match event.time_nano {
        0 => units::rfc3339(event.time),
        nano => units::rfc3339_nano(nano),
    };
    write!(line, " {} {} {}", event.kind, event.action, event.actor.id)
        .expect("a String takes everything");
    let attributes = event.actor.attributes.iter().flatten();
    let attributes: Vec<String> = attributes.map(|(key, value)| format!("{key}={value}")).collect();
    if !attributes.is_empty() {
        write!(line, " ({})", attributes.join(", ")).expect("a String takes everything");
    }
    line
}
