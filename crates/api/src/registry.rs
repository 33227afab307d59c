//! What is said of registries: who asks, and what is found there.

use serde::{Deserialize, Serialize};

use crate::base64;
use crate::go::wire;
use crate::images::{Descriptor, Platform};

/// The header that carries an [`AuthConfig`].
pub const AUTH_HEADER: &str = "x-registry-auth";

/// A repository that a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchResult {
    pub star_count: i64,
    pub is_official: bool,
    pub name: String,
    pub is_automated: bool,
    pub description: String,
}

/// Credentials for one registry, as clients send them and as config.json holds them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthConfig {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// `username:password` in base64; nothing beside `username` and `password`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub serveraddress: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identitytoken: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub registrytoken: String,
}

/// Secrets are in no log.
impl std::fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthConfig").field("username", &self.username).finish_non_exhaustive()
    }
}

impl AuthConfig {
    /// For the header: JSON in base64, in the alphabet of addresses.
    #[must_use]
    pub fn to_header(&self) -> String {
        let json = serde_json::to_vec(self).expect("wire types serialise");
        base64::encode(&json).replace('+', "-").replace('/', "_")
    }

    /// Of a header; `None` for what is not understood.
    #[must_use]
    pub fn from_header(text: &str) -> Option<Self> {
        let json = base64::decode_url(text)?;
        serde_json::from_slice::<Self>(&json).ok().map(Self::with_password)
    }

    /// Name and password, wherever they were.
    #[must_use]
    pub fn with_password(mut self) -> Self {
        if self.username.is_empty()
            && let Some(pair) = base64::decode(&self.auth)
            && let Ok(pair) = String::from_utf8(pair)
            && let Some((username, password)) = pair.split_once(':')
        {
            self.username = username.to_owned();
            password.trim_end_matches('\0').clone_into(&mut self.password);
        }
        self
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

wire! {
    /// The answer to `/auth`.
    pub struct AuthStatus {
        pub identity_token: String,
        pub status: String,
    }

    /// What a name leads to in a registry.
    pub struct DistributionInspect {
        pub descriptor: Descriptor,
        pub platforms: Vec<Platform>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_travel_in_a_header() {
        let auth = AuthConfig {
            username: "ann".into(),
            password: "p>?:ß".into(),
            ..AuthConfig::default()
        };
        let header = auth.to_header();
        assert!(!header.contains(['+', '/']));
        assert_eq!(AuthConfig::from_header(&header), Some(auth));
        assert_eq!(AuthConfig::from_header("e30="), Some(AuthConfig::default()));
        assert_eq!(AuthConfig::from_header("e30"), Some(AuthConfig::default()));
        assert_eq!(AuthConfig::from_header("not json"), None);
    }

    #[test]
    fn name_and_password_may_be_in_one() {
        let auth = AuthConfig { auth: "YW5uOmE6Yg==".into(), ..AuthConfig::default() };
        let auth = auth.with_password();
        assert_eq!((auth.username.as_str(), auth.password.as_str()), ("ann", "a:b"));
    }
}
