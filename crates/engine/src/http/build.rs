//! `/build`: the classic request, which brings its context, and sessions, whose clients keep theirs
//! (docs/design/0018-build-session.md).

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use api::Filters;
use api::build::{BuildOptions, BuildResult, Dockerfile, Failure, Limits, Status};
use api::progress::Message;
use api::registry::AuthConfig;
use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper_util::rt::TokioIo;
use oci::{Platform, Reference};
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::body::BodyReader;
use super::call::check_values;
use super::images::{line, stream_of};
use super::json::json;
use super::query::Query;
use super::{Body, BodyWriter, Call, OnDisconnect, Response, Router};
use crate::builds::cache;
use crate::builds::client::{Classic, Client, Session, Told, Upload, failure};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result, blocking};

/// Credentials for every registry that base images may come from.
const REGISTRY_CONFIG: &str = "x-registry-config";
/// What an upgraded connection speaks.
const PROTOCOL: &str = "gantry-build";

pub fn routes(router: &mut Router) {
    router.add(hyper::Method::POST, "/build", OnDisconnect::Cancel, build);
    router.add(hyper::Method::POST, "/build/session", OnDisconnect::Cancel, session);
    router.post("/build/prune", prune);
    router.post("/build/cancel", cancel);
}

async fn session(call: Call) -> Result<Response> {
    let asks = call.head.headers.get(UPGRADE);
    if asks.and_then(|value| value.to_str().ok()) != Some(PROTOCOL) {
        return Err(Error::invalid(format!("a build's session is an upgrade to {PROTOCOL}")));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
    let (engine, upgrade) = (call.engine, call.upgrade);
    tokio::spawn(async move {
        // A client that went away before it got its stream wants nothing built.
        let Ok(upgraded) = upgrade.await else { return };
        match Session::accept(TokioIo::new(upgraded)).await {
            Ok((session, options, answer)) => {
                let client = Client::Session(session);
                answer.follow(async move { run(&engine, options, client).await }).await;
            }
            Err(error) => tracing::debug!("a build's session ended: {error}"),
        }
        sys::allocator::trim();
    });
    Ok(response)
}

/// Until something was told of the build, an error is a status; then it is the last line.
async fn build(call: Call) -> Result<Response> {
    let mut options = options(&call.query)?;
    options.auths = auths(&call);
    let caches: Option<Vec<String>> = document(&call.query, "cachefrom", "cache-from")?;
    options.no_cache |= !call.engine.builds.may_use_cache(caches.unwrap_or_default()).await?;
    let quiet = call.query.flag("q");
    let named = call.query.get("dockerfile");
    let named = if named.is_empty() { "Dockerfile" } else { named }.to_owned();
    let engine = Arc::clone(&call.engine);
    let input = BodyReader::new(call.body);
    let receiving = Arc::clone(&engine);
    let received = blocking(move || {
        let mut context = receiving.builds.receive(input)?;
        let text = context.take_dockerfile(&named)?;
        Ok((context, Dockerfile { name: named, text }))
    });
    let (context, dockerfile) = received.await?;
    options.dockerfile = dockerfile;
    let (answer, body) = Body::stream();
    let (upload, told) = Upload::new(context, answer.clone());
    let tags = options.tags.clone();
    let building = tokio::spawn(async move {
        let client = Client::Upload(upload);
        run(&engine, options, client).await
    });
    let Some(first) = told.next().await else {
        // It ended before it told anything, which is no success.
        let ended = result_of(building).await;
        return Err(Error::invalid(ended.map_or_else(|failed| failed.message, |_| String::new())));
    };
    tokio::spawn(tell(first, told, building, answer, Answer { tags, quiet }));
    Ok(stream_of(body))
}

/// What is told at the end.
struct Answer {
    tags: Vec<String>,
    /// Nothing but the image's id.
    quiet: bool,
}

type Building = JoinHandle<Result<BuildResult, Failure>>;

async fn result_of(building: Building) -> Result<BuildResult, Failure> {
    building.await.unwrap_or_else(|failed| {
        Err(Failure { message: format!("the build was aborted: {failed}"), ..Failure::default() })
    })
}

async fn run(
    engine: &Engine,
    options: BuildOptions,
    client: Client,
) -> Result<BuildResult, Failure> {
    engine.builds.build(options, client).await.map_err(|error| failure(&error))
}

async fn tell(first: Status, told: Told, building: Building, client: BodyWriter, answer: Answer) {
    let mut classic = Classic::default();
    let mut kept = Vec::new();
    let mut next = Some(first);
    while let Some(status) = next {
        let messages = classic.add(status);
        match answer.quiet {
            true => kept.extend(messages),
            // A client that is gone is noticed by the build itself.
            false => drop(send(&client, &messages).await),
        }
        next = told.next().await;
    }
    let result = result_of(building).await;
    let last = match &result {
        Ok(built) if answer.quiet => vec![Message::stream(format!("{}\n", built.image_id))],
        _ => [kept, classic.finish(&result, &answer.tags)].concat(),
    };
    // As above.
    let _ = send(&client, &last).await;
    sys::allocator::trim();
}

async fn send(answer: &BodyWriter, messages: &[Message]) -> std::io::Result<()> {
    let lines: Vec<u8> = messages.iter().flat_map(line).collect();
    if lines.is_empty() { Ok(()) } else { answer.send(lines).await }
}

/// What the parameters mean; what there is not is refused.
fn options(query: &Query) -> Result<BuildOptions> {
    refuse(query)?;
    let labels: Option<BTreeMap<String, String>> = document(query, "labels", "labels")?;
    let args: Option<BTreeMap<String, Option<String>>> =
        document(query, "buildargs", "build args")?;
    let tags = query.all("t").filter(|tag| !tag.is_empty()).map(tag);
    Ok(BuildOptions {
        target: query.get("target").to_owned(),
        build_args: args.unwrap_or_default(),
        labels: labels.unwrap_or_default(),
        tags: tags.collect::<Result<_>>()?,
        platforms: platform(query.get("platform"))?,
        no_cache: query.flag("nocache"),
        pull: query.flag("pull"),
        network: query.get("networkmode").to_owned(),
        extra_hosts: query.all("extrahosts").map(str::to_owned).collect(),
        shm_size: number(query, "shmsize"),
        ulimits: document(query, "ulimits", "ulimit settings")?.unwrap_or_default(),
        cgroup_parent: query.get("cgroupparent").to_owned(),
        limits: Limits {
            memory: number(query, "memory"),
            memory_swap: number(query, "memswap"),
            cpu_shares: number(query, "cpushares"),
            cpu_period: number(query, "cpuperiod"),
            cpu_quota: number(query, "cpuquota"),
            cpuset_cpus: query.get("cpusetcpus").to_owned(),
            cpuset_mems: query.get("cpusetmems").to_owned(),
        },
        ..BuildOptions::default()
    })
}

/// `rm`, `forcerm` and `buildid` are read by nobody: no container of a step is ever left behind.
fn refuse(query: &Query) -> Result<()> {
    match query.get("version") {
        "" | "1" => {}
        "2" => {
            return Err(Error::not_implemented(
                "BuildKit's protocol is not spoken here: use gantry build, or the classic builder (DOCKER_BUILDKIT=0)",
            ));
        }
        other => return Err(Error::invalid(format!("invalid version {other:?}"))),
    }
    if query.flag("squash") {
        return Err(Error::invalid("squash is only supported with experimental mode"));
    }
    if query.has("securityopt") {
        return Err(Error::invalid(
            "The daemon on this platform does not support setting security options on build",
        ));
    }
    if !matches!(query.get("outputs"), "" | "[]" | "null") {
        return Err(Error::invalid("outputs need a build's session: use gantry build"));
    }
    let remote = query.get("remote");
    if !matches!(remote, "" | "client-session") {
        return Err(Error::not_implemented(format!(
            "a build of {remote} is not fetched by this engine: send its files"
        )));
    }
    Ok(())
}

/// As in Docker, what is no number is none.
fn number<T: FromStr + Default>(query: &Query, name: &str) -> T {
    query.get(name).trim().parse().unwrap_or_default()
}

fn document<T: DeserializeOwned>(query: &Query, name: &str, what: &str) -> Result<Option<T>> {
    match query.get(name) {
        "" => Ok(None),
        text => serde_json::from_str(text)
            .map_err(|error| Error::invalid(format!("error reading {what}")).because(error)),
    }
}

/// As people see it.
fn tag(name: &str) -> Result<String> {
    let reference = Reference::parse(name).map_err(|error| Error::invalid(error.to_string()))?;
    if reference.digest().is_some() {
        return Err(Error::invalid("build tag cannot contain a digest"));
    }
    Ok(reference.tag_default().familiar())
}

fn platform(text: &str) -> Result<Vec<String>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let parsed = Platform::parse(&text.to_lowercase());
    parsed.map_err(|error| Error::invalid(error.to_string()))?;
    Ok(vec![text.to_lowercase()])
}

