//! The engine itself.

use api::system::{Info, VersionInfo, ping};
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

impl Client {
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
