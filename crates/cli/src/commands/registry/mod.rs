//! `gantry registry ...`: a registry of one's own. No engine is asked.

pub(crate) mod serve;

use crate::command::Group;

pub(crate) const GROUP: Group =
    Group { name: "registry", about: "Serve a registry", flags: &[], commands: &[&serve::COMMAND] };
