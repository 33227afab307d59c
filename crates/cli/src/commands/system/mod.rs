//! `gantry system ...`

pub(crate) mod dial_stdio;
pub(crate) mod events;
pub(crate) mod info;

use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "system",
    about: "Manage Gantry",
    commands: &[&dial_stdio::COMMAND, &events::COMMAND, &info::COMMAND],
};
