//! `gantry builder ...`: builds and their cache.

pub(crate) mod du;
pub(crate) mod prune;

use super::image::build;
use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "builder",
    about: "Manage builds",
    flags: &[],
    commands: &[&build::COMMAND, &du::COMMAND, &prune::COMMAND],
};
