//! Names alone, for the completion of command lines.

use api::Filters;
use serde::Deserialize;

use crate::error::Result;
use crate::transport::Client;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
}

impl Client {
    pub async fn network_names(&self) -> Result<Vec<String>> {
        let networks: Vec<Named> = self.get("/networks").await?;
        Ok(networks.into_iter().map(|network| network.name).collect())
    }

    pub async fn volume_names(&self) -> Result<Vec<String>> {
        let all = self.volume_list(&Filters::default()).await?.volumes;
        Ok(all.into_iter().flatten().map(|volume| volume.name).collect())
    }
}
