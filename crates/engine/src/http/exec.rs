//! `/exec`, and the making of execs under `/containers`.

use api::exec::{CreateRequest, Inspect, ProcessConfig, StartRequest};
use api::stream::{self, Stream};
use bytes::Bytes;

use super::containers::{MULTIPLEXED_STREAM, RAW_STREAM, created, size, write};
use super::json::json;
use super::{Body, Call, Hijack, Response, Router, detach_keys};
use crate::containers::{ClientSocket, ExecStart, ExecView, Stage};
use crate::error::Result;

pub fn routes(router: &mut Router) {
    router.post("/containers/{name}/exec", create);
    router.post("/exec/{name}/start", start);
    router.post("/exec/{name}/resize", resize);
    router.get("/exec/{name}/json", inspect);
}

async fn create(mut call: Call) -> Result<Response> {
    let request: CreateRequest = call.json_or_default().await?;
    let keys = detach_keys::parse(&request.detach_keys)?;
    Ok(created(call.engine.containers.create_exec(&call.name, request, keys).await?))
}

async fn start(mut call: Call) -> Result<Response> {
    let request: StartRequest = call.json_or_default().await?;
    let exec = call.engine.containers.startable_exec(&call.name).await?;
    let containers = call.engine.containers.clone();
    // As in Docker the one who starts it says how its output is framed, whatever it was made with.
    let tty = request.tty;
    let start = ExecStart {
        client: None,
        detach: request.detach,
        console_size: request.console_size.or(exec.request.console_size).map(console_size),
        multiplexed: !tty,
    };
    if start.detach {
        containers.start_exec(&exec.id, start).await?;
        return Ok(Response::new(Body::empty()));
    }
    let content_type = if tty { RAW_STREAM } else { MULTIPLEXED_STREAM };
    let (response, hijack) = Hijack::begin(call, content_type);
    tokio::spawn(async move {
        // A client that went away before it got its stream wants nothing run.
        let Ok(ClientSocket { socket: client, .. }) = hijack.stream().await else { return };
        let Ok(copy) = client.try_clone() else { return };
        let start = ExecStart { client: Some(client), ..start };
        if let Err(error) = containers.start_exec(&exec.id, start).await {
            // The head is out, so the stream itself must say what went wrong, as Docker's does.
            let _ = write(copy, failure(&error.to_string(), tty)).await;
        }
    });
    Ok(response)
}

fn console_size([height, width]: [u32; 2]) -> [u16; 2] {
    [height, width].map(|side| u16::try_from(side).unwrap_or(0))
}

fn failure(text: &str, tty: bool) -> Bytes {
    let text = format!("{text}\r\n");
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let head = stream::head(Stream::Stdout, length);
    let head = if tty { &[][..] } else { &head[..] };
    [head, text.as_bytes()].concat().into()
}

async fn resize(call: Call) -> Result<Response> {
    let (height, width) = size(&call)?;
    call.engine.containers.resize_exec(&call.name, height, width).await?;
    Ok(Response::new(Body::empty()))
}

async fn inspect(call: Call) -> Result<Response> {
    let view = call.engine.containers.inspect_exec(&call.name).await?;
    Ok(json(&document(view)))
}

fn document(view: ExecView) -> Inspect {
    let exec = view.exec;
    let (entrypoint, arguments) = exec.words();
    let (entrypoint, arguments) = (entrypoint.to_owned(), arguments.to_vec());
    let request = exec.request;
    let (running, exit_code, pid) = match exec.stage {
        Stage::Created => (false, None, 0),
        Stage::Running { pid } => (true, None, pid),
        Stage::Ended { code } => (false, Some(code), 0),
    };
    Inspect {
        id: exec.id,
        running,
        exit_code,
        process_config: ProcessConfig {
            tty: request.tty,
            entrypoint,
            arguments,
            privileged: Some(request.privileged),
            user: request.user,
        },
        open_stdin: request.attach_stdin,
        open_stderr: request.attach_stderr,
        open_stdout: request.attach_stdout,
        can_remove: false,
        container_id: view.container,
        detach_keys: String::from_utf8(exec.detach_keys.unwrap_or_default()).unwrap_or_default(),
        pid: pid.into(),
    }
}
