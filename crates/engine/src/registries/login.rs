//! `login` and what a name leads to, asked of a registry.

use api::images::Descriptor;
use api::registry::{AuthConfig, AuthStatus, DistributionInspect};
use oci::manifest::Document;
use oci::{Platform, Reference};
use registry::client::{Repository, Which, log_in};

use super::{Refused, Registries, credentials};
use crate::error::{Error, Result};

const HUB: &str = "docker.io";
/// Docker Hub by the names that clients have for it.
const HUB_NAMES: [&str; 4] = ["", HUB, "index.docker.io", "registry-1.docker.io"];

impl Registries {
    /// Whether the registry knows these credentials; with the token that it gives in their place.
    pub async fn log_in(&self, auth: AuthConfig) -> Result<AuthStatus> {
        let domain = domain(&auth.serveraddress).to_owned();
        let known = log_in(&self.settings(), &domain, &credentials(auth)).await;
        let identity_token = known.map_err(|error| Error::from(Refused(error)))?;
        Ok(AuthStatus { identity_token, status: "Login Succeeded".to_owned() })
    }

    pub async fn inspect(&self, name: &Reference, auth: AuthConfig) -> Result<DistributionInspect> {
        let name = name.clone().tag_default();
        let (settings, credentials) = (self.settings(), credentials(auth));
        let told = |error| Error::from(Refused(error));
        let found = Repository::find(&settings, &name, &Which::of(&name), &credentials).await;
        let (repository, root) = found.map_err(told)?;
        let document = Document::parse(&root.bytes)
            .map_err(|error| Error::system("cannot read the manifest").because(error))?;
        let platforms = match document {
            Document::Index(index) => {
                index.manifests.into_iter().filter_map(|entry| entry.platform).collect()
            }
            Document::Manifest(_) => {
                let image = repository.select(&root, &Platform::host()).await.map_err(told)?;
                vec![image.parsed.platform()]
            }
        };
        let descriptor = Descriptor {
            media_type: root.media_type,
            digest: root.digest.to_string(),
            size: root.bytes.len() as i64,
            ..Descriptor::default()
        };
        let platforms = platforms.into_iter().map(crate::images::api_platform).collect();
        Ok(DistributionInspect { descriptor, platforms })
    }
}

/// The registry of a server's address, which may be that of an old API.
fn domain(address: &str) -> &str {
    let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let host = host.unwrap_or(address).split('/').next().unwrap_or_default();
    if HUB_NAMES.contains(&host) { HUB } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_address_names_its_registry() {
        assert_eq!(domain("https://index.docker.io/v1/"), "docker.io");
        assert_eq!(domain(""), "docker.io");
        assert_eq!(domain("reg.example:5000"), "reg.example:5000");
        assert_eq!(domain("http://reg.example/v2/"), "reg.example");
    }
}
