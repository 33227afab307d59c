//! `gantry system ...`

pub(crate) mod events;
pub(crate) mod info;

use crate::command::Group;

pub(crate) const GROUP: Group =
    Group { name: "system", about: "Manage Gantry", commands: &[&events::COMMAND, &info::COMMAND] };
