//! `gantry context ...`: named ways to an engine. No engine is asked.

pub(crate) mod create;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod ls;
mod options;
pub(crate) mod rm;
pub(crate) mod show;
pub(crate) mod update;
#[path = "use.rs"]
pub(crate) mod use_context;

use crate::command::Group;
use crate::contexts::Meta;

pub(crate) const GROUP: Group = Group {
    name: "context",
    about: "Manage contexts",
    flags: &[],
    commands: &[
        &create::COMMAND,
        &export::COMMAND,
        &import::COMMAND,
        &inspect::COMMAND,
        &ls::COMMAND,
        &rm::COMMAND,
        &show::COMMAND,
        &update::COMMAND,
        &use_context::COMMAND,
    ],
};

/// What `default` is described as.
const DEFAULT_DESCRIPTION: &str = "Current DOCKER_HOST based configuration";

/// The context that flags and variables make.
fn of_environment(host: String) -> Meta {
    use crate::contexts::{DEFAULT, ENGINE, Endpoint};
    let endpoint = Endpoint { host, skip_tls_verify: false };
    let endpoints = [(ENGINE.to_owned(), endpoint)].into();
    Meta { name: DEFAULT.to_owned(), endpoints, ..Meta::default() }
}
