//! Networks.

use api::networks::NetworksPruned;
use api::version::ForVersion;

use super::json::json;
use super::{Call, Response, Router};
use crate::error::{Error, Result};
use crate::networks::LIST_FILTERS;

pub fn routes(router: &mut Router) {
    router.get("/networks", list);
    router.get("/networks/", list);
    router.get("/networks/{name}", inspect);
    router.post("/networks/create", |_| later());
    router.post("/networks/prune", prune);
    router.post("/networks/{name}/connect", |_| later());
    router.post("/networks/{name}/disconnect", |_| later());
    router.delete("/networks/{name}", remove);
}

async fn list(call: Call) -> Result<Response> {
    let filters = call.filters(LIST_FILTERS)?;
    let mut networks = call.engine.networks.list(&filters)?;
    networks.iter_mut().for_each(|network| network.for_version(call.version));
    Ok(json(&networks))
}

async fn inspect(call: Call) -> Result<Response> {
    let mut network = call.engine.networks.inspect(&call.name)?;
    network.for_version(call.version);
    Ok(json(&network))
}

async fn remove(call: Call) -> Result<Response> {
    call.engine.networks.remove(&call.name).map(|()| json(&()))
}

/// What is always there is never pruned, and there is nothing else.
async fn prune(_: Call) -> Result<Response> {
    Ok(json(&NetworksPruned::default()))
}

async fn later() -> Result<Response> {
    Err(Error::not_implemented("this engine has no user-defined networks yet"))
}
