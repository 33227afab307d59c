//! Images.

use std::sync::Arc;

use api::Filters;
use api::progress::Message;
use api::registry::{self, AuthConfig};
use api::version::{ForVersion, Version};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use oci::{Digest, Platform, Reference};
use store::images::Removal;

use super::body::BodyReader;
use super::json::{APPLICATION_JSON, json};
use super::{Body, BodyWriter, Call, Response, Router};
use crate::error::{Error, Result, blocking};
use crate::images::progress::Reporter;
use crate::images::{Commit, Import, Prune, Pull, Push};
use crate::registries::Search;

pub fn routes(router: &mut Router) {
    router.get("/images/json", list);
    router.get("/images/get", save_several);
    router.get("/images/search", search);
    router.get("/images/{name}/json", inspect);
    router.get("/images/{name}/history", history);
    router.get("/images/{name}/get", save);
    router.get("/distribution/{name}/json", distribution);
    router.post("/images/load", load);
    router.post("/images/create", create);
    router.post("/images/prune", prune);
    router.post("/images/{name}/tag", tag);
    router.post("/images/{name}/push", push);
    router.post("/commit", commit);
    router.delete("/images/{name}", remove);
}

async fn list(call: Call) -> Result<Response> {
    let known = ["before", "dangling", "label", "reference", "since", "until"];
    let filters = call.filters(&known)?;
    let all = call.query.flag("all");
    let shared_size = call.query.flag("shared-size");
    // What older clients never see need not be looked up.
    let with_manifests = call.query.flag("manifests") && call.version >= Version::v1(47);
    let engine = call.engine;
    let mut images = blocking(move || {
        let mut images = engine.images.list(&filters, all, shared_size)?;
        if with_manifests {
            engine.images.add_manifests(&mut images)?;
        }
        Ok(images)
    })
    .await?;
    images.iter_mut().for_each(|image| image.for_version(call.version));
    Ok(json(&images))
}

async fn inspect(call: Call) -> Result<Response> {
    let platform = platform(&call)?;
    if platform.is_some() && call.query.flag("manifests") {
        return Err(Error::invalid(
            "conflicting options: manifests and platform options cannot both be set",
        ));
    }
    let with_manifests = call.query.flag("manifests");
    let engine = call.engine;
    let mut image = blocking(move || engine.images.inspect(&call.name, platform.as_ref())).await?;
    image.manifests.take_if(|_| !with_manifests);
    image.for_version(call.version);
    Ok(json(&image))
}

async fn history(call: Call) -> Result<Response> {
    let platform = platform(&call)?;
    let engine = call.engine;
    Ok(json(&blocking(move || engine.images.history(&call.name, platform.as_ref())).await?))
}

/// The `platform` parameter: JSON, as the API has it, or as people write it.
fn platform(call: &Call) -> Result<Option<Platform>> {
    match call.query.get("platform") {
        "" => Ok(None),
        text => Platform::from_query(text)
            .map(Some)
            .map_err(|error| Error::invalid(format!("invalid platform: {error}"))),
    }
}

