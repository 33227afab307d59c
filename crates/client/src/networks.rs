//! `/networks`.

use api::Filters;
use api::networks::{
    ConnectNetwork, CreateNetwork, DisconnectNetwork, Explanation, Network, NetworkCreated,
    NetworksPruned,
};
use bytes::Bytes;
use hyper::Method;

use crate::Client;
use crate::error::{Error, Result};
use crate::query::{Query, segment};

impl Client {
    pub async fn network_create(&self, request: &CreateNetwork) -> Result<NetworkCreated> {
        self.post("/networks/create", request).await
    }

    pub async fn network_list(&self, filters: &Filters) -> Result<Vec<Network>> {
        let query = Query::default().set("filters", filters.encode());
        self.get(&query.on("/networks")).await
    }

    /// The document as the engine wrote it, fields we do not know included.
    pub async fn network_inspect_raw(&self, name: &str, verbose: bool) -> Result<Bytes> {
        Error::check_named("network", name)?;
        let query = Query::default().flag("verbose", verbose);
        self.get_raw(&query.on(&format!("/networks/{}", segment(name)))).await
    }

    pub async fn network_connect(&self, name: &str, request: &ConnectNetwork) -> Result<()> {
        self.tell(&format!("/networks/{}/connect", segment(name)), request).await
    }

    pub async fn network_disconnect(&self, name: &str, request: &DisconnectNetwork) -> Result<()> {
        self.tell(&format!("/networks/{}/disconnect", segment(name)), request).await
    }

    pub async fn network_remove(&self, name: &str) -> Result<()> {
        self.act(Method::DELETE, &format!("/networks/{}", segment(name))).await
    }

    /// Why a packet does or does not arrive; Docker cannot tell.
    pub async fn network_why(&self, to: &str, protocol: &str, from: &str) -> Result<Explanation> {
        let query = Query::default().set("protocol", protocol).set("from", from);
        self.get(&query.on(&format!("/networks/why/{}", segment(to)))).await
    }

    pub async fn network_prune(&self, filters: &Filters) -> Result<NetworksPruned> {
        let query = Query::default().set("filters", filters.encode());
        self.post_query(&query.on("/networks/prune")).await
    }
}
