//! `gantry system ...`

pub(crate) mod events;
pub(crate) mod info;
pub(crate) mod prune;
pub(crate) mod time;

use crate::command::Group;

pub(crate) const GROUP: Group =
    Group { name: "system", about: "Manage Gantry", commands: &[&events::COMMAND, &info::COMMAND] };
