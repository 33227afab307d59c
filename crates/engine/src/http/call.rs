//! One request, as handlers see it.

use std::sync::Arc;
use std::time::Duration;

use api::{Filters, Version};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use super::{Query, json};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};

/// No request document of the API comes near this.
const MAX_JSON: usize = 4 << 20;
/// How long a client may leave a body it has begun without sending anything.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

pub struct Call {
    pub engine: Arc<Engine>,
    pub version: Version,
    pub query: Query,
    /// What the route's `{name}` stood for, decoded; empty if it has none.
    pub name: String,
    pub head: Parts,
    pub body: RequestBody,
    pub(super) upgrade: OnUpgrade,
}

impl Call {
    /// The body as a JSON document; an empty body is an error.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let body = self.document().await?;
        json::decode(&body)
    }

    /// The body as a JSON document; the default if there is none, or `null`.
    pub async fn json_or_default<T: DeserializeOwned + Default>(&mut self) -> Result<T> {
        let body = self.document().await?;
        if body.is_empty() {
            return Ok(T::default());
        }
        Ok(json::decode::<Option<T>>(&body)?.unwrap_or_default())
    }

    /// The `filters` parameter; a filter that is not among `known` is refused in Docker's words.
    pub fn filters(&self, known: &[&str]) -> Result<Filters> {
        let filters = Filters::parse(self.query.get("filters"))?;
        match filters.unknown(known) {
            Some("") => Err(Error::invalid("invalid filter")),
            Some(unknown) => Err(Error::invalid(format!("invalid filter '{unknown}'"))),
            None => Ok(filters),
        }
    }

    /// As [`filters`](Self::filters), for what is removed for good: one that names no value chooses nothing, and is no
    /// leave to remove everything.
    pub fn prune_filters(&self, known: &[&str]) -> Result<Filters> {
        let filters = self.filters(known)?;
        check_values(&filters)?;
        Ok(filters)
    }

    async fn document(&mut self) -> Result<Bytes> {
        let body = self.body.document().await?;
        if !body.is_empty() {
            self.check_content_type()?;
        }
        Ok(body)
    }

    fn check_content_type(&self) -> Result<()> {
        match media_type(&self.head.headers) {
            JSON => Ok(()),
            "" => Err(Error::invalid("malformed Content-Type header (): mime: no media type")),
            other => Err(Error::invalid(format!(
                "unsupported Content-Type header ({other}): must be 'application/json'"
            ))),
        }
    }
}

/// Refuses a filter without a value.
pub fn check_values(filters: &Filters) -> Result<()> {
    match filters.without_value() {
        Some(name) => Err(Error::invalid(format!("invalid filter '{name}': it has no value"))),
        None => Ok(()),
    }
}

pub const JSON: &str = "application/json";

/// What a request says its body is, without parameters. Authorisation and handlers read it here: a body that handlers
/// take for JSON is one that plugins have seen.
pub fn media_type(headers: &HeaderMap) -> &str {
    let text = headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    text.split(';').next().unwrap_or("").trim()
}

/// A request's body. What nobody read of it is read and thrown away, up to a bound: a client that still writes would
/// else find its connection closed instead of the answer.
pub struct RequestBody(Source);

enum Source {
    Client(Incoming),
    /// It was read before its handler is called.
    Read(Bytes),
    Finished,
}

const MAX_UNREAD: usize = 256 << 10;

impl RequestBody {
    pub fn new(body: Incoming) -> Self {
        Self(Source::Client(body))
    }

    /// What was read of another one.
    pub fn read(bytes: Bytes) -> Self {
        Self(Source::Read(bytes))
    }

    /// All of it, if it is no longer than a JSON document may be.
    pub async fn document(&mut self) -> Result<Bytes> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > MAX_JSON {
                return Err(Error::new(Kind::TooLarge, "request body too large"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The next piece, `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        match &mut self.0 {
            Source::Client(body) => chunk(body).await,
            Source::Read(bytes) => {
                Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()))
            }
            Source::Finished => Ok(None),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Source::Client(mut body) = std::mem::replace(&mut self.0, Source::Finished)
            && !body.is_end_stream()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                let mut left = MAX_UNREAD;
                while let Ok(Some(chunk)) = chunk(&mut body).await
                    && chunk.len() <= left
                {
                    left -= chunk.len();
                }
            });
        }
    }
}

async fn chunk(body: &mut Incoming) -> Result<Option<Bytes>> {
    loop {
        let frame = tokio::time::timeout(BODY_PATIENCE, body.frame())
            .await
            .map_err(|_| Error::new(Kind::Timeout, "the request body stopped coming"))?;
        let Some(frame) = frame else { return Ok(None) };
        let frame =
            frame.map_err(|error| Error::invalid("cannot read the request body").because(error))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}
