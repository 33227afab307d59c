//! A WebSocket (RFC 6455) over what was a request: the handshake, and the bridge between the client and a plain stream.
//!
//! What a client sends in messages of any kind and length is the stream's input, what the stream says goes out in a
//! message each time. Each direction goes on while the other waits. A close, or an end without one, ends the input.

mod frames;

use std::io;

use api::base64;
use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use hyper::header::{
    CONNECTION, HOST, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::{Body, Response};
use crate::error::{Error, Kind, Result};
pub use frames::Payload;
use frames::{Decoder, Event, Violation};

/// Of the RFC: what a server adds to a client's key, so that nothing else answers as one by accident.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const BUFFER: usize = 32 << 10;
/// Answers to pings that wait for a client which does not read; more of them are waited for.
const WAITING_ANSWERS: usize = 8;

const REGULAR: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;

/// The head of the answer to a handshake, or why it is none, in the words of Docker's library.
pub fn accept(headers: &HeaderMap) -> Result<Response> {
    let says = |name, word: &str| {
        let text = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        text.is_some_and(|text| text.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    if !says(UPGRADE, "websocket") || !says(CONNECTION, "upgrade") {
        return Err(Error::invalid("not websocket protocol"));
    }
    if !says(SEC_WEBSOCKET_VERSION, "13") {
        return Err(Error::invalid("missing or bad WebSocket Version"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).unwrap_or("");
    if base64::decode(key).is_none_or(|nonce| nonce.len() != 16) {
        return Err(Error::invalid("mismatch challenge/response"));
    }
    check_origin(headers)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = HeaderValue::from_str(&answer(key)).expect("base64 is plain ASCII");
    let head = response.headers_mut();
    head.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    head.insert(UPGRADE, HeaderValue::from_static("websocket"));
    head.insert(SEC_WEBSOCKET_ACCEPT, answer);
    Ok(response)
}

fn answer(key: &str) -> String {
    let text = format!("{key}{KEY_SUFFIX}");
    base64::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

/// Browsers let any page open a WebSocket to anywhere, and say where the page is from. Others say the engine's own
/// address, or nothing.
fn check_origin(headers: &HeaderMap) -> Result<()> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    match authority {
        Some((_, authority)) if authority.eq_ignore_ascii_case(host) => Ok(()),
        _ => {
            let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
            let what = format!("a page of {origin} may not attach to containers of {host}");
            Err(Error::new(Kind::Forbidden, what))
        }
    }
}

/// Carries messages to and from `stream` until one of both ends.
pub async fn bridge<S>(client: S, payload: Payload, stream: UnixStream)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (from_client, to_client) = tokio::io::split(client);
    let (from_stream, mut to_stream) = stream.into_split();
    let (answers, waiting) = mpsc::channel(WAITING_ANSWERS);
    let input = async {
        let code = read_messages(from_client, &mut to_stream, &answers).await;
        // The stream's input ends; what it still says is for nobody.
        let _ = to_stream.shutdown().await;
        let _ = answers.send(frames::close(code)).await;
        drop(answers);
    };
    let output = async {
        let mut from_stream = from_stream;
        write_messages(&mut from_stream, to_client, payload, waiting).await;
        from_stream
    };
    let mut from_stream = tokio::select! {
        from_stream = output => from_stream,
        never = async { input.await; std::future::pending().await } => never,
    };
    // The socket stays until its other end closes it: a sudden end would be taken for this engine's.
    let _ = to_stream.shutdown().await;
    let _ = tokio::io::copy(&mut from_stream, &mut tokio::io::sink()).await;
}

/// The code to close with.
async fn read_messages(
    mut client: impl AsyncRead + Unpin,
    stream: &mut OwnedWriteHalf,
    answers: &mpsc::Sender<Bytes>,
) -> u16 {
    let mut decoder = Decoder::default();
    let mut input = BytesMut::new();
    loop {
        match decoder.next(&mut input) {
            Ok(Some(Event::Data(bytes))) => {
                // A container that takes no input, or no more of it, is listened to all the same.
                let _ = stream.write_all(&bytes).await;
            }
            Ok(Some(Event::Ping(content))) => {
                let _ = answers.send(frames::pong(&content)).await;
            }
            Ok(Some(Event::Close)) => return REGULAR,
            Err(Violation) => return PROTOCOL_ERROR,
            Ok(None) => {
                input.reserve(BUFFER);
                if !matches!(client.read_buf(&mut input).await, Ok(1..)) {
                    return REGULAR;
                }
            }
        }
    }
}

/// Until the stream ends, the client takes no more, or the last of the answers, a close, is sent.
async fn write_messages(
    stream: &mut OwnedReadHalf,
    mut client: impl AsyncWrite + Unpin,
    payload: Payload,
    mut answers: mpsc::Receiver<Bytes>,
) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let (frame, is_last) = tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(count @ 1..) => (frames::message(payload, &buffer[..count]), false),
                _ => (frames::close(REGULAR), true),
            },
            Some(answer) = answers.recv() => {
                let is_last = answer.first() == Some(&frames::CLOSE_FRAME);
                (answer, is_last)
            }
        };
        let sent = async {
            client.write_all(&frame).await?;
            client.flush().await
        };
        if sent.await.is_err() || is_last {
            break;
        }
    }
    // The client may be gone.
    let _: io::Result<()> = client.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let handshake = [
            ("host", "engine:2375"),
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in handshake.iter().chain(pairs) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_handshake_of_the_rfc() {
        let response = accept(&headers(&[])).map_err(|error| error.what).unwrap();
        let answer = response.headers()[SEC_WEBSOCKET_ACCEPT].to_str().unwrap();
        assert_eq!(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    }

    #[test]
    fn what_is_no_handshake_is_refused_in_dockers_words() {
        let said = |name, value| accept(&headers(&[(name, value)])).err().unwrap().what;
        assert_eq!(said("upgrade", "tcp"), "not websocket protocol");
        assert_eq!(said("connection", "close"), "not websocket protocol");
        assert_eq!(said("sec-websocket-version", "8"), "missing or bad WebSocket Version");
        assert_eq!(said("sec-websocket-key", "c2hvcnQ="), "mismatch challenge/response");
    }

    #[test]
    fn pages_from_elsewhere_are_refused() {
        let refused = |origin| accept(&headers(&[("origin", origin)])).err().map(|e| e.kind);
        assert_eq!(refused("http://engine:2375"), None);
        for origin in ["http://evil.example", "http://engine:8080", "null", "engine:2375"] {
            assert_eq!(refused(origin), Some(Kind::Forbidden), "{origin}");
        }
    }
}