/// By registry; what is not understood are none, as in Docker.
fn auths(call: &Call) -> BTreeMap<String, AuthConfig> {
    let header = call.head.headers.get(REGISTRY_CONFIG).and_then(|value| value.to_str().ok());
    let json = header.and_then(api::base64::decode_url);
    let auths = json.and_then(|json| serde_json::from_slice(&json).ok());
    let auths: BTreeMap<String, AuthConfig> = auths.unwrap_or_default();
    auths.into_iter().map(|(name, auth)| (name, auth.with_password())).collect()
}

async fn prune(call: Call) -> Result<Response> {
    let filters = Filters::parse(call.query.get("filters"))?;
    check_values(&filters)?;
    let wanted = cache::wanted(&filters, call.query.flag("all"), keep(&call.query)?)?;
    let engine = call.engine;
    Ok(json(&blocking(move || engine.builds.prune(&wanted)).await?))
}

/// Bytes that may stay. Newer clients have three names for it; the least that one of them says counts.
fn keep(query: &Query) -> Result<u64> {
    let mut keep = None;
    for name in ["keep-storage", "reserved-space", "max-used-space"] {
        let text = query.get(name);
        if text.is_empty() {
            continue;
        }
        let bytes: i64 = text.parse().map_err(|_| {
            Error::invalid(format!(
                "{name} is in bytes and expects an integer, got {text}: {}",
                super::query::not_a_number("Atoi", text)
            ))
        })?;
        let bytes = u64::try_from(bytes).unwrap_or_default();
        keep = Some(keep.map_or(bytes, |kept: u64| kept.min(bytes)));
    }
    Ok(keep.unwrap_or_default())
}

async fn cancel(_: Call) -> Result<Response> {
    Err(Error::new(Kind::NotImplemented, "a build is cancelled by closing its connection"))
}
