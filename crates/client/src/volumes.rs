//! `/volumes`. Rename, clone, export, import, snapshot and restore are Gantry's own.

use api::Filters;
use api::volumes::{CreateRequest, PruneReport, Volume, VolumeList};
use bytes::Bytes;
use hyper::Method;

use crate::Client;
use crate::body::{Body, Upload};
use crate::error::{Error, Result};
use crate::query::{Query, segment};

impl Client {
    pub async fn volume_create(&self, request: &CreateRequest) -> Result<Volume> {
        self.post("/volumes/create", request).await
    }

    pub async fn volume_list(&self, filters: &Filters) -> Result<VolumeList> {
        let query = Query::default().set("filters", filters.encode());
        self.get(&query.on("/volumes")).await
    }

    /// The document as the engine wrote it, fields we do not know included.
    pub async fn volume_inspect_raw(&self, name: &str) -> Result<Bytes> {
        Error::check_named("volume", name)?;
        self.get_raw(&format!("/volumes/{}", segment(name))).await
    }

    pub async fn volume_remove(&self, name: &str, force: bool) -> Result<()> {
        let query = Query::default().flag("force", force);
        self.act(Method::DELETE, &query.on(&format!("/volumes/{}", segment(name)))).await
    }

    pub async fn volume_prune(&self, filters: &Filters) -> Result<PruneReport> {
        let query = Query::default().set("filters", filters.encode());
        self.post_query(&query.on("/volumes/prune")).await
    }

    pub async fn volume_rename(&self, name: &str, new: &str) -> Result<()> {
        let query = Query::default().set("name", new);
        self.act(Method::POST, &query.on(&format!("/volumes/{}/rename", segment(name)))).await
    }

    pub async fn volume_clone(&self, name: &str, target: &str) -> Result<Volume> {
        let query = Query::default().set("name", target);
        self.post_query(&query.on(&format!("/volumes/{}/clone", segment(name)))).await
    }

    /// An empty name leaves it to the engine.
    pub async fn volume_snapshot(&self, name: &str, snapshot: &str) -> Result<Volume> {
        let query = Query::default().set("name", snapshot);
        self.post_query(&query.on(&format!("/volumes/{}/snapshot", segment(name)))).await
    }

    pub async fn volume_restore(&self, name: &str, snapshot: &str) -> Result<()> {
        let query = Query::default().set("snapshot", snapshot);
        self.act(Method::POST, &query.on(&format!("/volumes/{}/restore", segment(name)))).await
    }

    /// The content as a tar.
    pub async fn volume_export(&self, name: &str) -> Result<Body> {
        let path = format!("/volumes/{}/export", segment(name));
        self.stream(Method::GET, &path, Upload::empty()).await
    }

    /// A new volume out of a tar; `labels` are `key=value`.
    pub async fn volume_import(
        &self,
        name: &str,
        labels: &[String],
        tar: Upload,
    ) -> Result<Volume> {
        let query = Query::default().set("name", name).each("label", labels);
        let body = self.stream(Method::POST, &query.on("/volumes/import"), tar).await?;
        Ok(serde_json::from_slice(&body.bytes().await?)?)
    }
}
