//! POST /networks/{name}/disconnect.

use api::networks::DisconnectNetwork;

use super::Networks;
use crate::error::{Error, Kind, Result};

impl Networks {
    pub async fn disconnect(&self, wanted: &str, request: DisconnectNetwork) -> Result<()> {
        if request.container.is_empty() {
            return Err(Error::invalid("invalid name or ID supplied: \"\""));
        }
        let handle = match self.containers.find(&request.container) {
            // An endpoint without a container is what force is for. There are none here.
            Err(error) if request.force && error.kind == Kind::NotFound => {
                self.directory.find(wanted)?;
                return Err(Error::not_found(format!("endpoint {} not found", request.container)));
            }
            handle => handle?,
        };
        let network = self.directory.find(wanted)?;
        self.containers.disconnect(&handle, network).await
    }
}
