//! `gantry volume ...`

pub(crate) mod clone;
pub(crate) mod create;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod rename;
pub(crate) mod restore;
pub(crate) mod rm;
pub(crate) mod snapshot;
pub(crate) mod update;

use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "volume",
    about: "Manage volumes",
    flags: &[],
    commands: &[
        &clone::COMMAND,
        &create::COMMAND,
        &export::COMMAND,
        &import::COMMAND,
        &inspect::COMMAND,
        &ls::COMMAND,
        &prune::COMMAND,
        &rename::COMMAND,
        &restore::COMMAND,
        &rm::COMMAND,
        &snapshot::COMMAND,
        &update::COMMAND,
    ],
};
