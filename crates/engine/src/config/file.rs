//! The configuration file, by default `/etc/gantry/daemon.json`.

use std::io;

use serde_json::Value;

use super::flags::ConfigFile;
use super::{Error, Object, flags};

/// The file's object. The default file need not exist; one that was asked for must.
pub fn read(file: &ConfigFile) -> Result<Object, Error> {
    let fail = |why: String| Error::File { file: file.path.display().to_string(), why };
    let text = match std::fs::read_to_string(&file.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !file.asked_for => {
            return Ok(Object::new());
        }
        result => result.map_err(|error| fail(error.to_string()))?,
    };
    if text.trim().is_empty() {
        return Ok(Object::new());
    }
    let object: Object = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    let unknown: Vec<_> = object.keys().filter(|key| !flags::is_key(key)).cloned().collect();
    if unknown.is_empty() {
        return Ok(object);
    }
    let unknown = unknown.join(", ");
    Err(fail(format!("the following directives don't match any configuration option: {unknown}")))
}

/// A key both in the file and on the command line is an error: which one wins would be a guess. Keys that
/// hold named entries (runtimes, ulimits) may be in both if the names differ for dockerd; here the rule has no exception.
pub fn refuse_conflicts(file: &ConfigFile, flags: &Object, object: &Object) -> Result<(), Error> {
    let conflict = |(key, flag): (&String, &Value)| {
        let value = object.get(key)?;
        Some(format!("{key}: (from flag: {}, from file: {})", plain(flag), plain(value)))
    };
    let conflicts: Vec<_> = flags.iter().filter_map(conflict).collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    Err(Error::File {
        file: file.path.display().to_string(),
        why: format!(
            "the following directives are specified both as a flag and in the configuration file: {}",
            conflicts.join(", ")
        ),
    })
}

/// As Go prints a value.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}
