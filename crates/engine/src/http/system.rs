//! The engine about itself.

use api::Version;
use api::system::Detail;
use api::version::ForVersion;

use super::json::json;
use super::{Call, Response, Router};
use crate::error::{Result, blocking};
use crate::system::Objects;

pub fn routes(router: &mut Router) {
    router.get("/version", version);
    router.get("/info", info);
    router.get("/system/df", disk_usage);
    router.post("/auth", auth);
}

async fn version(call: Call) -> Result<Response> {
    Ok(json(&call.engine.system.version()))
}

async fn info(call: Call) -> Result<Response> {
    let engine = call.engine;
    let mut info = blocking(move || engine.system.info()).await?;
    info.for_version(call.version);
    Ok(json(&info))
}

async fn disk_usage(call: Call) -> Result<Response> {
    // Older clients cannot choose.
    let objects = if call.version < Version::v1(42) {
        Objects::ALL
    } else {
        Objects::parse(call.query.all("type"))?
    };
    let engine = call.engine;
    let detail = if call.query.flag("verbose") { Detail::Items } else { Detail::Totals };
    let mut usage = blocking(move || engine.system.disk_usage(objects)).await?;
    usage.for_version(call.version, detail);
    Ok(json(&usage))
}

/// `login`.
async fn auth(mut call: Call) -> Result<Response> {
    let auth = call.json().await?;
    Ok(json(&call.engine.registries.log_in(auth).await?))
}
