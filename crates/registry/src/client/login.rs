//! Whether a registry knows somebody.

use hyper::Method;
use hyper::header::HeaderMap;
use oci::Reference;

use super::authority::{Access, Credentials};
use super::content::Content;
use super::error::{Error, Result};
use super::{Repository, Settings};

/// Shows credentials to the registry of a domain, and returns the refresh token that it gives in their place, or nothing
/// where it has none.
///
/// # Errors
/// Also that it does not know them.
pub async fn log_in(
    settings: &Settings,
    domain: &str,
    credentials: &Credentials,
) -> Result<String> {
    let name = format!("{domain}/login");
    let name = Reference::parse(&name)
        .map_err(|_| Error::invalid(format!("invalid registry name {domain}")))?;
    let registry = Repository::open(settings, &name, credentials, Access::Login).await?;
    let origin = &registry.endpoint.origin;
    let token = registry.authority.identity(&registry.transport, origin).await?;
    if token.is_empty() {
        let path = format!("{}/v2/", registry.endpoint.prefix);
        let headers = HeaderMap::new();
        let asked = registry.ask_patiently(Method::GET, &path, &headers, &Content::Nothing).await;
        asked.map(drop).map_err(|error| match error.status() {
            Some(401) => Error::invalid(format!(
                "login attempt to {origin}{path} failed with status: 401 Unauthorized"
            )),
            _ => error,
        })?;
    }
    Ok(token)
}
