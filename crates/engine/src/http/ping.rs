//! GET and HEAD /_ping: is an engine there, and which one.

use hyper::Method;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA};

use super::{Body, Call, OnDisconnect, Response, Router};
use crate::error::Result;

pub fn routes(router: &mut Router) {
    router.add(Method::GET, "/_ping", OnDisconnect::Cancel, ping);
    router.add(Method::HEAD, "/_ping", OnDisconnect::Cancel, ping);
    // What may be asked of a path nobody says; that there is an engine, everybody may know.
    router.add(Method::OPTIONS, "/", OnDisconnect::Cancel, options);
    router.add(Method::OPTIONS, "/{name}", OnDisconnect::Cancel, options);
}

async fn options(_: Call) -> Result<Response> {
    Ok(Response::new(Body::empty()))
}

async fn ping(call: Call) -> Result<Response> {
    // As Docker: the length of a HEAD's answer is that of no body.
    let body = if call.head.method == Method::HEAD { Body::empty() } else { Body::from("OK") };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("swarm"), HeaderValue::from_static("inactive"));
    // The classic builder; 2 would make clients speak BuildKit's protocol.
    headers.insert(HeaderName::from_static("builder-version"), HeaderValue::from_static("1"));
    Ok(response)
}
