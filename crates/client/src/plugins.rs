//! Plugins.

use api::Filters;
use api::plugins::Plugin;

use crate::error::Result;
use crate::query::Query;
use crate::transport::Client;

impl Client {
    pub async fn plugin_list(&self, filters: &Filters) -> Result<Vec<Plugin>> {
        self.get(&Query::default().set("filters", filters.encode()).on("/plugins")).await
    }
}
