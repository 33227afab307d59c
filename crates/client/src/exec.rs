//! `/exec` and what leads there.

use api::IdResponse;
use api::exec::{CreateRequest, Inspect, StartRequest};
use hyper::Method;

use crate::body::Upload;
use crate::error::{Error, Result};
use crate::query::{Query, segment};
use crate::{Client, Hijacked};

impl Client {
    pub async fn exec_create(
        &self,
        container: &str,
        request: &CreateRequest,
    ) -> Result<IdResponse> {
        Error::check_named("container", container)?;
        self.post(&format!("/containers/{}/exec", segment(container)), request).await
    }

    /// Starts it with its streams on the connection that comes back.
    pub async fn exec_start(&self, id: &str, request: &StartRequest) -> Result<Hijacked> {
        let body = Upload::Bytes(Some(serde_json::to_vec(request)?.into()));
        self.hijack(&format!("/exec/{}/start", segment(id)), body, !request.tty).await
    }

    /// Starts it and lets it be.
    pub async fn exec_start_detached(&self, id: &str, request: &StartRequest) -> Result<()> {
        let body = Upload::Bytes(Some(serde_json::to_vec(request)?.into()));
        let path = format!("/exec/{}/start", segment(id));
        self.stream(Method::POST, &path, body).await?.bytes().await.map(drop)
    }

    pub async fn exec_inspect(&self, id: &str) -> Result<Inspect> {
        self.get(&format!("/exec/{}/json", segment(id))).await
    }

    pub async fn exec_resize(&self, id: &str, height: u16, width: u16) -> Result<()> {
        let query =
            Query::default().number("h", Some(height.into())).number("w", Some(width.into()));
        self.act(Method::POST, &query.on(&format!("/exec/{}/resize", segment(id)))).await
    }
}
