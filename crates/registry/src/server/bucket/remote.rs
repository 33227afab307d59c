//! The object storage as it is asked: a request, signed, sent again while the storage is overloaded or out of reach.
//! Every request here may be sent twice.

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode, Uri};
use jiff::Timestamp;
use tokio::time::timeout;

use super::credentials::Access;
use super::sign::Unsigned;
use super::xml;
use crate::client::{Answer, Content, Origin, Patience, Places, Proxies, Question, Transport};

const PATIENCE: Patience =
    Patience { connect: Duration::from_secs(5), silence: Duration::from_secs(10) };
const TRIES: u32 = 4;
/// Of one request with all its tries: a flag outlasts it (see [`flags`](super::flags)).
pub(super) const LONGEST: Duration = Duration::from_secs(80);
const FIRST_REST: Duration = Duration::from_millis(100);
/// Of an answer that is read whole: the largest piece of an upload.
const MAX_ANSWER: usize = 128 << 20;

pub(super) struct Remote {
    transport: Transport,
    origin: Origin,
    access: Access,
    bucket: String,
    /// Of the bucket, at the endpoint.
    path: String,
    /// Of all keys, with its slash.
    pub(super) prefix: String,
}

/// What to ask.
#[derive(Clone, Default)]
pub(super) struct Ask {
    method: Method,
    key: Option<String>,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

/// A whole answer.
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Remote {
    /// `s3://BUCKET[/PREFIX]`.
    pub(super) fn of(place: &str) -> Result<Self, String> {
        let (bucket, prefix) = parse(place)?;
        let access = Access::find(|name| std::env::var(name).ok())?;
        let usual = || format!("https://s3.{}.amazonaws.com", access.region);
        let endpoint = access.endpoint.clone().unwrap_or_else(usual);
        let uri: Uri = endpoint.parse().map_err(|_| format!("{endpoint} is no address"))?;
        let origin = Origin::of(&uri).map_err(|error| error.to_string())?;
        let places = Places { proxies: Proxies::of_environment(), ..Places::default() };
        Ok(Self {
            transport: Transport::new(places, PATIENCE),
            origin,
            access,
            bucket: bucket.to_owned(),
            path: format!("{}/{bucket}", uri.path().trim_end_matches('/')),
            prefix,
        })
    }

    /// As copies name their source.
    pub(super) fn source(&self, key: &str) -> String {
        format!("{}/{}{key}", self.bucket, self.prefix)
    }

    /// Carried out within [`LONGEST`], or given up.
    pub(super) async fn tell(&self, ask: &Ask) -> io::Result<Told> {
        let late =
            |_| io::Error::new(ErrorKind::TimedOut, format!("{} takes too long", ask.words()));
        timeout(LONGEST, self.insist(ask)).await.map_err(late)?
    }

    async fn insist(&self, ask: &Ask) -> io::Result<Told> {
        let mut tries = 0;
        loop {
            tries += 1;
            let told = match self.send(ask).await {
                Ok(answer) => {
                    let (status, headers) = (answer.status, answer.headers.clone());
                    answer.whole(MAX_ANSWER).await.map(|body| (status, headers, body))
                }
                Err(error) => Err(error),
            };
            match told {
                Ok((status, headers, body)) if !is_passing(status) || tries == TRIES => {
                    return Ok(Told { status, headers, body });
                }
                Err(error) if tries == TRIES => return Err(io::Error::other(error)),
                _ => rest(tries).await,
            }
        }
    }

    /// An answer of which the body is still to come; only its head is asked for again.
    pub(super) async fn open(&self, ask: &Ask) -> io::Result<Answer<'_>> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.send(ask).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) if is_passing(answer.status) && tries < TRIES => {}
                Ok(answer) => {
                    let (status, headers) = (answer.status, answer.headers.clone());
                    let body = answer.whole(MAX_ANSWER).await.map_err(io::Error::other)?;
                    return Err(Told { status, headers, body }.failure(ask));
                }
                Err(error) if tries == TRIES => return Err(io::Error::other(error)),
                Err(_) => {}
            }
            rest(tries).await;
        }
    }

    async fn send(&self, ask: &Ask) -> crate::client::Result<Answer<'_>> {
        let path = match &ask.key {
            Some(key) => format!("{}/{}{key}", self.path, self.prefix),
            None => self.path.clone(),
        };
        let unsigned = Unsigned {
            method: &ask.method,
            host: &self.origin.authority(),
            path: &path,
            query: &ask.query,
            headers: &ask.headers,
            body: &ask.body,
        };
        let Access { credentials, region, .. } = &self.access;
        let headers = unsigned.sign(credentials, region, Timestamp::now());
        let nothing = ask.body.is_empty() && ask.method != Method::PUT;
        let content = if nothing { Content::Nothing } else { Content::Bytes(ask.body.clone()) };
        let question = Question {
            method: ask.method.clone(),
            origin: &self.origin,
            path: &unsigned.target(),
            headers: &headers,
            content: &content,
        };
        self.transport.ask(&question).await
    }
}

impl Ask {
    pub(super) fn of(method: Method, key: &str) -> Self {
        Self { method, key: Some(key.to_owned()), ..Self::default() }
    }

    /// Of the bucket itself.
    pub(super) fn bucket(method: Method) -> Self {
        Self { method, ..Self::default() }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    fn words(&self) -> String {
        format!("{} of {}", self.method, self.key.as_deref().unwrap_or("the bucket"))
    }
}

impl Told {
    pub(super) fn is_absent(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// # Errors
    /// It is no success.
    pub(super) fn success(self, ask: &Ask) -> io::Result<Self> {
        if self.status.is_success() { Ok(self) } else { Err(self.failure(ask)) }
    }

    pub(super) fn failure(&self, ask: &Ask) -> io::Error {
        let text = String::from_utf8_lossy(&self.body);
        let why = xml::text(&text, "Code").unwrap_or_default();
        let kind = if self.is_absent() { ErrorKind::NotFound } else { ErrorKind::Other };
        io::Error::new(kind, format!("{}: {} {why}", ask.words(), self.status))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

async fn rest(tries: u32) {
    tokio::time::sleep(FIRST_REST * 2_u32.pow(tries)).await;
}

/// Bucket and prefix; the prefix ends with a slash, or is nothing. No character needs an escape.
fn parse(place: &str) -> Result<(&str, String), String> {
    let rest = place.strip_prefix("s3://").ok_or("it is s3://BUCKET or s3://BUCKET/PREFIX")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let plain = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !part.is_empty() && part.bytes().all(known) && part != "." && part != ".."
    };
    if !plain(bucket) {
        return Err(format!("invalid bucket name {bucket:?}"));
    }
    if prefix.is_empty() {
        return Ok((bucket, String::new()));
    }
    if !prefix.split('/').all(plain) {
        return Err(format!("invalid prefix {prefix:?}: letters, digits, '.', '_' and '-'"));
    }
    Ok((bucket, format!("{prefix}/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_a_prefix() {
        assert_eq!(parse("s3://b"), Ok(("b", String::new())));
        assert_eq!(parse("s3://b/"), Ok(("b", String::new())));
        assert_eq!(parse("s3://my.b-1/a/b_c/"), Ok(("my.b-1", "a/b_c/".to_owned())));
        for bad in ["b", "s3://", "s3:///a", "s3://b/a//c", "s3://b/../c", "s3://b/a b", "s3://b?x"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
