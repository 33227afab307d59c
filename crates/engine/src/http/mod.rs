//! The Engine API over HTTP/1.1. Nothing here decides anything: a handler decodes a request, calls one service
//! and encodes what it returned.
//!
//! A connection is one task (`server`). Its requests go through `router` (path, version, headers) to a handler
//! `async fn(Call) -> Result<Response>`. Errors become status codes in `error`, and only there.

mod body;
mod call;
mod error;
mod hijack;
mod idle;
mod json;
pub mod listen;
mod peer;
mod query;
mod router;
mod server;
mod tls;
mod version;

mod archive;
mod build;
mod containers;
mod debug;
mod detach_keys;
#[cfg(test)]
mod endpoints;
mod events;
mod exec;
mod images;
mod later;
pub mod metrics;
mod networks;
mod ping;
mod system;
mod volumes;
mod web_socket;

pub use body::{Body, BodyWriter};
pub use call::Call;
pub use hijack::Hijack;
pub use query::Query;
pub use router::{OnDisconnect, Router};
pub use server::Server;

pub type Response = hyper::Response<Body>;

/// Every endpoint of the engine.
pub fn routes() -> Router {
    let mut router = Router::default();
    ping::routes(&mut router);
    system::routes(&mut router);
    images::routes(&mut router);
    containers::routes(&mut router);
    archive::routes(&mut router);
    build::routes(&mut router);
    exec::routes(&mut router);
    events::routes(&mut router);
    networks::routes(&mut router);
    volumes::routes(&mut router);
    debug::routes(&mut router);
    later::routes(&mut router);
    router
}
