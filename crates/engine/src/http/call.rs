//! One request, as handlers see it.

use std::sync::Arc;
use std::time::Duration;

use api::{Filters, Version};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_TYPE;
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

    /// The body as a JSON document; the default if there is none.
    pub async fn json_or_default<T: DeserializeOwned + Default>(&mut self) -> Result<T> {
        let body = self.document().await?;
        if body.is_empty() { Ok(T::default()) } else { json::decode(&body) }
    }

    /// The `filters` parameter; a filter that is not among `known` is refused in Docker's words.
    pub fn filters(&self, known: &[&str]) -> Result<Filters> {
        let filters = Filters::parse(self.query.get("filters"))?;
        match filters.unknown(known) {
            Some(unknown) => Err(Error::invalid(format!("invalid filter '{unknown}'"))),
            None => Ok(filters),
        }
    }

    /// The next piece of the body, `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.body.chunk().await
    }

    async fn document(&mut self) -> Result<Bytes> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > MAX_JSON {
                return Err(Error::new(Kind::TooLarge, "request body too large"));
            }
            body.extend_from_slice(&chunk);
        }
        if !body.is_empty() {
            self.check_content_type()?;
        }
        Ok(body.freeze())
    }

    fn check_content_type(&self) -> Result<()> {
        let header = self.head.headers.get(CONTENT_TYPE);
        let text = header.map_or("", |value| value.to_str().unwrap_or("?"));
        match text.split(';').next().unwrap_or("").trim() {
            "application/json" => Ok(()),
            "" => Err(Error::invalid("malformed Content-Type header (): mime: no media type")),
            other => Err(Error::invalid(format!(
                "unsupported Content-Type header ({other}): must be 'application/json'"
            ))),
        }
    }
}

/// A request's body. What nobody read of it is read and thrown away, up to a bound: a client that still writes would
/// else find its connection closed instead of the answer.
pub struct RequestBody(Option<Incoming>);

const MAX_UNREAD: usize = 256 << 10;

impl RequestBody {
    pub fn new(body: Incoming) -> Self {
        Self(Some(body))
    }

    /// The next piece, `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        match &mut self.0 {
            Some(body) => chunk(body).await,
            None => Ok(None),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let unread = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(mut body), Ok(runtime)) = (unread, Handle::try_current()) {
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
