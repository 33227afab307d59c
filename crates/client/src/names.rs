//! Names alone, for the completion of command lines.

use serde::Deserialize;

use crate::error::Result;
use crate::transport::Client;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volumes {
    volumes: Option<Vec<Named>>,
}

impl Client {
    pub async fn network_names(&self) -> Result<Vec<String>> {
        let networks: Vec<Named> = self.get("/networks").await?;
        Ok(networks.into_iter().map(|network| network.name).collect())
    }

    pub async fn volume_names(&self) -> Result<Vec<String>> {
        let answer: Volumes = self.get("/volumes").await?;
        Ok(answer.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect())
    }
}
