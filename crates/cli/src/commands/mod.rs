//! Every command, by the names it is typed by.

pub(crate) mod builder;
pub(crate) mod buildx;
pub(crate) mod completion;
pub(crate) mod compose;
pub(crate) mod container;
pub(crate) mod context;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod manifest;
pub(crate) mod network;
pub(crate) mod plugin;
pub(crate) mod registry;
pub(crate) mod search;
pub(crate) mod system;
pub(crate) mod version;
pub(crate) mod volume;

use crate::command::{Command, Group};
use crate::error::Failure;

/// What a first word names.
pub(crate) enum Entry {
    Command(&'static Command),
    Group(&'static Group),
}

pub(crate) const GROUPS: &[&Group] = &[
    &builder::GROUP,
    &buildx::GROUP,
    &compose::GROUP,
    &container::GROUP,
    &context::GROUP,
    &image::GROUP,
    &manifest::GROUP,
    &network::GROUP,
    &plugin::GROUP,
    &registry::GROUP,
    &system::GROUP,
    &volume::GROUP,
];

/// Verbs that no list shows: programs call the one, and the other is for cluster volumes.
const HIDDEN: &[(&str, &str)] = &[("system", "dial-stdio"), ("volume", "update")];

/// Commands without a noun before them, sorted.
const TOP: &[(&str, &Command)] = &[
    ("attach", &container::attach::COMMAND),
    ("build", &image::build::COMMAND),
    ("commit", &container::commit::COMMAND),
    ("completion", &completion::COMMAND),
    ("cp", &container::cp::COMMAND),
    ("create", &container::create::COMMAND),
    ("diff", &container::diff::COMMAND),
    ("events", &system::events::COMMAND),
    ("exec", &container::exec::COMMAND),
    ("export", &container::export::COMMAND),
    ("history", &image::history::COMMAND),
    ("images", &image::ls::COMMAND),
    ("import", &image::import::COMMAND),
    ("info", &system::info::COMMAND),
    ("inspect", &inspect::COMMAND),
    ("kill", &container::kill::COMMAND),
    ("load", &image::load::COMMAND),
    ("login", &login::COMMAND),
    ("logout", &logout::COMMAND),
    ("logs", &container::logs::COMMAND),
    ("pause", &container::pause::COMMAND),
    ("port", &container::port::COMMAND),
    ("ps", &container::ls::COMMAND),
    ("pull", &image::pull::COMMAND),
    ("push", &image::push::COMMAND),
    ("rename", &container::rename::COMMAND),
    ("restart", &container::restart::COMMAND),
    ("rm", &container::rm::COMMAND),
    ("rmi", &image::rm::COMMAND),
    ("run", &container::run::COMMAND),
    ("save", &image::save::COMMAND),
    ("search", &search::COMMAND),
    ("start", &container::start::COMMAND),
    ("stats", &container::stats::COMMAND),
    ("stop", &container::stop::COMMAND),
    ("tag", &image::tag::COMMAND),
    ("top", &container::top::COMMAND),
    ("unpause", &container::unpause::COMMAND),
    ("update", &container::update::COMMAND),
    ("version", &version::COMMAND),
    ("wait", &container::wait::COMMAND),
];

const COMMON: [&str; 12] = [
    "run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version",
    "info",
];

/// Commands of Docker that are not here yet, and with what they come.
const LATER: &[(&str, &str)] = &[
    ("buildx bake", "the builder"),
    ("buildx imagetools", "the builder"),
    ("config", "Swarm"),
    ("network", "the networks"),
    ("node", "Swarm"),
    ("plugin create", "the registry"),
    ("plugin disable", "the registry"),
    ("plugin enable", "the registry"),
    ("plugin inspect", "the registry"),
    ("plugin install", "the registry"),
    ("plugin push", "the registry"),
    ("plugin rm", "the registry"),
    ("plugin set", "the registry"),
    ("plugin upgrade", "the registry"),
    ("secret", "Swarm"),
    ("service", "Swarm"),
    ("stack", "Swarm"),
    ("swarm", "Swarm"),
    ("trust", "the registry"),
];

pub(crate) fn find(name: &str) -> Option<Entry> {
    if let Ok(at) = TOP.binary_search_by_key(&name, |(name, _)| name) {
        return Some(Entry::Command(TOP[at].1));
    }
    GROUPS.iter().copied().find(|group| group.name == name).map(Entry::Group)
}

/// The refusal of a command that Docker has and this version does not.
pub(crate) fn coming_later(name: &str) -> Option<Failure> {
    let (_, with) = LATER.iter().find(|(later, _)| *later == name)?;
    Some(Failure::new(format!("gantry: '{name}' is not in this version: it comes with {with}.")))
}

/// The refusal of what Docker has behind a switch, of an engine without it.
pub(crate) fn experimental(what: &str) -> Failure {
    Failure::new(format!(
        "{what} is only supported on a Docker daemon with experimental features enabled"
    ))
}

/// `words` are what came after the name.
pub(crate) fn not_there(name: &str, words: &[String]) -> Failure {
    if name == "checkpoint" {
        let verb = words.iter().find(|word| matches!(word.as_str(), "create" | "ls" | "rm"));
        let verb = verb.map_or(String::new(), |verb| format!(" {verb}"));
        return experimental(&format!("gantry checkpoint{verb}"));
    }
    let unknown = format!("gantry: '{name}' is not a gantry command.\nSee 'gantry --help'");
    coming_later(name).unwrap_or_else(|| Failure::new(unknown))
}

/// The verbs of a noun that people call.
pub(crate) fn shown(group: &'static Group) -> impl Iterator<Item = &'static Command> {
    let commands = group.commands.iter().copied();
    commands.filter(|command| !HIDDEN.contains(&(group.name, command.name)))
}

pub(crate) fn version_line() -> String {
    format!("Gantry version {}, build {}\n", env!("CARGO_PKG_VERSION"), version::BUILD)
}

/// A command's name and what it does.
type Row = (&'static str, &'static str);

/// The commands by title, as help lists them.
pub(crate) fn lists() -> [(&'static str, Vec<Row>); 3] {
    let row = |&(name, command): &(&'static str, &Command)| (name, command.summary());
    let common = COMMON.iter().filter_map(|name| TOP.iter().find(|(top, _)| top == name));
    let others = TOP.iter().filter(|(name, _)| !COMMON.contains(name));
    [
        ("Common Commands", common.map(row).collect()),
        ("Management Commands", GROUPS.iter().map(|group| (group.name, group.about)).collect()),
        ("Commands", others.map(row).collect()),
    ]
}

/// Each command that people call, once.
pub(crate) fn every() -> impl Iterator<Item = &'static Command> {
    let without_noun = TOP.iter().filter(|(name, command)| command.paths[0] == *name);
    let of_nouns = GROUPS.iter().copied().flat_map(shown);
    of_nouns.chain(without_noun.map(|(_, command)| *command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_a_binary_search_so_they_are_sorted() {
        assert!(TOP.is_sorted_by_key(|(name, _)| name));
        assert!(TOP.iter().all(|(name, _)| matches!(find(name), Some(Entry::Command(_)))));
    }

    #[test]
    fn a_command_is_found_by_each_of_its_paths() {
        for command in every() {
            for path in command.paths {
                let found = match path.split_once(' ') {
                    None => TOP.iter().find(|(name, _)| name == path).map(|(_, found)| *found),
                    Some((noun, verb)) => GROUPS
                        .iter()
                        .find(|group| group.name == noun)
                        .and_then(|group| group.find(verb)),
                };
                assert!(found.is_some_and(|found| found.paths == command.paths), "{path}");
            }
        }
    }

    #[test]
    fn no_two_flags_of_a_command_have_one_name() {
        for command in every() {
            let mut names: Vec<String> = command
                .flags
                .iter()
                .flat_map(|table| table.iter())
                .flat_map(|flag| {
                    std::iter::once(flag.long.to_owned()).chain(flag.short.map(String::from))
                })
                .collect();
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "{}", command.name);
        }
    }

    #[test]
    fn unknown_commands_are_told_from_later_ones() {
        assert_eq!(
            not_there("foo", &[]).message,
            "gantry: 'foo' is not a gantry command.\nSee 'gantry --help'"
        );
        assert!(not_there("trust", &[]).message.contains("comes with the registry"));
        assert!(not_there("node", &[]).message.contains("comes with Swarm"));
        assert_eq!(
            not_there("checkpoint", &["ls".to_owned(), "x".to_owned()]).message,
            "gantry checkpoint ls is only supported on a Docker daemon with experimental features enabled"
        );
    }
}