async fn tag(call: Call) -> Result<Response> {
    let engine = call.engine;
    let (repository, tag) = (call.query.get("repo").to_owned(), call.query.get("tag").to_owned());
    if repository.is_empty() {
        // Docker finds nothing to do, and no fault.
        return Ok(Response::new(Body::empty()));
    }
    blocking(move || engine.images.tag(&call.name, &repository, &tag)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn remove(call: Call) -> Result<Response> {
    let removal = Removal { force: call.query.flag("force"), prune: !call.query.flag("noprune") };
    let engine = call.engine;
    Ok(json(&blocking(move || engine.images.remove(&call.name, removal)).await?))
}

async fn prune(call: Call) -> Result<Response> {
    let filters = call.prune_filters(&["dangling", "label", "label!", "until"])?;
    let options = Prune::from_filters(&filters)?;
    let engine = call.engine;
    Ok(json(&blocking(move || engine.images.prune(&options)).await?))
}

async fn load(call: Call) -> Result<Response> {
    let quiet = call.query.flag("quiet");
    let platform = platform(&call)?.unwrap_or_else(Platform::host);
    let engine = Arc::clone(&call.engine);
    let input = BodyReader::new(call.body);
    Ok(progress(move |report| engine.images.load(input, &platform, quiet, report)))
}

async fn save(call: Call) -> Result<Response> {
    let names = vec![call.name.clone()];
    archive(call, names).await
}

async fn save_several(call: Call) -> Result<Response> {
    // One parameter for each name; old clients joined them with commas.
    let names = call.query.all("names").flat_map(|names| names.split(','));
    let names = names.map(str::to_owned).collect();
    archive(call, names).await
}

/// A missing image is an error before the first byte; what fails later cuts the archive off.
async fn archive(call: Call, names: Vec<String>) -> Result<Response> {
    let platform = platform(&call)?;
    let engine = call.engine;
    let (checked, wanted) = (Arc::clone(&engine), platform.clone());
    let exist = move || checked.images.must_exist(&names, wanted.as_ref()).map(|()| names);
    let names = blocking(exist).await?;
    let (mut writer, body) = Body::stream();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = engine.images.save(&names, platform.as_ref(), &mut writer) {
            tracing::error!("cannot save {}: {error}", names.join(" "));
            writer.fail_blocking(std::io::Error::other(error));
        }
    });
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/x-tar");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// Import and pull share a path.
async fn create(call: Call) -> Result<Response> {
    let query = &call.query;
    if query.has("fromImage") {
        return pull(call).await;
    }
    if query.get("fromSrc") != "-" {
        return Err(Error::not_implemented(
            "only an archive in the request can be imported: fetch it first, then import it from there",
        ));
    }
    let import = Import {
        repository: query.get("repo").to_owned(),
        tag: query.get("tag").to_owned(),
        message: query.get("message").to_owned(),
        changes: query.all("changes").map(str::to_owned).collect(),
        platform: query.get("platform").to_owned(),
    };
    let engine = Arc::clone(&call.engine);
    let input = BodyReader::new(call.body);
    let id = blocking(move || engine.images.import(input, import)).await?;
    Ok(stream_of(Body::from(line(&Message::status(id)))))
}

/// Until the registry has answered, an error is a status; then it is the last line.
async fn pull(call: Call) -> Result<Response> {
    let name = to_pull(call.query.get("fromImage"), call.query.get("tag"))?;
    let pull = Pull { name, platform: platform(&call)?, auth: auth(&call).unwrap_or_default() };
    let images = call.engine.images.clone();
    let (first, others) = images.find(&pull).await?;
    Ok(reported(|report| async move { images.pull(&pull, first, others, &report).await }))
}

/// The name without its tag or digest, unless they are given apart; with neither it means all tags.
fn to_pull(image: &str, tag: &str) -> Result<Reference> {
    let invalid = |error: oci::reference::ParseError| Error::invalid(error.to_string());
    let name = reference(image.trim_end_matches(':'))?;
    if tag.is_empty() {
        return Ok(name);
    }
    match Digest::parse(tag) {
        Ok(digest) => Ok(name.with_digest(digest)),
        Err(_) => name.with_tag(tag).map_err(invalid),
    }
}

/// Who asks the registry; `None` for what is not understood.
fn auth(call: &Call) -> Option<AuthConfig> {
    let header = call.head.headers.get(registry::AUTH_HEADER)?.to_str().ok()?;
    AuthConfig::from_header(header)
}

async fn commit(mut call: Call) -> Result<Response> {
    let config = call.json_or_default().await?;
    let query = &call.query;
    if query.get("container").is_empty() {
        return Err(Error::invalid("invalid name or ID supplied: \"\""));
    }
    let commit = Commit {
        container: query.get("container").to_owned(),
        repository: query.get("repo").to_owned(),
        tag: query.get("tag").to_owned(),
        comment: query.get("comment").to_owned(),
        author: query.get("author").to_owned(),
        changes: query.all("changes").map(str::to_owned).collect(),
        config,
    };
    let pause = query.flag_or("pause", true);
    let id = call.engine.images.commit(commit, pause).await?;
    let mut response = json(&api::IdResponse { id });
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn push(call: Call) -> Result<Response> {
    let mut name = reference(&call.name)?;
    let tag = call.query.get("tag");
    if !tag.is_empty() {
        name = name.with_tag(tag).map_err(|error| Error::invalid(error.to_string()))?;
    }
    let Some(auth) = auth(&call) else {
        return Err(Error::invalid(
            "bad parameters and missing X-Registry-Auth: invalid X-Registry-Auth header: EOF",
        ));
    };
    let (push, images) = (Push { name, auth }, call.engine.images.clone());
    Ok(reported(|report| async move { images.push(&push, &report).await }))
}

async fn search(call: Call) -> Result<Response> {
    let limit = match call.query.get("limit") {
        "" => 0,
        text => text.parse::<u32>().map_err(|_| Error::invalid("invalid limit specified"))?.into(),
    };
    let filters = Filters::parse(call.query.get("filters"))
        .map_err(|error| Error::invalid(error.to_string()))?;
    let (term, auth) = (call.query.get("term").to_owned(), auth(&call).unwrap_or_default());
    let search = Search { term, limit, filters, auth };
    Ok(json(&call.engine.registries.search(search).await?))
}

async fn distribution(call: Call) -> Result<Response> {
    let name = reference(&call.name)?;
    let auth = auth(&call).unwrap_or_default();
    Ok(json(&call.engine.registries.inspect(&name, auth).await?))
}

fn reference(text: &str) -> Result<Reference> {
    Reference::parse(text).map_err(|error| Error::invalid(error.to_string()))
}

/// Runs blocking work that tells what it does; its error becomes the last line.
fn progress(work: impl FnOnce(&mut dyn FnMut(Message)) -> Result<()> + Send + 'static) -> Response {
    let (writer, body) = Body::stream();
    tokio::task::spawn_blocking(move || report(work, &writer));
    stream_of(body)
}

fn report(work: impl FnOnce(&mut dyn FnMut(Message)) -> Result<()>, writer: &BodyWriter) {
    // A client that is gone does not stop the work.
    let mut send = |message: Message| drop(writer.send_blocking(line(&message)));
    if let Err(error) = work(&mut send) {
        send(Message::error(error.to_string()));
    }
    sys::allocator::trim();
}

/// As [`progress`], for work that waits for others. It ends when the client goes away.
fn reported<F>(work: impl FnOnce(Reporter) -> F) -> Response
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (writer, body) = Body::stream();
    let (report, mut messages) = Reporter::new();
    let work = work(report);
    tokio::spawn(async move {
        let lines = async {
            while let Some(message) = messages.recv().await {
                if writer.send(line(&message)).await.is_err() {
                    break;
                }
            }
        };
        let worked = async { tokio::join!(work, lines).0 };
        tokio::select! {
            () = writer.closed() => {}
            ended = worked => if let Err(error) = ended {
                // A client that is gone needs no telling.
                let _ = writer.send(line(&Message::error(error.to_string()))).await;
            },
        }
        sys::allocator::trim();
    });
    stream_of(body)
}

pub(super) fn stream_of(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, APPLICATION_JSON);
    response
}

pub(super) fn line(message: &Message) -> Bytes {
    let mut line = serde_json::to_vec(message).expect("wire types serialise");
    line.extend_from_slice(b"\r\n");
    line.into()
}
