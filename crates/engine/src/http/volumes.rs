//! Volumes. Rename, clone, export, import, snapshot and restore are not Docker's.

use std::collections::BTreeMap;

use api::Filters;
use api::Version;
use api::volumes::{CreateRequest, VolumeList};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::body::BodyReader;
use super::json::json;
use super::{Body, Call, Response, Router};
use crate::error::{Error, Kind, Result, blocking};
use crate::volumes::{LIST_FILTERS, PRUNE_FILTERS, Prune, Wish};

pub fn routes(router: &mut Router) {
    router.get("/volumes", list);
    router.get("/volumes/{name}/export", export);
    router.get("/volumes/{name}", inspect);
    router.post("/volumes/create", create);
    router.post("/volumes/prune", prune);
    router.post("/volumes/import", import);
    router.post("/volumes/{name}/rename", rename);
    router.post("/volumes/{name}/clone", clone);
    router.post("/volumes/{name}/snapshot", snapshot);
    router.post("/volumes/{name}/restore", restore);
    router.put("/volumes/{name}", update);
    router.delete("/volumes/{name}", remove);
}

async fn list(call: Call) -> Result<Response> {
    Filters::parse(call.query.get("filters"))
        .map_err(|error| Error::invalid(format!("error reading volume filters: {error}")))?;
    let filters = call.filters(LIST_FILTERS)?;
    let engine = call.engine;
    let volumes = blocking(move || engine.volumes.list(&filters)).await?;
    Ok(json(&VolumeList { volumes: Some(volumes), warnings: None }))
}

async fn inspect(call: Call) -> Result<Response> {
    let engine = call.engine;
    Ok(json(&blocking(move || engine.volumes.inspect(&call.name)).await?))
}

async fn create(mut call: Call) -> Result<Response> {
    let request: CreateRequest = call.json_or_default().await?;
    if request.cluster_volume_spec.is_some() {
        return Err(Error::new(Kind::Unavailable, crate::error::NOT_A_MANAGER));
    }
    let wish = Wish {
        name: request.name,
        driver: request.driver,
        labels: request.labels,
        options: request.driver_opts,
    };
    let engine = call.engine;
    Ok(made(json(&blocking(move || engine.volumes.create(wish)).await?)))
}

fn made(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::CREATED;
    response
}

fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

async fn prune(call: Call) -> Result<Response> {
    let mut prune = Prune::from_filters(call.prune_filters(PRUNE_FILTERS)?)?;
    // Before, anonymous volumes were not told from others.
    prune.all |= call.version < Version::v1(42);
    let engine = call.engine;
    Ok(json(&blocking(move || engine.volumes.prune(&prune)).await?))
}

async fn update(_: Call) -> Result<Response> {
    let why = "volume update only valid for cluster volumes, but swarm is unavailable";
    Err(Error::new(Kind::Unavailable, why))
}

async fn remove(call: Call) -> Result<Response> {
    let force = call.query.flag("force");
    let engine = call.engine;
    match blocking(move || engine.volumes.remove(&call.name)).await {
        Err(error) if force && error.kind == Kind::NotFound => {}
        result => result?,
    }
    Ok(nothing())
}

async fn rename(call: Call) -> Result<Response> {
    let new = call.query.get("name").to_owned();
    let engine = call.engine;
    blocking(move || engine.volumes.rename(&call.name, &new)).await?;
    Ok(nothing())
}

async fn clone(call: Call) -> Result<Response> {
    let target = call.query.get("name").to_owned();
    let engine = call.engine;
    Ok(made(json(&blocking(move || engine.volumes.clone_as(&call.name, &target)).await?)))
}

async fn snapshot(call: Call) -> Result<Response> {
    let snapshot = call.query.get("name").to_owned();
    let engine = call.engine;
    Ok(made(json(&blocking(move || engine.volumes.snapshot(&call.name, &snapshot)).await?)))
}

async fn restore(call: Call) -> Result<Response> {
    let snapshot = call.query.get("snapshot").to_owned();
    let engine = call.engine;
    blocking(move || engine.volumes.restore(&call.name, &snapshot)).await?;
    Ok(nothing())
}

async fn import(call: Call) -> Result<Response> {
    let name = call.query.get("name").to_owned();
    let split = |label: &str| {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        (key.to_owned(), value.to_owned())
    };
    let labels: BTreeMap<String, String> = call.query.all("label").map(split).collect();
    let engine = call.engine;
    let mut input = BodyReader::new(call.body);
    let volume = blocking(move || {
        let volume = engine.volumes.import(&name, labels, &mut input);
        sys::allocator::trim();
        volume
    });
    Ok(made(json(&volume.await?)))
}

/// What fails after the first byte cuts the archive off.
async fn export(call: Call) -> Result<Response> {
    let (engine, name) = (call.engine.clone(), call.name);
    let name = blocking(move || engine.volumes.can_export(&name).map(|()| name)).await?;
    let engine = call.engine;
    let (mut writer, body) = Body::stream();
    tokio::task::spawn_blocking(move || {
        let mut buffered = std::io::BufWriter::with_capacity(64 << 10, &mut writer);
        let exported = engine.volumes.export(&name, &mut buffered);
        let flushed = std::io::Write::flush(&mut buffered);
        drop(buffered);
        let exported = exported.and_then(|()| {
            flushed.map_err(|cause| Error::system(format!("export {name}")).because(cause))
        });
        if let Err(error) = exported {
            tracing::error!("cannot export volume {name}: {error}");
            writer.fail_blocking(std::io::Error::other(error));
        }
    });
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/x-tar");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}
