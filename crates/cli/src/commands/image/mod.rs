//! `gantry image ...`

pub(crate) mod build;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod load;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod rm;
pub(crate) mod save;
pub(crate) mod tag;

use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "image",
    about: "Manage images",
    flags: &[],
    commands: &[
        &build::COMMAND,
        &history::COMMAND,
        &import::COMMAND,
        &inspect::COMMAND,
        &load::COMMAND,
        &ls::COMMAND,
        &prune::COMMAND,
        &pull::COMMAND,
        &push::COMMAND,
        &rm::COMMAND,
        &save::COMMAND,
        &tag::COMMAND,
    ],
};
