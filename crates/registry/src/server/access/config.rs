//! The file of `--config`.

use std::path::PathBuf;

use serde::Deserialize;

use super::identity::Rule;
use crate::server::notices::Endpoint;
use crate::server::{quotas, retention};

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Users and bcrypt hashes, as `htpasswd -B` writes them.
    pub htpasswd: Option<PathBuf>,
    pub(super) token: Option<Token>,
    /// Without any, each user may do everything.
    pub(super) rules: Option<Vec<Rule>>,
    /// Who is told of what is pushed, pulled and deleted.
    #[serde(default)]
    pub(in super::super) notifications: Vec<Endpoint>,
    /// How much repositories may hold.
    #[serde(default)]
    pub(in super::super) quotas: Vec<quotas::Rule>,
    /// Which tags go of themselves.
    #[serde(default)]
    pub(in super::super) retention: Vec<retention::Rule>,
}

/// Whose tokens are believed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    /// Where a client gets one.
    pub(super) realm: String,
    pub(super) service: String,
    pub(super) issuer: String,
    /// A JSON Web Key Set (RFC 7517).
    pub(super) keys: PathBuf,
}
