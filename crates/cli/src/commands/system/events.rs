//! `gantry system events`: what happens, as it happens.

use std::fmt::Write as _;

use api::events::Message;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls::filters;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, INSPECT_FORMAT_HELP, Parsed};
use crate::output::json::Json;
use crate::output::template::{Format, missing_key, value};
use crate::output::{say, units};
use crate::time;

const FLAGS: &[Flag] = &[
    Flag::filter("Show only what matches (name=value)"),
    Flag::string("format", INSPECT_FORMAT_HELP),
    Flag::string("since", "Show what happened since this time, too"),
    Flag::string("until", "End at this time"),
];

pub(crate) const COMMAND: Command = Command {
    name: "events",
    aliases: &[],
    paths: &["system events", "events"],
    usage: "[OPTIONS]",
    about: "Show what happens in the engine, as it happens",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let template = parsed.str("format");
    let format = Format::of_object(template)?;
    let since = time::parse("since", parsed.str("since"))?;
    let until = time::parse("until", parsed.str("until"))?;
    let client = context.connect().await?;
    let mut events = client.system_events(&since, &until, &filters(parsed)).await?;
    while let Some(event) = events.next().await? {
        match &format {
            None => say(line(&event))?,
            Some(format) => say(render(format, template, &event)?)?,
        }
    }
    Ok(0)
}

fn render(format: &Format, template: &str, event: &Message) -> Result<String, Failure> {
    let mut document = Json::of(event);
    // Templates know these by the names of Go's fields, JSON by others.
    let aliases = [
        ("status", "Status"),
        ("id", "ID"),
        ("from", "From"),
        ("time", "Time"),
        ("timeNano", "TimeNano"),
        ("scope", "Scope"),
    ];
    let mut data = match value(&document) {
        gotmpl::Value::Map(map) => std::sync::Arc::unwrap_or_clone(map),
        other => return Err(Failure::new(format!("an event is an object, not {other}"))),
    };
    for (json, go) in aliases {
        let aliased =
            document.get_mut(json).map_or_else(|| gotmpl::Value::String("".into()), |v| value(v));
        data.insert(go.into(), aliased);
    }
    let data = gotmpl::Value::Map(std::sync::Arc::new(data));
    format.execute(&data).or_else(|error| match missing_key(&error) {
        // An attribute, not a field of Go's: events of one kind lack what others have.
        Some(key) if key.starts_with(char::is_lowercase) => {
            Format::parse_lenient(template)?
                .execute_lenient(&data)
                .map_err(|error| Failure::new(format!("template parsing error: {error}")))
        }
        Some(key) => Err(Failure::new(format!(
            "template: :1:2: executing \"\" at <.{key}>: can't evaluate field {key} in type *events.Message"
        ))),
        None => Err(Failure::new(format!("template parsing error: {error}"))),
    })
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
