//! Networks.

use api::networks::{ConnectNetwork, CreateNetwork, DisconnectNetwork, NetworkCreated};
use api::version::ForVersion;
use hyper::StatusCode;

use super::json::json;
use super::{Body, Call, Response, Router};
use crate::error::{Error, Result, blocking};
use crate::networks::{LIST_FILTERS, PRUNE_FILTERS};

pub fn routes(router: &mut Router) {
    router.get("/networks", list);
    router.get("/networks/", list);
    // Before the pattern that it would fit as well.
    router.get("/networks/why/{name}", why);
    router.get("/networks/{name}", inspect);
    router.post("/networks/create", create);
    router.post("/networks/prune", prune);
    router.post("/networks/{name}/connect", connect);
    router.post("/networks/{name}/disconnect", disconnect);
    router.delete("/networks/{name}", remove);
}

async fn list(call: Call) -> Result<Response> {
    let filters = call.filters(LIST_FILTERS)?;
    let mut networks = call.engine.networks.list(&filters)?;
    networks.iter_mut().for_each(|network| network.for_version(call.version));
    Ok(json(&networks))
}

/// `verbose` adds what swarm services have on it: nothing here.
async fn inspect(call: Call) -> Result<Response> {
    let verbose = call.query.get("verbose");
    if !matches!(
        verbose,
        "" | "1"
            | "t"
            | "T"
            | "true"
            | "TRUE"
            | "True"
            | "0"
            | "f"
            | "F"
            | "false"
            | "FALSE"
            | "False"
    ) {
        return Err(Error::invalid(format!(
            "invalid value for verbose: {verbose}: strconv.ParseBool: parsing {verbose:?}: invalid syntax"
        )));
    }
    let mut network = call.engine.networks.inspect(&call.name, call.query.get("scope"))?;
    network.for_version(call.version);
    Ok(json(&network))
}

/// Docker does not have it.
async fn why(call: Call) -> Result<Response> {
    let engine = call.engine;
    let (to, query) = (call.name, call.query);
    let answer =
        blocking(move || engine.networks.why(&to, query.get("protocol"), query.get("from")));
    Ok(json(&answer.await?))
}

async fn create(mut call: Call) -> Result<Response> {
    let request: CreateNetwork = call.json_or_default().await?;
    let engine = call.engine;
    let id = blocking(move || engine.networks.create(request)).await?;
    let mut response = json(&NetworkCreated { id, warning: String::new() });
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn connect(mut call: Call) -> Result<Response> {
    let request: ConnectNetwork = call.json_or_default().await?;
    call.engine.networks.connect(&call.name, request).await?;
    Ok(Response::new(Body::empty()))
}

async fn disconnect(mut call: Call) -> Result<Response> {
    let request: DisconnectNetwork = call.json_or_default().await?;
    call.engine.networks.disconnect(&call.name, request).await?;
    Ok(Response::new(Body::empty()))
}

async fn remove(call: Call) -> Result<Response> {
    let engine = call.engine;
    blocking(move || engine.networks.remove(&call.name)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

async fn prune(call: Call) -> Result<Response> {
    let filters = call.prune_filters(PRUNE_FILTERS)?;
    let engine = call.engine;
    Ok(json(&blocking(move || engine.networks.prune(&filters)).await?))
}
