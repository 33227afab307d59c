//! `gantry buildx ...`: what scripts for Docker call.

use super::builder::{du, prune};
use super::image::build;
use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "buildx",
    about: "Docker Buildx",
    flags: &[],
    commands: &[&build::COMMAND, &du::COMMAND, &prune::COMMAND],
};
