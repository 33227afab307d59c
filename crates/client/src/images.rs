//! `/images`.

use api::images::{DeleteItem, HistoryItem, PruneReport, Summary};
use api::progress::Message;
use api::registry::{AuthConfig, SearchResult};
use api::{Filters, Version};
use bytes::Bytes;
use hyper::Method;

use crate::Client;
use crate::body::{Body, JsonLines, Upload};
use crate::error::{Error, Result};
use crate::query::{Query, segment};

/// Which images, and what of them.
#[derive(Debug, Clone, Default)]
pub struct List {
    pub all: bool,
    pub filters: Filters,
    /// Count what they have in common, which costs the engine a pass over all layers.
    pub shared_size: bool,
}

/// What to make of a root file system tar.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// `-` for the body of the request, else a URL the engine fetches.
    pub source: String,
    pub repo: String,
    pub tag: String,
    pub message: String,
    pub changes: Vec<String>,
    pub platform: String,
}

impl Client {
    pub async fn image_list(&self, list: &List) -> Result<Vec<Summary>> {
        let List { all, filters, shared_size } = list;
        let query = Query::default().flag("all", *all).set("filters", filters.encode());
        let query = query.flag("shared-size", *shared_size);
        // Newer ones count containers, which `images` never showed.
        let list = self.get_raw_until(Version::v1(50), &query.on("/images/json")).await?;
        Ok(serde_json::from_slice(&list)?)
    }

    /// The document as the engine wrote it, fields we do not know included; with those that 1.50 and 1.52 dropped:
    /// templates of many years name them.
    pub async fn image_inspect_raw(&self, name: &str, platform: &str) -> Result<Bytes> {
        Error::check_named("image", name)?;
        let query = Query::default().set("platform", platform_json(platform));
        let path = query.on(&format!("/images/{}/json", segment(name)));
        self.get_raw_until(Version::v1(49), &path).await
    }

    pub async fn image_history(&self, name: &str, platform: &str) -> Result<Vec<HistoryItem>> {
        let query = Query::default().set("platform", platform_json(platform));
        self.get(&query.on(&format!("/images/{}/history", segment(name)))).await
    }

    pub async fn image_tag(&self, name: &str, repo: &str, tag: &str) -> Result<()> {
        let query = Query::default().set("repo", repo).set("tag", tag);
        self.act(Method::POST, &query.on(&format!("/images/{}/tag", segment(name)))).await
    }

    pub async fn image_remove(
        &self,
        name: &str,
        force: bool,
        no_prune: bool,
    ) -> Result<Vec<DeleteItem>> {
        let query = Query::default().flag("force", force).flag("noprune", no_prune);
        self.delete(&query.on(&format!("/images/{}", segment(name)))).await
    }

    pub async fn image_prune(&self, filters: &Filters) -> Result<PruneReport> {
        let query = Query::default().set("filters", filters.encode());
        self.post_query(&query.on("/images/prune")).await
    }

    /// Sends an image tar; the engine's progress comes back as JSON lines.
    pub async fn image_load(&self, tar: Upload, quiet: bool, platform: &str) -> Result<Body> {
        let query = Query::default().set("quiet", if quiet { "1" } else { "0" });
        let query = query.set("platform", platform_json(platform));
        self.stream(Method::POST, &query.on("/images/load"), tar).await
    }

    pub async fn image_save(&self, names: &[String], platform: &str) -> Result<Body> {
        let query = Query::default().each("names", names).set("platform", platform_json(platform));
        self.stream(Method::GET, &query.on("/images/get"), Upload::empty()).await
    }

    pub async fn image_import(&self, import: &Import, tar: Upload) -> Result<JsonLines<Message>> {
        let query = Query::default()
            .set("fromSrc", &import.source)
            .set("repo", &import.repo)
            .set("tag", &import.tag)
            .set("message", &import.message)
            .set("platform", &import.platform)
            .each("changes", &import.changes);
        Ok(self.stream(Method::POST, &query.on("/images/create"), tar).await?.json_lines())
    }

    pub async fn image_pull(
        &self,
        name: &str,
        tag: &str,
        platform: &str,
        auth: &AuthConfig,
    ) -> Result<JsonLines<Message>> {
        let query =
            Query::default().set("fromImage", name).set("tag", tag).set("platform", platform);
        let path = query.on("/images/create");
        Ok(self.stream_as(auth, Method::POST, &path).await?.json_lines())
    }

    /// Without a tag all that the repository has there.
    pub async fn image_push(
        &self,
        name: &str,
        tag: &str,
        auth: &AuthConfig,
    ) -> Result<JsonLines<Message>> {
        let query = Query::default().set("tag", tag);
        let path = query.on(&format!("/images/{}/push", segment(name)));
        Ok(self.stream_as(auth, Method::POST, &path).await?.json_lines())
    }

    /// Repositories of a registry; `limit` 0 is as many as the engine wants.
    pub async fn image_search(
        &self,
        term: &str,
        limit: i64,
        filters: &Filters,
        auth: &AuthConfig,
    ) -> Result<Vec<SearchResult>> {
        let limit = if limit > 0 { limit.to_string() } else { String::new() };
        let query = Query::default().set("term", term).set("limit", limit);
        let path = query.set("filters", filters.encode()).on("/images/search");
        let found = self.stream_as(auth, Method::GET, &path).await?.bytes().await?;
        Ok(serde_json::from_slice(&found)?)
    }
}

/// `os/architecture[/variant]` as the API wants it; empty for none.
fn platform_json(platform: &str) -> String {
    if platform.is_empty() {
        return String::new();
    }
    let mut parts = platform.splitn(3, '/');
    let [os, architecture, variant] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    serde_json::json!({ "os": os, "architecture": architecture, "variant": variant }).to_string()
}
