//! `gantry builder ...`: builds and their cache.

use super::image::build;
use crate::command::Group;

pub(crate) const GROUP: Group =
    Group { name: "builder", about: "Manage builds", flags: &[], commands: &[&build::COMMAND] };
