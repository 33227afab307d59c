//! `state`: the state document.

use serde_json::json;

use super::{Command, Global};
use crate::error::{Error, Result};
use crate::flags::{Args, Order};
use crate::state::Container;

pub(super) const COMMAND: Command = Command {
    name: "state",
    usage: "CONTAINER",
    help: "output the state of a container",
    flags: &[],
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    let document = document(&global.container(args)?)?;
    let text = serde_json::to_string_pretty(&document);
    println!("{}", text.map_err(|error| Error::other(error.to_string()))?);
    Ok(0)
}

/// The specification's members and runc's own, which its callers read.
pub(super) fn document(container: &Container) -> Result<serde_json::Value> {
    let state = container.state()?;
    let record = &container.record;
    let root = record.spec.root.as_ref().map(|root| record.bundle.join(&root.path));
    Ok(json!({
        "ociVersion": state.version,
        "id": state.id,
        "pid": state.pid,
        "status": state.status,
        "bundle": state.bundle,
        "rootfs": root,
        "created": record.created,
        "annotations": state.annotations,
        "owner": if record.owner == 0 { "root".to_owned() } else { record.owner.to_string() },
    }))
}
