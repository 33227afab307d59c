//! `gantry system ...`

pub(crate) mod df;
pub(crate) mod dial_stdio;
pub(crate) mod events;
pub(crate) mod info;
pub(crate) mod prune;

use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "system",
    about: "Manage Gantry",
    flags: &[],
    commands: &[
        &df::COMMAND,
        &dial_stdio::COMMAND,
        &events::COMMAND,
        &info::COMMAND,
        &prune::COMMAND,
    ],
};
