//! `/auth`: what concerns registries alone.

use api::registry::{AuthConfig, AuthStatus};

use crate::Client;
use crate::error::Result;

impl Client {
    /// Has the engine show credentials to a registry.
    pub async fn registry_login(&self, auth: &AuthConfig) -> Result<AuthStatus> {
        self.post("/auth", auth).await
    }
}
