//! `gantry plugin ...`: what there is. Plugins come as images from registries, so none can be installed yet.

pub(crate) mod ls;

use crate::command::Group;

pub(crate) const GROUP: Group =
    Group { name: "plugin", about: "Manage plugins", flags: &[], commands: &[&ls::COMMAND] };
