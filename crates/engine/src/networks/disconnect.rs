//! POST /networks/{name}/disconnect.

use api::networks::DisconnectNetwork;

use super::Networks;
use crate::containers::is_up;
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
        match self.directory.find(wanted) {
            Ok(network) => self.containers.disconnect(&handle, network).await,
            // It was removed while the container was at rest, which could not start any more with it.
            Err(missing) => {
                let runs = is_up(handle.record().state.status);
                if missing.kind != Kind::NotFound || runs && !request.force {
                    return Err(missing);
                }
                self.containers.forget_network(&handle, wanted).await
            }
        }
    }
}
