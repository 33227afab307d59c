//! The engine itself.

use api::system::{Info, LegacyDiskUsage, VersionInfo, ping};
use api::{Filters, Version, events};
use hyper::Method;
use hyper::header::HeaderName;

use crate::Client;
use crate::body::{JsonLines, Upload};
use crate::error::Result;
use crate::query::Query;
use crate::transport::header;

/// What an engine says of itself in the headers of `/_ping`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// `None` where it does not say, or not in a form that can be read.
    pub api_version: Option<Version>,
    pub os_type: String,
    pub builder_version: String,
    pub experimental: bool,
}

/// What is pruned by `system prune` and by no verb of its own here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prunable {
    Networks,
    Volumes,
    BuildCache,
}

/// What a prune removed, whatever it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Pruned {
    #[serde(alias = "NetworksDeleted", alias = "VolumesDeleted", alias = "CachesDeleted")]
    pub deleted: Option<Vec<String>>,
    pub space_reclaimed: u64,
}

impl Client {
    /// In lists, which 1.52 began to replace by totals.
    pub async fn system_df(&self) -> Result<LegacyDiskUsage> {
        let document = self.get_raw_until(Version::v1(51), "/system/df").await?;
        Ok(serde_json::from_slice(&document)?)
    }

    /// `all` is of the build cache: also what might still be useful.
    pub async fn system_prune(
        &self,
        what: Prunable,
        all: bool,
        filters: &Filters,
    ) -> Result<Pruned> {
        let path = match what {
            Prunable::Networks => "/networks/prune",
            Prunable::Volumes => "/volumes/prune",
            Prunable::BuildCache => "/build/prune",
        };
        let query = Query::default()
            .flag("all", all && what == Prunable::BuildCache)
            .set("filters", filters.encode());
        self.post_query(&query.on(path)).await
    }

    pub async fn ping(&self) -> Result<Ping> {
        let response = self.head("/_ping").await?;
        let text = |name: &'static str| header(&response, &HeaderName::from_static(name));
        Ok(Ping {
            api_version: text(ping::API_VERSION).parse().ok(),
            os_type: text(ping::OS_TYPE),
            builder_version: text(ping::BUILDER_VERSION),
            experimental: text(ping::EXPERIMENTAL) == "true",
        })
    }

    pub async fn system_version(&self) -> Result<VersionInfo> {
        self.get("/version").await
    }

    pub async fn system_info(&self) -> Result<Info> {
        self.get("/info").await
    }

    /// Times are as `--since` and `--until` give them: RFC 3339 or Unix seconds with a fraction.
    pub async fn system_events(
        &self,
        since: &str,
        until: &str,
        filters: &Filters,
    ) -> Result<JsonLines<events::Message>> {
        let query = Query::default()
            .set("since", since)
            .set("until", until)
            .set("filters", filters.encode());
        Ok(self.stream(Method::GET, &query.on("/events"), Upload::empty()).await?.json_lines())
    }
}
