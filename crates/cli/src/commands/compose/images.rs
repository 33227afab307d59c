//! `gantry compose images`.

use std::collections::BTreeMap;

use api::containers::Summary;

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::units::{human_size, short_id};
use crate::output::{print, say, table};

pub(crate) const COMMAND: Command = Command {
    name: "images",
    aliases: &[],
    paths: &["compose images"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "List images used by the created containers",
    flags: &[&[
        Flag::string("format", "Format the output. Values: [table | json]").default("table"),
        Flag::bool("quiet", "Only display IDs").short('q'),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

/// What one container was made of.
struct Line {
    container: String,
    repository: String,
    tag: String,
    id: String,
    size: i64,
}

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let (_, mut containers) =
        services::find(context, &client, &parsed.args, Which::Services).await?;
    containers.sort_by_key(services::name);
    let images = client.image_list(&client::images::List::default()).await?;
    let images: BTreeMap<&str, &api::images::Summary> =
        images.iter().map(|image| (image.id.as_str(), image)).collect();
    let lines = containers.iter().map(|it| line(it, images.get(it.image_id.as_str()).copied()));
    let lines: Vec<Line> = lines.collect();
    if parsed.bool("quiet") {
        let mut ids: Vec<&str> =
            lines.iter().map(|line| line.id.trim_start_matches("sha256:")).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().try_for_each(say)?;
        return Ok(0);
    }
    match parsed.str("format") {
        "json" => say(serde_json::Value::from_iter(lines.iter().map(Line::json)))?,
        "table" => print(as_table(&lines))?,
        other => {
            return Err(Failure::new(format!(
                "format value {other:?} could not be parsed: parsing failed"
            )));
        }
    }
    Ok(0)
}

/// By the name that the container has for its image, where the image still has that name.
fn line(container: &Summary, image: Option<&api::images::Summary>) -> Line {
    let tags = image.and_then(|image| image.repo_tags.as_deref()).unwrap_or_default();
    let own = [container.image.clone(), format!("{}:latest", container.image)];
    let tag = tags.iter().find(|tag| own.contains(tag)).or_else(|| tags.first());
    let (repository, tag) =
        tag.and_then(|tag| tag.rsplit_once(':')).unwrap_or(("<none>", "<none>"));
    Line {
        container: services::name(container),
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        id: container.image_id.clone(),
        size: image.map(|image| image.size).unwrap_or_default(),
    }
}

impl Line {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "ID": self.id,
            "ContainerName": self.container,
            "Repository": self.repository,
            "Tag": self.tag,
            "Size": self.size,
        })
    }
}

fn as_table(lines: &[Line]) -> String {
    let mut text = "CONTAINER\tREPOSITORY\tTAG\tIMAGE ID\tSIZE\n".to_owned();
    for Line { container, repository, tag, id, size } in lines {
        let (id, size) = (short_id(id), human_size(*size as f64, 3));
        text += &format!("{container}\t{repository}\t{tag}\t{id}\t{size}\n");
    }
    table::align_wide(&text, 20)
}
