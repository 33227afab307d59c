//! `gantry compose events`: what happens to a project's containers, as it happens.

use std::collections::BTreeMap;

use api::Filters;
use api::events::Message;
use compose::labels;
use serde_json::json;

use super::project;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::{say, units};
use crate::time;

pub(crate) const COMMAND: Command = Command {
    name: "events",
    aliases: &[],
    paths: &["compose events"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Receive real time events from containers",
    flags: &[&[
        Flag::bool("json", "Output events as a stream of json objects"),
        Flag::string("since", "Show all events created since timestamp"),
        Flag::string("until", "Stream events until this timestamp"),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let name = project::named(context, &parsed.args)?.name;
    let since = time::of(parsed.str("since"))?;
    let until = time::of(parsed.str("until"))?;
    let mut filters = Filters::default();
    filters.add("type", "container");
    filters.add("label", format!("{}={name}", labels::PROJECT));
    let client = context.connect().await?;
    let mut events = client.system_events(&since, &until, &filters).await?;
    while let Some(event) = events.next().await? {
        let Some(event) = Event::of(event, &parsed.args) else { continue };
        match parsed.bool("json") {
            true => say(event.json())?,
            // With an empty line behind it, as Docker Compose has it.
            false => say(format_args!("{}\n", event.line()))?,
        }
    }
    Ok(0)
}

struct Event {
    nanoseconds: i64,
    action: String,
    id: String,
    service: String,
    attributes: BTreeMap<String, String>,
}

impl Event {
    /// Nothing where it is of a service that was not asked for, or of a container of `run`.
    fn of(message: Message, wanted: &[String]) -> Option<Self> {
        let mut attributes: BTreeMap<String, String> =
            message.actor.attributes.into_iter().flatten().collect();
        let service = attributes.get(labels::SERVICE)?.clone();
        let one_off = attributes.get(labels::ONE_OFF).is_some_and(|it| it == "True");
        if one_off || !(wanted.is_empty() || wanted.contains(&service)) {
            return None;
        }
        attributes.retain(|name, _| !name.starts_with("com.docker.compose."));
        let (action, id) = (message.action, message.actor.id);
        Some(Self { nanoseconds: message.time_nano, action, id, service, attributes })
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "action": self.action,
            "attributes": self.attributes,
            "id": self.id,
            "service": self.service,
            "time": units::rfc3339_nano(self.nanoseconds),
            "type": "container",
        })
    }

    /// `2026-11-30 19:28:46.215368 container die ID (exitCode=137, image=a, name=b)`.
    fn line(&self) -> String {
        let time = units::rfc3339_nano(self.nanoseconds).replace('T', " ");
        let attributes: Vec<String> =
            self.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (action, id) = (&self.action, &self.id);
        format!("{} container {action} {id} ({})", &time[..26], attributes.join(", "))
    }
}
