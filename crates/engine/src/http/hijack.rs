//! Turning a request into a raw two-way stream, for attach and exec.
//!
//! The response head goes out first and the stream exists only after that, so a handler first tells its container
//! that a client is about to come, spawns the hand-over with `stream`, and returns the response.
//!
//! A client on a plain unix socket gives its very socket, which can be handed to a monitor and outlives the engine.
//! Any other (TLS, TCP, one that already sent bytes, one that did not ask for an upgrade) is pumped through a socket
//! pair by the engine; so is a WebSocket, whose frames are taken off and put on there.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use api::Version;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE, USER_AGENT};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use super::call::RequestBody;
use super::web_socket::{self, Payload};
use super::{Body, BodyWriter, Call, Response};
use crate::containers::ClientSocket;
use crate::error::Result;

pub struct Hijack {
    how: How,
    client: Reader,
}

/// How a client reads the head of the response.
#[derive(Clone, Copy, PartialEq)]
enum Reader {
    Exact,
    /// Into a buffer that it then forgets: what comes together with the head is lost to it.
    Ahead,
}

/// How long a client that reads ahead may take to read the head alone.
const HEAD_PATIENCE: Duration = Duration::from_secs(1);

enum How {
    /// The client asked for an upgrade and gets 101.
    Upgrade(OnUpgrade),
    /// The client asked for a WebSocket: what it sends and gets is in frames.
    WebSocket { upgrade: OnUpgrade, payload: Payload },
    /// It asked for nothing: output is a streamed body, input is what is left of the request's body.
    Streams { input: RequestBody, output: BodyWriter },
}

impl Hijack {
    /// `content_type` is one of Docker's stream types.
    pub fn begin(call: Call, content_type: &'static str) -> (Response, Self) {
        let client = Reader::of(&call.head.headers);
        let (mut response, how) = if call.head.headers.contains_key(UPGRADE) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
            (response, How::Upgrade(call.upgrade))
        } else {
            let (output, body) = Body::stream();
            (Response::new(body), How::Streams { input: call.body, output })
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        (response, Self { how, client })
    }

    /// A WebSocket, or why the request is no handshake of one.
    pub fn begin_web_socket(call: Call) -> Result<(Response, Self)> {
        let response = web_socket::accept(&call.head.headers)?;
        // As Docker, whose clients of old got text.
        let is_old = call.version < Version::v1(28);
        let payload = if is_old { Payload::Text } else { Payload::Binary };
        let how = How::WebSocket { upgrade: call.upgrade, payload };
        Ok((response, Self { how, client: Reader::Exact }))
    }

    /// The client's stream, once the response's head has been sent.
    pub async fn stream(self) -> io::Result<ClientSocket> {
        match self.how {
            How::Upgrade(upgrade) => {
                let client = raw(upgrade.await.map_err(io::Error::other)?)?;
                if self.client == Reader::Ahead {
                    wait_until_read(&client.socket).await;
                }
                Ok(client)
            }
            How::WebSocket { upgrade, payload } => {
                let upgraded = upgrade.await.map_err(io::Error::other)?;
                let (ours, theirs) = UnixStream::pair()?;
                let client = TokioIo::new(upgraded);
                tokio::spawn(web_socket::bridge(client, payload, ours));
                Ok(ClientSocket { socket: into_std(theirs)?, relayed: true })
            }
            How::Streams { input, output } => {
                let (ours, theirs) = UnixStream::pair()?;
                tokio::spawn(pump_streams(input, output, ours));
                Ok(ClientSocket { socket: into_std(theirs)?, relayed: true })
            }
        }
    }
}

impl Reader {
    /// The Python SDK is known to read ahead. Docker is too slow for it to matter there.
    fn of(headers: &HeaderMap) -> Self {
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        match agent.is_some_and(|agent| agent.starts_with("docker-sdk-python/")) {
            true => Self::Ahead,
            false => Self::Exact,
        }
    }
}

/// Waits until the client has read what was sent. The kernel tells nobody when that is.
async fn wait_until_read(stream: &StdUnixStream) {
    let read = async {
        while sys::socket::unread_by_peer(stream).is_ok_and(|unread| unread > 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // One that takes longer loses what it would lose.
    let _ = tokio::time::timeout(HEAD_PATIENCE, read).await;
}

fn raw(upgraded: Upgraded) -> io::Result<ClientSocket> {
    match upgraded.downcast::<TokioIo<UnixStream>>() {
        Ok(parts) if parts.read_buf.is_empty() => {
            Ok(ClientSocket { socket: into_std(parts.io.into_inner())?, relayed: false })
        }
        Ok(parts) => pump(parts.io.into_inner(), parts.read_buf),
        Err(upgraded) => pump(TokioIo::new(upgraded), Bytes::new()),
    }
}

/// Monitors do blocking reads and writes; they set what they need, but start from the usual state.
fn into_std(stream: UnixStream) -> io::Result<StdUnixStream> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn pump<S>(mut client: S, already_read: Bytes) -> io::Result<ClientSocket>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut ours, theirs) = UnixStream::pair()?;
    tokio::spawn(async move {
        if ours.write_all(&already_read).await.is_ok() {
            // Either end closing is how sessions end.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut ours).await;
        }
        drop(client);
        end_input(ours).await;
    });
    Ok(ClientSocket { socket: into_std(theirs)?, relayed: true })
}

/// Tells the monitor of a client that is gone: input ends, while the socket stays until the monitor closes it. Its sudden
/// end would be taken for this engine's.
async fn end_input(mut ours: UnixStream) {
    if ours.shutdown().await.is_ok() {
        // What is still said is for nobody.
        let _ = tokio::io::copy(&mut ours, &mut tokio::io::sink()).await;
    }
}

async fn pump_streams(mut input: RequestBody, output: BodyWriter, mut ours: UnixStream) {
    let (mut reader, mut writer) = ours.split();
    let stdin = async {
        while let Ok(Some(chunk)) = input.chunk().await {
            if writer.write_all(&chunk).await.is_err() {
                break;
            }
        }
        // The container's stdin ends with the request's body.
        let _ = writer.shutdown().await;
    };
    let stdout = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(read @ 1..) = reader.read(&mut buffer).await {
            if output.send(Bytes::copy_from_slice(&buffer[..read])).await.is_err() {
                break;
            }
        }
        drop(output);
    };
    // The session ends with its output; input that never ends must not keep it.
    tokio::select! {
        () = stdout => {}
        () = async { stdin.await; std::future::pending::<()>().await } => {}
    }
    end_input(ours).await;
}
