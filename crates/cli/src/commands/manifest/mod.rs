//! `gantry manifest ...`: what registries have, and lists of manifests that are made here. No engine is asked: the
//! commands talk to registries themselves, as Docker's do.

pub(crate) mod annotate;
pub(crate) mod create;
pub(crate) mod inspect;
pub(crate) mod push;
pub(crate) mod rm;

mod entry;
mod lists;
mod remote;

use oci::Reference;

pub(crate) use remote::Remote;

use crate::command::Group;
use crate::error::{Failure, Result};
use crate::flags::Flag;
use crate::reference;

pub(crate) const GROUP: Group = Group {
    name: "manifest",
    about: "Manage Docker image manifests and manifest lists",
    flags: &[],
    commands: &[
        &annotate::COMMAND,
        &create::COMMAND,
        &inspect::COMMAND,
        &push::COMMAND,
        &rm::COMMAND,
    ],
};

const INSECURE: Flag = Flag::bool("insecure", "Allow communication with an insecure registry");

/// A name with its registry, and a tag where it has neither that nor a digest.
fn full(text: &str) -> Result<Reference, String> {
    reference::check(text)?;
    let name = Reference::parse(text).map_err(|error| error.to_string())?;
    Ok(name.tag_default())
}

fn missing(name: &Reference) -> Failure {
    Failure::new(format!("No such manifest: {name}"))
}
