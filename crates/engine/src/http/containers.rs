//! `/containers`.

use std::io;

use api::containers::{
    CreateRequest, IdResponse, UpdateRequest, UpdateResponse, WaitError, WaitResponse,
};
use api::version::{ForVersion, Version};
use bytes::{BufMut, Bytes, BytesMut};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use runtime::monitor::protocol::Streams;

use super::json::{APPLICATION_JSON, json};
use super::query::not_a_number;
use super::{Body, BodyWriter, Call, Hijack, Response, Router, detach_keys};
use crate::containers::{
    ClientSocket, Condition, LIST_FILTERS, ListOptions, PRUNE_FILTERS, Remove, Stop, Wait,
};
use crate::error::{Error, Result};
use crate::logs::{self, Timestamp};

pub const RAW_STREAM: &str = "application/vnd.docker.raw-stream";
pub const MULTIPLEXED_STREAM: &str = "application/vnd.docker.multiplexed-stream";

pub fn routes(router: &mut Router) {
    router.get("/containers/json", list);
    router.post("/containers/create", create);
    router.post("/containers/prune", prune);
    router.get("/containers/{name}/json", inspect);
    router.get("/containers/{name}/top", top);
    router.get("/containers/{name}/logs", read_logs);
    router.get("/containers/{name}/changes", changes);
    router.get("/containers/{name}/export", export);
    router.get("/containers/{name}/stats", stats);
    router.post("/containers/{name}/start", start);
    router.post("/containers/{name}/stop", stop);
    router.post("/containers/{name}/restart", restart);
    router.post("/containers/{name}/kill", kill);
    router.post("/containers/{name}/pause", pause);
    router.post("/containers/{name}/unpause", unpause);
    router.post("/containers/{name}/resize", resize);
    router.post("/containers/{name}/rename", rename);
    router.post("/containers/{name}/update", update);
    router.post("/containers/{name}/wait", wait);
    router.post("/containers/{name}/attach", attach);
    router.get("/containers/{name}/attach/ws", web_socket);
    router.get("/containers/{name}/checkpoints", checkpoints);
    router.post("/containers/{name}/checkpoints", checkpoints);
    router.delete("/containers/{name}", remove);
}

async fn list(call: Call) -> Result<Response> {
    let filters = call.filters(&LIST_FILTERS)?;
    let limit = call.query.number::<i64>("limit")?;
    let options = ListOptions {
        all: call.query.flag("all"),
        limit: limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0),
        size: call.query.flag("size"),
    };
    let mut list = call.engine.containers.list(options, &filters).await?;
    list.iter_mut().for_each(|container| container.for_version(call.version));
    Ok(json(&list))
}

