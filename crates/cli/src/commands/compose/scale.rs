//! `gantry compose scale`.

use super::{services, up};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "scale",
    aliases: &[],
    paths: &["compose scale"],
    usage: "[SERVICE=REPLICAS...]",
    about: "Scale services",
    flags: &[&[up::NO_DEPS]],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

/// As `up` of those services with so many containers.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let mut words = vec!["--detach".to_owned(), format!("--no-deps={}", parsed.bool("no-deps"))];
    let mut names = Vec::new();
    for specifier in &parsed.args {
        let pair = specifier.split_once('=');
        let Some((name, _)) = pair.filter(|(_, count)| count.parse::<usize>().is_ok()) else {
            return Err(Failure::new(format!("invalid scale specifier: {specifier}")));
        };
        words.push(format!("--scale={specifier}"));
        names.push(name.to_owned());
    }
    words.push("--".to_owned());
    words.extend(names);
    services::as_typed(context, &up::COMMAND, &words).await
}
