//! From a request to its answer: what all have in common. Which method does what is [`run`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};

use super::Response;
use super::access::Identity;
use super::body::{Body, Received};
use super::error::{Code, Error};
use super::query::{Query, decode};
use super::registry::Registry;
use super::route::Route;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// A request whose path was understood.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: Query,
    pub(super) body: Received,
    pub(super) identity: Identity,
}

/// Answers, and says so in the log.
pub(super) async fn answer(
    registry: &Arc<Registry>,
    peer: SocketAddr,
    request: hyper::Request<Incoming>,
) -> Response {
    let began = Instant::now();
    let (method, target) = (request.method().clone(), request.uri().clone());
    let mut response =
        understand(registry, peer, request).await.unwrap_or_else(|error| error.response());
    let headers = response.headers_mut();
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, length) = (response.status().as_u16(), response.body().size_hint().lower());
    registry.metrics.answered(status, if method == Method::HEAD { 0 } else { length });
    if registry.access_log {
        let micros = began.elapsed().as_micros();
        tracing::info!(%peer, %method, path = target.path(), status, length, micros, "answered");
    }
    response
}

async fn understand(
    registry: &Arc<Registry>,
    peer: SocketAddr,
    request: hyper::Request<Incoming>,
) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let no_page =
        || Error::new(Code::Unsupported, "page not found").with_status(StatusCode::NOT_FOUND);
    let path = decode(head.uri.path()).ok_or_else(no_page)?;
    let route = Route::parse(&path).ok_or_else(no_page)??;
    let query = Query::parse(head.uri.query().unwrap_or_default())?;
    let identity = authorise(registry, &route, &head.method, &head.headers).await?;
    let body = Received::new(body);
    let mut call = Call { method: head.method, headers: head.headers, query, body, identity };
    if call.method.is_safe() {
        return run_and_tell(registry, peer, route, &mut call).await;
    }
    // What changes something is carried out, whether or not the client waits for its end.
    let registry = Arc::clone(registry);
    let task = tokio::spawn(async move {
        let answer = run_and_tell(&registry, peer, route, &mut call).await;
        if answer.is_err() {
            call.body.drain().await;
        }
        answer
    });
    task.await.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked).into()))
}

/// Who asks, if they may.
async fn authorise(
    registry: &Registry,
    route: &Route,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Identity, Error> {
    if matches!(route, Route::Health) {
        return Ok(Identity::Anonymous);
    }
    let identity = registry.access.identify(headers).await?;
    match route.needs(method) {
        None => registry.access.known(&identity)?,
        Some((repository, action)) => registry.access.check(&identity, repository, action)?,
    }
    Ok(identity)
}

/// Whoever wants to know is told of what was done.
async fn run_and_tell(
    registry: &Arc<Registry>,
    peer: SocketAddr,
    route: Route,
    call: &mut Call,
) -> Result<Response, Error> {
    let asked = registry.asked(&route, call, peer);
    let response = run(registry, route, call).await?;
    if let Some(asked) = asked {
        registry.notice(asked, &response).await?;
    }
    Ok(response)
}

async fn run(registry: &Registry, route: Route, call: &mut Call) -> Result<Response, Error> {
    let changes = !call.method.is_safe();
    // What is somebody else's is changed there; here it can be dropped.
    let is_copy = registry.upstream.is_some() && call.method != Method::DELETE;
    if changes && (registry.read_only || is_copy) {
        return Err(
            Error::method_not_allowed("GET, HEAD").with_status(StatusCode::METHOD_NOT_ALLOWED)
        );
    }
    match (route, call.method.as_str()) {
        (Route::Base, "GET" | "HEAD") => Ok(json("{}")),
        (Route::Health, "GET" | "HEAD") => registry.health().await,
        (Route::Metrics, "GET" | "HEAD") => registry.metrics_page().await,
        (Route::Catalog, "GET" | "HEAD") => registry.catalog(call).await,
        (Route::Tags(name), "GET" | "HEAD") => registry.tags(call, name).await,
        (Route::Referrers(name, subject), "GET" | "HEAD") => {
            registry.referrers(call, name, subject).await
        }
        (Route::Blob(name, digest), "GET" | "HEAD") => registry.blob(call, name, digest).await,
        (Route::Blob(name, digest), "DELETE") => registry.delete_blob(name, digest).await,
        (Route::Manifest(name, reference), "GET" | "HEAD") => {
            registry.manifest(call, name, reference).await
        }
        (Route::Manifest(name, reference), "PUT") => {
            registry.put_manifest(call, name, reference).await
        }
        (Route::Manifest(name, reference), "DELETE") => {
            registry.delete_manifest(name, reference).await
        }
        (Route::Uploads(name), "POST") => registry.begin_upload(call, name).await,
        (Route::Upload(name, id), "GET" | "HEAD") => registry.upload(name, id).await,
        (Route::Upload(name, id), "PATCH") => registry.patch_upload(call, name, id).await,
        (Route::Upload(name, id), "PUT") => registry.put_upload(call, name, id).await,
        (Route::Upload(name, id), "DELETE") => registry.cancel_upload(name, id).await,
        (route, _) => Err(Error::method_not_allowed(methods(&route))),
    }
}

fn methods(route: &Route) -> &'static str {
    match route {
        Route::Blob(..) => "GET, HEAD, DELETE",
        Route::Manifest(..) => "GET, HEAD, PUT, DELETE",
        Route::Uploads(_) => "POST",
        Route::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE",
        _ => "GET, HEAD",
    }
}

pub(super) fn json(text: impl Into<String>) -> Response {
    typed(text.into(), "application/json")
}

pub(super) fn typed(text: String, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An answer without a body.
pub(super) fn empty<const N: usize>(
    status: StatusCode,
    headers: [(HeaderName, String); N],
) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    add(&mut response, headers);
    response
}

/// Values are ASCII: they are made of names and numbers.
pub(super) fn add<const N: usize>(response: &mut Response, headers: [(HeaderName, String); N]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
}
