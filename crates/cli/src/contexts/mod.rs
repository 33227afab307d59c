//! Contexts: named ways to an engine, in Docker's own layout, so that both clients see the same ones.
//!
//! `<config>/contexts/meta/<sha256 of the name>/meta.json` says where, `contexts/tls/<the same>/<endpoint>/` has what TLS
//! needs. The context `default` is made of flags and variables and is in no file.

mod archive;

pub(crate) use archive::{export, import};

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Failure, Result};

pub(crate) const DEFAULT: &str = "default";
/// The endpoint of a context that is an engine.
pub(crate) const ENGINE: &str = "docker";
/// The files of TLS, as they are stored.
pub(crate) const TLS_FILES: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];
/// A larger file is nobody's context.
const LARGEST: u64 = 10 << 20;

/// `meta.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Meta {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) metadata: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub(crate) endpoints: BTreeMap<String, Endpoint>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    #[serde(rename = "Host", default, skip_serializing_if = "String::is_empty")]
    pub(crate) host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    pub(crate) skip_tls_verify: bool,
}

impl Meta {
    pub(crate) fn description(&self) -> &str {
        self.metadata.get("Description").and_then(|text| text.as_str()).unwrap_or_default()
    }

    pub(crate) fn set_description(&mut self, text: &str) {
        if text.is_empty() {
            self.metadata.remove("Description");
        } else {
            self.metadata.insert("Description".to_owned(), text.into());
        }
    }

    pub(crate) fn engine(&self) -> Endpoint {
        self.endpoints.get(ENGINE).cloned().unwrap_or_default()
    }
}

/// By endpoint, by file name.
pub(crate) type Tls = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// The contexts of one configuration directory.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    pub(crate) fn of(config_directory: &Path) -> Self {
        Self { root: config_directory.join("contexts") }
    }

    pub(crate) fn meta_directory(&self, name: &str) -> PathBuf {
        self.root.join("meta").join(id(name))
    }

    pub(crate) fn tls_directory(&self, name: &str) -> PathBuf {
        self.root.join("tls").join(id(name))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.meta_directory(name).join("meta.json").exists()
    }

    pub(crate) fn load(&self, name: &str) -> Result<Meta> {
        let path = self.meta_directory(name).join("meta.json");
        let text =
            read(&path).map_err(|why| format!("context {name:?}: context not found: {why}"))?;
        serde_json::from_slice(&text).map_err(|error| {
            Failure::new(format!("context {name:?}: parsing {}: {error}", path.display()))
        })
    }

    /// All that can be read, by name.
    pub(crate) fn list(&self) -> Result<Vec<Meta>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.root.join("meta")).into_iter().flatten() {
            let path = entry?.path().join("meta.json");
            if path.exists() {
                let wrong = |why| Failure::new(format!("parsing {}: {why}", path.display()));
                found.push(
                    serde_json::from_slice(&read(&path)?)
                        .map_err(|error| wrong(error.to_string()))?,
                );
            }
        }
        found.sort_by(|a: &Meta, b| a.name.cmp(&b.name));
        Ok(found)
    }

    pub(crate) fn save(&self, meta: &Meta) -> Result<()> {
        let directory = self.meta_directory(&meta.name);
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&directory)?;
        let text = serde_json::to_vec(meta).expect("what came from JSON becomes JSON");
        write(&directory.join("meta.json"), &text, 0o644)
    }

    /// The files of every endpoint; what was there before goes.
    pub(crate) fn save_tls(&self, name: &str, tls: &Tls) -> Result<()> {
        let directory = self.tls_directory(name);
        remove(&directory)?;
        for (endpoint, files) in tls.iter().filter(|(_, files)| !files.is_empty()) {
            let directory = directory.join(endpoint);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
            for (file, content) in files {
                write(&directory.join(file), content, 0o600)?;
            }
        }
        Ok(())
    }

    pub(crate) fn tls(&self, name: &str) -> Result<Tls> {
        let mut tls = Tls::new();
        for endpoint in fs::read_dir(self.tls_directory(name)).into_iter().flatten() {
            let endpoint = endpoint?;
            let files = tls.entry(endpoint.file_name().to_string_lossy().into_owned()).or_default();
            for file in fs::read_dir(endpoint.path())? {
                let file = file?;
                files.insert(file.file_name().to_string_lossy().into_owned(), read(&file.path())?);
            }
        }
        Ok(tls)
    }

    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        remove(&self.meta_directory(name))?;
        remove(&self.tls_directory(name))
    }
}

/// A name for a context of one's own.
pub(crate) fn check_name(name: &str) -> Result<()> {
    const PATTERN: &str = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$";
    let valid = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
    match name {
        "" => Err(Failure::new("context name cannot be empty")),
        DEFAULT => Err(Failure::new(format!("{DEFAULT:?} is a reserved context name"))),
        name if name.len() > 1
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(valid) =>
        {
            Ok(())
        }
        name => Err(Failure::new(format!(
            "context name {name:?} is invalid, names are validated against regexp {PATTERN:?}"
        ))),
    }
}

fn id(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A whole file, in Go's words where it cannot be had.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |error: std::io::Error| {
        format!("open {}: {}", path.display(), crate::error::os_error(&error))
    };
    match fs::metadata(path).map_err(wrong)?.len() {
        ..=LARGEST => fs::read(path).map_err(wrong),
        _ => Err(format!("read {}: larger than {} MiB", path.display(), LARGEST >> 20)),
    }
}

/// In one step, so that no reader meets half a file.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let new = path.with_extension(format!("new{}", std::process::id()));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
    std::io::Write::write_all(&mut file, content)?;
    Ok(fs::rename(&new, path)?)
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_where_docker_looks_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of(folder.path());
        let endpoint = Endpoint { host: "tcp://h:1".to_owned(), skip_tls_verify: false };
        let mut meta = Meta { name: "one".to_owned(), ..Meta::default() };
        meta.endpoints.insert(ENGINE.to_owned(), endpoint);
        meta.set_description("first");
        store.save(&meta).unwrap();
        let path = "contexts/meta/7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed/meta.json";
        assert_eq!(
            fs::read_to_string(folder.path().join(path)).unwrap(),
            r#"{"Name":"one","Metadata":{"Description":"first"},"Endpoints":{"docker":{"Host":"tcp://h:1","SkipTLSVerify":false}}}"#
        );
        assert_eq!(store.list().unwrap(), [meta]);
        store.remove("one").unwrap();
        assert!(
            store
                .load("one")
                .unwrap_err()
                .message
                .starts_with("context \"one\": context not found: open ")
        );
    }

    #[test]
    fn names_are_checked() {
        assert!(check_name("a.b+c-d_1").is_ok());
        for name in ["", "a", "../x", "a/b", "default", "-a", "a b"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
