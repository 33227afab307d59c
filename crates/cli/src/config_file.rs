//! `~/.docker/config.json`: the parts that matter to a command line. What else is in it is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use api::base64;
use api::registry::AuthConfig;
use serde::Deserialize;
use template::Json;

use crate::error::Result;
use crate::output::warn;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConfigFile {
    #[serde(rename = "HttpHeaders")]
    pub(crate) http_headers: BTreeMap<String, String>,
    #[serde(rename = "psFormat")]
    pub(crate) ps_format: String,
    #[serde(rename = "imagesFormat")]
    pub(crate) images_format: String,
    #[serde(rename = "statsFormat")]
    pub(crate) stats_format: String,
    #[serde(rename = "pluginsFormat")]
    pub(crate) plugins_format: String,
    #[serde(rename = "networksFormat")]
    pub(crate) networks_format: String,
    #[serde(rename = "volumesFormat")]
    pub(crate) volumes_format: String,
    #[serde(rename = "detachKeys")]
    pub(crate) detach_keys: String,
    #[serde(rename = "currentContext")]
    pub(crate) current_context: String,
    /// By registry.
    pub(crate) auths: BTreeMap<String, AuthConfig>,
    /// The helper that keeps secrets, and those of single registries.
    #[serde(rename = "credsStore")]
    pub(crate) creds_store: String,
    #[serde(rename = "credHelpers")]
    pub(crate) cred_helpers: BTreeMap<String, String>,
    /// By the engine's host, or `default`.
    pub(crate) proxies: BTreeMap<String, Proxies>,
}

/// What containers are told of proxies.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Proxies {
    http_proxy: String,
    https_proxy: String,
    no_proxy: String,
    ftp_proxy: String,
    all_proxy: String,
}

impl ConfigFile {
    /// A file that is not there is empty; one that is not understood is reported and taken as empty.
    pub(crate) fn load(directory: &Path) -> Self {
        let path = path(directory);
        let Ok(text) = fs::read(&path) else { return Self::default() };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            let why = match api::json::decode::<Self>(&text) {
                Err(wrong) => worded(&wrong),
                Ok(_) => error.to_string(),
            };
            warn(format!("WARNING: Error loading config file: {}: {why}", path.display()));
            Self::default()
        })
    }

    /// Adds the proxies of that host to variables of a container, in both cases of letters, unless it has them.
    pub(crate) fn add_proxies(&self, host: &str, env: &mut Vec<String>) {
        let Some(proxies) = self.proxies.get(host).or_else(|| self.proxies.get("default")) else {
            return;
        };
        let named = [
            ("HTTP_PROXY", &proxies.http_proxy),
            ("HTTPS_PROXY", &proxies.https_proxy),
            ("NO_PROXY", &proxies.no_proxy),
            ("FTP_PROXY", &proxies.ftp_proxy),
            ("ALL_PROXY", &proxies.all_proxy),
        ];
        for (name, value) in named.into_iter().filter(|(_, value)| !value.is_empty()) {
            for name in [name.to_owned(), name.to_lowercase()] {
                if !env.iter().any(|known| known.split('=').next() == Some(&name)) {
                    env.push(format!("{name}={value}"));
                }
            }
        }
    }
}

/// As Docker words it: the type is one of Go's.
fn worded(wrong: &api::json::Unreadable) -> String {
    wrong.to_string().replace("Go struct field ", "Go struct field ConfigFile.")
}

/// Makes a context the current one; `default` is what is current without any. Everything else in the file, credentials
/// above all, stays as it is.
pub(crate) fn set_current_context(directory: &Path, name: &str) -> Result<()> {
    edit(directory, |fields| {
        fields.retain(|(key, _)| key != "currentContext");
        if name != "default" {
            fields.push(("currentContext".to_owned(), Json::String(name.to_owned())));
        }
    })
}

/// Keeps credentials for a registry; without any, only that a helper has them.
pub(crate) fn set_auth(directory: &Path, registry: &str, auth: Option<&AuthConfig>) -> Result<()> {
    let mut kept = Vec::new();
    if let Some(auth) = auth {
        let pair = format!("{}:{}", auth.username, auth.password);
        kept.push(("auth".to_owned(), Json::String(base64::encode(pair.as_bytes()))));
        if !auth.identitytoken.is_empty() {
            kept.push(("identitytoken".to_owned(), Json::String(auth.identitytoken.clone())));
        }
    }
    edit(directory, |fields| {
        let auths = auths(fields);
        auths.retain(|(name, _)| name != registry);
        auths.push((registry.to_owned(), Json::Object(kept)));
    })
}

