//! `gantry volume create`.

use std::collections::BTreeMap;

use api::volumes::CreateRequest;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::options::env;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] = &[
    Flag::string("driver", "Specify volume driver name").short('d').default("local"),
    Flag::list("label", "Set metadata for a volume").check(env::check_label),
    Flag::string("name", "Name of the volume").hidden(),
    Flag::map("opt", "Set driver specific options").short('o'),
];

/// Of volumes of a swarm, which there is none of: each would change what is made.
pub(super) const CLUSTER_FLAGS: &[Flag] = &[
    Flag::string("availability", "Cluster volume availability").hidden(),
    Flag::string("group", "Cluster volume group").hidden(),
    Flag::bytes("limit-bytes", "Most bytes of a cluster volume").hidden(),
    Flag::bytes("required-bytes", "Least bytes of a cluster volume").hidden(),
    Flag::string("scope", "Cluster volume access scope").hidden(),
    Flag::map("secret", "Secrets of a cluster volume").hidden(),
    Flag::string("sharing", "Cluster volume sharing").hidden(),
    Flag::list("topology-preferred", "Preferred topology of a cluster volume").hidden(),
    Flag::list("topology-required", "Required topology of a cluster volume").hidden(),
    Flag::string("type", "Cluster volume access type").hidden(),
];

pub(crate) const COMMAND: Command = Command {
    name: "create",
    aliases: &[],
    paths: &["volume create"],
    usage: "[OPTIONS] [VOLUME]",
    about: "Create a volume",
    flags: &[FLAGS, CLUSTER_FLAGS],
    args: Args::AtMost(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    if parsed.is_set("name") && !parsed.args.is_empty() {
        return Err(Failure::new(
            "conflicting options: either specify --name or provide positional arg, not both",
        ));
    }
    if let Some(flag) = CLUSTER_FLAGS.iter().find(|flag| parsed.is_set(flag.long)) {
        return Err(Failure::new(format!(
            "--{}: cluster volumes come in a later version",
            flag.long
        )));
    }
    let name = parsed.args.first().cloned().unwrap_or_else(|| parsed.string("name"));
    let labels = env::labels(&[], &parsed.list("label"))?;
    let request = CreateRequest {
        name,
        driver: parsed.string("driver"),
        driver_opts: given(options(&parsed.list("opt"))),
        labels: given(labels),
        cluster_volume_spec: None,
    };
    say(context.connect().await?.volume_create(&request).await?.name)?;
    Ok(0)
}

fn given(map: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    Some(map).filter(|map| !map.is_empty())
}

fn options(words: &[String]) -> BTreeMap<String, String> {
    let split = |word: &String| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key.to_owned(), value.to_owned())
    };
    words.iter().map(split).collect()
}
