//! `gantry network ...`

pub(crate) mod connect;
pub(crate) mod create;
pub(crate) mod disconnect;
pub(crate) mod inspect;
mod ipam;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod rm;
pub(crate) mod why;

use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "network",
    about: "Manage networks",
    flags: &[],
    commands: &[
        &connect::COMMAND,
        &create::COMMAND,
        &disconnect::COMMAND,
        &inspect::COMMAND,
        &ls::COMMAND,
        &prune::COMMAND,
        &rm::COMMAND,
        &why::COMMAND,
    ],
};

/// `key=value` words as a map; a word without `=` has an empty value.
fn pairs(words: &[String]) -> std::collections::BTreeMap<String, String> {
    let split = |word: &String| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key.to_owned(), value.to_owned())
    };
    words.iter().map(split).collect()
}

/// What Go's pflag calls a string slice: each value can be several, with commas between.
fn slice(words: &[String]) -> Vec<String> {
    let given = words.iter().filter(|word| !word.is_empty());
    given.flat_map(|word| word.split(',')).map(str::to_owned).collect()
}