async fn create(mut call: Call) -> Result<Response> {
    let request: Option<CreateRequest> = call.json().await?;
    let request = request
        .ok_or_else(|| Error::invalid("config cannot be empty in order to create a container"))?;
    let mounts = request.host_config.iter().filter_map(|host| host.mounts.as_ref()).flatten();
    if call.version < Version::v1(48) && mounts.into_iter().any(|mount| mount.kind == "image") {
        return Err(Error::invalid("Mount type \"Image\" needs API v1.48 or newer"));
    }
    let (name, platform) = (call.query.get("name"), call.query.get("platform"));
    let created = call.engine.containers.create(name, platform, request).await?;
    let mut response = json(&created);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn prune(call: Call) -> Result<Response> {
    let filters = call.prune_filters(&PRUNE_FILTERS)?;
    Ok(json(&call.engine.containers.prune(&filters).await?))
}

async fn inspect(call: Call) -> Result<Response> {
    let with_size = call.query.flag("size");
    let mut container = call.engine.containers.inspect(&call.name, with_size).await?;
    container.for_version(call.version);
    Ok(json(&container))
}

async fn top(call: Call) -> Result<Response> {
    Ok(json(&call.engine.containers.top(&call.name, call.query.get("ps_args")).await?))
}

async fn changes(call: Call) -> Result<Response> {
    let changes = call.engine.containers.changes(&call.name).await?;
    // Docker has null for none.
    Ok(json(&(!changes.is_empty()).then_some(changes)))
}

async fn export(call: Call) -> Result<Response> {
    let handle = call.engine.containers.find(&call.name)?;
    let (writer, body) = Body::stream();
    let containers = call.engine.containers.clone();
    tokio::spawn(async move {
        let out = io::BufWriter::with_capacity(64 << 10, writer.clone());
        if let Err(error) = containers.export(&handle.id, out).await {
            writer.fail(io::Error::other(error)).await;
        }
    });
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

async fn start(call: Call) -> Result<Response> {
    if !call.query.get("checkpoint").is_empty() {
        return Err(Error::invalid("checkpoint is only supported in experimental mode"));
    }
    call.engine.containers.start(&call.name).await?;
    Ok(no_content())
}

fn stop_options(call: &Call) -> Result<Stop> {
    Ok(Stop { signal: call.query.get("signal").to_owned(), timeout: call.query.number("t")? })
}

async fn stop(call: Call) -> Result<Response> {
    call.engine.containers.stop(&call.name, &stop_options(&call)?).await?;
    Ok(no_content())
}

async fn restart(call: Call) -> Result<Response> {
    call.engine.containers.restart(&call.name, &stop_options(&call)?).await?;
    Ok(no_content())
}

async fn kill(call: Call) -> Result<Response> {
    call.engine.containers.kill(&call.name, call.query.get("signal")).await?;
    Ok(no_content())
}

async fn pause(call: Call) -> Result<Response> {
    call.engine.containers.pause(&call.name).await?;
    Ok(no_content())
}

async fn unpause(call: Call) -> Result<Response> {
    call.engine.containers.unpause(&call.name).await?;
    Ok(no_content())
}

/// `h` and `w`, as both kinds of resize have them.
pub fn size(call: &Call) -> Result<(u16, u16)> {
    let side = |name: &str| -> Result<u16> {
        let invalid = || Error::invalid(not_a_number("Atoi", call.query.get(name)));
        call.query.get(name).parse().map_err(|_| invalid())
    };
    Ok((side("h")?, side("w")?))
}

async fn resize(call: Call) -> Result<Response> {
    let (height, width) = size(&call)?;
    call.engine.containers.resize(&call.name, height, width).await?;
    Ok(Response::new(Body::empty()))
}

async fn rename(call: Call) -> Result<Response> {
    call.engine.containers.rename(&call.name, call.query.get("name")).await?;
    Ok(no_content())
}

async fn update(mut call: Call) -> Result<Response> {
    let request: UpdateRequest = call.json_or_default().await?;
    let warnings = call.engine.containers.update(&call.name, request).await?;
    Ok(json(&UpdateResponse { warnings: Some(warnings).filter(|all| !all.is_empty()) }))
}

async fn remove(call: Call) -> Result<Response> {
    if call.name.contains("/checkpoints/") {
        return checkpoints(call).await;
    }
    if call.query.flag("link") {
        call.engine.containers.find(&call.name)?;
        // A link is not a name that could be removed.
        let text = "Conflict, cannot remove the default link name of the container";
        return Err(Error::conflict(text));
    }
    let options = Remove { force: call.query.flag("force"), volumes: call.query.flag("v") };
    call.engine.containers.remove(&call.name, options).await?;
    Ok(no_content())
}

/// The head goes out at once: clients start the container only after they have seen it.
async fn wait(call: Call) -> Result<Response> {
    let condition = Condition::parse(call.query.get("condition"))?;
    let wait = call.engine.containers.wait(&call.name, condition)?;
    let (writer, body) = Body::stream();
    tokio::spawn(answer_wait(wait, writer));
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, APPLICATION_JSON);
    Ok(response)
}

async fn answer_wait(wait: Wait, writer: BodyWriter) {
    let exit = tokio::select! {
        exit = wait.outcome() => exit,
        () = writer.closed() => return,
    };
    let error = Some(exit.error).filter(|text| !text.is_empty());
    let answer =
        WaitResponse { status_code: exit.code, error: error.map(|message| WaitError { message }) };
    // A client that is gone needs no answer.
    let _ = writer.send(line(&answer)).await;
}

/// One document and a newline.
fn line(value: &impl serde::Serialize) -> Bytes {
    let mut text = BytesMut::new();
    // Writing to memory cannot fail, and wire types have only strings as keys.
    serde_json::to_writer((&mut text).writer(), value).expect("wire types serialise");
    text.put_u8(b'\n');
    text.freeze()
}

async fn read_logs(call: Call) -> Result<Response> {
    let (stdout, stderr) = (call.query.flag("stdout"), call.query.flag("stderr"));
    if !stdout && !stderr {
        return Err(Error::invalid("Bad parameters: you must choose at least one stream"));
    }
    let query = logs::Query {
        stdout,
        stderr,
        since: time(&call, "since")?,
        until: time(&call, "until")?,
        tail: call.query.get("tail").parse().ok(),
        timestamps: call.query.flag("timestamps"),
        details: call.query.flag("details"),
        follow: call.query.flag("follow"),
        ..logs::Query::default()
    };
    let mut logs = call.engine.containers.logs(&call.name, query).await?;
    let (writer, body) = Body::stream();
    let content_type = if logs.tty { RAW_STREAM } else { MULTIPLEXED_STREAM };
    tokio::spawn(async move {
        loop {
            let chunk = tokio::select! {
                chunk = logs.reader.next() => chunk,
                () = writer.closed() => return,
            };
            match chunk {
                Ok(Some(chunk)) => {
                    if writer.send(chunk).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return writer.fail(error).await,
            }
        }
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// Unix seconds with an optional fraction; 0 and nothing are no bound.
fn time(call: &Call, name: &str) -> Result<Option<Timestamp>> {
    let text = call.query.get(name);
    let invalid = || Error::invalid(format!("invalid value for {name:?}: {text:?}"));
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().map_err(|_| invalid())?;
    if fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(invalid());
    }
    let nanoseconds: i64 = format!("{fraction:0<9}").parse().map_err(|_| invalid())?;
    let total = seconds.checked_mul(1_000_000_000).and_then(|s| s.checked_add(nanoseconds));
    total.map(|total| Some(Timestamp(total))).ok_or_else(invalid)
}

async fn stats(call: Call) -> Result<Response> {
    let containers = call.engine.containers.clone();
    let name = containers.find(&call.name)?.id;
    let stream = call.query.flag_or("stream", true);
    let one_shot = call.query.flag("one-shot");
    if !stream {
        let mut sample = containers.stats(&name, None).await?;
        if !one_shot && sample.pids_stats.current != 0 {
            tokio::time::sleep(BETWEEN_SAMPLES).await;
            sample = containers.stats(&name, Some(&sample)).await?;
        }
        sample.for_version(call.version);
        return Ok(json(&sample));
    }
    if one_shot {
        return Err(Error::invalid("cannot have stream=true and one-shot=true"));
    }
    let (writer, body) = Body::stream();
    tokio::spawn(async move {
        let mut before = None;
        while let Ok(stats) = containers.stats(&name, before.as_ref()).await {
            let mut shown = stats.clone();
            shown.for_version(call.version);
            if writer.send(line(&shown)).await.is_err() {
                return;
            }
            before = Some(stats);
            tokio::select! {
                () = tokio::time::sleep(BETWEEN_SAMPLES) => {}
                () = writer.closed() => return,
            }
        }
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, APPLICATION_JSON);
    Ok(response)
}

/// Loads are shown from two samples a second apart.
const BETWEEN_SAMPLES: std::time::Duration = std::time::Duration::from_secs(1);

/// What goes wrong before the stream is said in its kind, as Docker does.
async fn attach(call: Call) -> Result<Response> {
    let framing = |tty| if tty { Framing::Raw } else { Framing::Multiplexed };
    let begun = begin(call, framing).await;
    Ok(begun.unwrap_or_else(|error| super::error::plain(&error, RAW_STREAM)))
}

/// Docker's WebSocket is one stream for all, with the output that is asked for in it.
async fn web_socket(call: Call) -> Result<Response> {
    begin(call, |_| Framing::WebSocket).await
}

/// What an attached client's stream looks like.
#[derive(Clone, Copy, PartialEq)]
enum Framing {
    Raw,
    /// Each piece of output says whose it is.
    Multiplexed,
    WebSocket,
}

/// How the stream is framed may depend on whether the container has a terminal.
async fn begin(call: Call, framing: impl FnOnce(bool) -> Framing) -> Result<Response> {
    let containers = call.engine.containers.clone();
    let detach_keys = detach_keys::parse(call.query.get("detachKeys"))?;
    let record = containers.find(&call.name)?.record();
    let framing = framing(record.config.tty);
    let stream = call.query.flag("stream");
    // Docker's WebSockets of before 1.42 had all streams.
    let all = framing == Framing::WebSocket && call.version < Version::v1(42);
    let wants = |name| all || call.query.flag(name);
    let streams = Streams {
        stdin: stream && wants("stdin") && record.config.open_stdin,
        stdout: stream && wants("stdout"),
        stderr: stream && wants("stderr"),
        multiplexed: framing == Framing::Multiplexed,
        detach_keys,
        // Found out when the client's socket is there.
        relayed: false,
    };
    let replay = call.query.flag("logs").then(|| logs::Query {
        stdout: wants("stdout"),
        stderr: wants("stderr"),
        unframed: framing == Framing::WebSocket,
        ..logs::Query::default()
    });
    let name = call.name.clone();
    let (response, hijack) = match framing {
        Framing::Raw => Hijack::begin(call, RAW_STREAM),
        Framing::Multiplexed => Hijack::begin(call, MULTIPLEXED_STREAM),
        Framing::WebSocket => Hijack::begin_web_socket(call)?,
    };
    let replay = match replay {
        Some(query) => Some(containers.logs(&name, query).await?),
        None => None,
    };
    let ticket = if stream { Some(containers.attach(&name, streams).await?) } else { None };
    tokio::spawn(async move {
        // A client that went away before it got its stream wants nothing more.
        let Ok(ClientSocket { socket: mut client, relayed }) = hijack.stream().await else {
            return;
        };
        if let Some(mut logs) = replay {
            while let Ok(Some(chunk)) = logs.reader.next().await {
                client = match write(client, chunk).await {
                    Ok(client) => client,
                    Err(_) => return,
                };
            }
        }
        if let Some(ticket) = ticket {
            // The container may have ended: dropping the socket ends the stream.
            let _ = ticket.send(ClientSocket { socket: client, relayed });
        }
    });
    Ok(response)
}

/// As an engine answers that has no experimental features.
async fn checkpoints(_: Call) -> Result<Response> {
    Err(Error::not_implemented(
        "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it.",
    ))
}

/// Writes to a socket that blocks, without blocking others.
pub async fn write(
    client: std::os::unix::net::UnixStream,
    bytes: Bytes,
) -> io::Result<std::os::unix::net::UnixStream> {
    let written = tokio::task::spawn_blocking(move || {
        io::Write::write_all(&mut &client, &bytes)?;
        Ok(client)
    });
    written.await.map_err(io::Error::other)?
}

pub fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// An answer of one id, with 201.
pub fn created(id: String) -> Response {
    let mut response = json(&IdResponse { id });
    *response.status_mut() = StatusCode::CREATED;
    response
}
