//! Volumes.

use api::volumes::VolumeList;

use super::json::json;
use super::{Call, Response, Router};
use crate::error::{Error, Result, blocking};
use crate::volumes::LIST_FILTERS;

pub fn routes(router: &mut Router) {
    router.get("/volumes", list);
    router.get("/volumes/{name}", inspect);
    router.post("/volumes/create", |_| later("make volumes by themselves"));
    router.post("/volumes/prune", |_| later("prune volumes"));
    router.delete("/volumes/{name}", remove);
}

async fn list(call: Call) -> Result<Response> {
    let filters = call.filters(LIST_FILTERS)?;
    let engine = call.engine;
    let volumes = blocking(move || engine.volumes.list(&filters)).await?;
    Ok(json(&VolumeList { volumes: Some(volumes), warnings: None }))
}

async fn inspect(call: Call) -> Result<Response> {
    Ok(json(&call.engine.volumes.inspect(&call.name)?))
}

async fn remove(call: Call) -> Result<Response> {
    call.engine.volumes.inspect(&call.name)?;
    later("remove volumes other than with their container (rm -v)").await
}

async fn later(what: &str) -> Result<Response> {
    Err(Error::not_implemented(format!("this engine does not {what} yet")))
}
