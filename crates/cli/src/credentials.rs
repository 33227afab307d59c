//! Who the user is to a registry: config.json's `auths`, or a helper program that keeps secrets elsewhere.
//!
//! A helper is `docker-credential-NAME`, asked on stdin and answering on stdout. What it says of secrets is passed on
//! and never shown.

use std::io::Write;
use std::process::{Command, Stdio};

use api::registry::AuthConfig;
use serde::{Deserialize, Serialize};

use crate::config_file::ConfigFile;

/// Under which Docker keeps what is for Docker Hub.
pub(crate) const HUB_KEY: &str = "https://index.docker.io/v1/";
const HUB: [&str; 2] = ["docker.io", "index.docker.io"];
/// The name under which helpers give a token.
const TOKEN: &str = "<token>";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    #[serde(default, rename = "ServerURL")]
    server_url: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// The name that credentials for a registry go by.
pub(crate) fn key(registry: &str) -> String {
    if HUB.contains(&registry) { HUB_KEY.to_owned() } else { registry.to_owned() }
}

impl ConfigFile {
    /// Of the registry that an image's name leads to; empty for nobody.
    pub(crate) fn auth_for_image(&self, image: &str) -> AuthConfig {
        self.auth(&key(crate::reference::domain(image)))
    }

    pub(crate) fn auth(&self, key: &str) -> AuthConfig {
        let found = match self.helper(key) {
            Some(helper) => ask(&helper, "get", key).ok().and_then(|answer| read(&answer, key)),
            None => self.stored(key),
        };
        found.unwrap_or_default()
    }

    /// The helper that keeps what is for this registry.
    pub(crate) fn helper(&self, key: &str) -> Option<String> {
        let own = self.cred_helpers.get(key).or_else(|| self.cred_helpers.get(host(key)));
        let common = Some(&self.creds_store).filter(|store| !store.is_empty());
        own.or(common).cloned()
    }

    /// Under its own name, else under an address of the same host.
    fn stored(&self, key: &str) -> Option<AuthConfig> {
        let exact = self.auths.get_key_value(key);
        let found = exact.or_else(|| self.auths.iter().find(|(name, _)| host(name) == host(key)));
        let (name, auth) = found?;
        let auth = auth.clone().with_password();
        Some(AuthConfig { serveraddress: name.clone(), auth: String::new(), ..auth })
    }
}

fn host(address: &str) -> &str {
    let address = address
        .strip_prefix("https://")
        .or_else(|| address.strip_prefix("http://"))
        .unwrap_or(address);
    address.split('/').next().unwrap_or_default()
}

/// Runs a helper; its answer, or what it says is wrong.
pub(crate) fn ask(helper: &str, verb: &str, input: &str) -> Result<Vec<u8>, String> {
    // A name, not a way to somewhere.
    if helper.contains('/') {
        return Err(format!("invalid credential helper {helper:?}"));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |error: std::io::Error| {
        let why = crate::error::os_error(&error);
        format!("error getting credentials - err: exec: {program:?}: {why}, out: ``")
    };
    let mut command = Command::new(&program);
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading has its own answer.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Err(format!("error getting credentials - err: {}, out: `{}`", output.status, said.trim()))
}

/// What a helper is told to keep.
pub(crate) fn secret(key: &str, auth: &AuthConfig) -> String {
    let (username, secret) = match auth.identitytoken.as_str() {
        "" => (auth.username.clone(), auth.password.clone()),
        token => (TOKEN.to_owned(), token.to_owned()),
    };
    let secret = Secret { server_url: key.to_owned(), username, secret };
    serde_json::to_string(&secret).expect("strings alone serialise")
}

fn read(answer: &[u8], key: &str) -> Option<AuthConfig> {
    let Secret { username, secret, .. } = serde_json::from_slice(answer).ok()?;
    let auth = AuthConfig { serveraddress: key.to_owned(), ..AuthConfig::default() };
    Some(match username.as_str() {
        TOKEN => AuthConfig { identitytoken: secret, ..auth },
        _ => AuthConfig { username, password: secret, ..auth },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_by_registry() {
        let text = r#"{"auths":{"reg.example:5000":{"auth":"YW5uOnNlY3JldA=="},
            "https://index.docker.io/v1/":{"auth":"Ym9iOng=","identitytoken":"tok"},
            "https://old.example/v1/":{"username":"eve","password":"p"}},
            "credHelpers":{"aws.example":"ecr"}}"#;
        let config: ConfigFile = serde_json::from_str(text).unwrap();
        let who = |image: &str| {
            let auth = config.auth_for_image(image);
            (auth.username, auth.password, auth.identitytoken)
        };
        let user = |name: &str, password: &str| (name.into(), password.into(), String::new());
        assert_eq!(who("reg.example:5000/a/b:1"), user("ann", "secret"));
        assert_eq!(who("busybox"), ("bob".into(), "x".into(), "tok".into()));
        assert_eq!(who("old.example/a"), user("eve", "p"));
        assert_eq!(who("other.example/a"), user("", ""));
        assert_eq!(config.helper("aws.example").as_deref(), Some("ecr"));
        assert_eq!(config.helper("reg.example:5000"), None);
    }

    #[test]
    fn cve_2021_41092_credentials_of_one_registry_are_for_no_other() {
        let text = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"Ym9iOng="},
            "own.example":{"auth":"YW5uOnNlY3JldA=="}},
            "credHelpers":{"own.example":"there-is-no-such-helper"}}"#;
        let config: ConfigFile = serde_json::from_str(text).unwrap();
        assert!(config.auth_for_image("own.example/a").is_empty());
        assert!(config.auth_for_image("own.example.evil.example/a").is_empty());
        assert!(config.auth_for_image("docker.io.evil.example/a").is_empty());
    }

    #[test]
    fn a_helper_gives_a_token_under_a_name_of_its_own() {
        let auth = read(br#"{"ServerURL":"r","Username":"<token>","Secret":"t"}"#, "r").unwrap();
        assert_eq!((auth.identitytoken.as_str(), auth.username.as_str()), ("t", ""));
        assert_eq!(secret("r", &auth), r#"{"ServerURL":"r","Username":"<token>","Secret":"t"}"#);
        assert!(ask("../../bin/sh", "get", "").is_err());
    }
}