pub(crate) fn remove_auth(directory: &Path, registry: &str) -> Result<()> {
    edit(directory, |fields| auths(fields).retain(|(name, _)| name != registry))
}

type Fields = Vec<(String, Json)>;

fn auths(fields: &mut Fields) -> &mut Fields {
    if !matches!(fields.iter().find(|(key, _)| key == "auths"), Some((_, Json::Object(_)))) {
        fields.retain(|(key, _)| key != "auths");
        fields.push(("auths".to_owned(), Json::Object(Vec::new())));
    }
    let mut known = fields.iter_mut().filter_map(|(key, value)| match value {
        Json::Object(auths) if key == "auths" => Some(auths),
        _ => None,
    });
    known.next().expect("it was put there where it was not")
}

/// Changes the file and leaves alone what is not touched. One that is not there begins without credentials.
fn edit(directory: &Path, change: impl FnOnce(&mut Fields)) -> Result<()> {
    let path = path(directory);
    let mut document = match fs::read(&path) {
        Ok(text) => Json::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Json::Object(vec![("auths".to_owned(), Json::Object(Vec::new()))])
        }
        Err(error) => return Err(error.into()),
    };
    let Json::Object(fields) = &mut document else {
        return Err(format!("{}: not a JSON object", path.display()).into());
    };
    change(fields);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    replace(&path, &document.indented("\t"))
}

fn path(directory: &Path) -> PathBuf {
    directory.join("config.json")
}

/// In one step, and behind a link where it is one. Only its owner reads a new one.
fn replace(path: &Path, text: &str) -> Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let new = target.with_extension(format!("json{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| {
        if let Ok(old) = fs::metadata(&target) {
            fs::set_permissions(&new, old.permissions())?;
        }
        fs::rename(&new, &target)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    Ok(written?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_current_context_leaves_the_rest_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "{\"credsStore\":\"x\",\"auths\":{\"r.io\":{\"auth\":\"dTpw\"}},\"mine\":[1,2.50]}";
        fs::write(path(folder.path()), text).unwrap();
        set_current_context(folder.path(), "one").unwrap();
        assert_eq!(ConfigFile::load(folder.path()).current_context, "one");
        set_current_context(folder.path(), "default").unwrap();
        expect_test::expect![[r#"
            {
            	"credsStore": "x",
            	"auths": {
            		"r.io": {
            			"auth": "dTpw"
            		}
            	},
            	"mine": [
            		1,
            		2.5
            	]
            }"#]]
        .assert_eq(&fs::read_to_string(path(folder.path())).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn credentials_come_and_go_and_leave_the_rest_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let auth =
            AuthConfig { username: "ann".into(), password: "a:b".into(), ..AuthConfig::default() };
        set_auth(folder.path(), "r.io", Some(&auth)).unwrap();
        set_auth(folder.path(), "helped.io", None).unwrap();
        let config = ConfigFile::load(folder.path());
        assert_eq!(config.auth("r.io").password, "a:b");
        assert_eq!(config.auths["helped.io"], AuthConfig::default());
        remove_auth(folder.path(), "r.io").unwrap();
        let text = fs::read_to_string(path(folder.path())).unwrap();
        assert!(text.contains("helped.io") && !text.contains("r.io\""), "{text}");
        let mode = fs::metadata(path(folder.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn proxies_are_added_where_the_container_has_none() {
        let text = r#"{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"a,b"},"tcp://h:1":{"allProxy":"x"}}}"#;
        let config: ConfigFile = serde_json::from_str(text).unwrap();
        let mut env = vec!["http_proxy=mine".to_owned()];
        config.add_proxies("unix:///x", &mut env);
        assert_eq!(
            env,
            ["http_proxy=mine", "HTTP_PROXY=http://p:1", "NO_PROXY=a,b", "no_proxy=a,b"]
        );
        let mut env = Vec::new();
        config.add_proxies("tcp://h:1", &mut env);
        assert_eq!(env, ["ALL_PROXY=x", "all_proxy=x"]);
    }
}
