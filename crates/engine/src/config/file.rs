//! The configuration file, by default `/etc/gantry/daemon.json`.

use std::fs::File;
use std::io::{self, Read};

use serde_json::Value;

use super::flags::ConfigFile;
use super::options::{self, Opt};
use super::values::masked;
use super::{Error, Object};

/// Far more than any configuration is; what is longer is none.
const MAX_BYTES: u64 = 1 << 20;

/// What the file says by option; `None` where the default file is not there. One that was asked for must be.
///
/// As dockerd: a key said twice means the last, null means nothing, and what is grouped under a key that is no option
/// (`proxies`) stands for itself.
pub fn read(file: &ConfigFile) -> Result<Option<Object>, Error> {
    let fail = |why: String| file_error(file, why);
    let text = match read_bounded(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match file.asked_for {
                true => {
                    Err(fail(format!("open {}: no such file or directory", file.path.display())))
                }
                false => Ok(None),
            };
        }
        result => result.map_err(|error| fail(error.to_string()))?,
    };
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(Some(Object::new()));
    }
    let object = api::json::decode(text).map_err(|error| fail(error.to_string()))?;
    let (mut known, mut unknown) = (Object::new(), Vec::new());
    flatten(object, &mut known, &mut unknown);
    if unknown.is_empty() {
        return Ok(Some(known));
    }
    let unknown = unknown.join(", ");
    Err(fail(format!("the following directives don't match any configuration option: {unknown}")))
}

fn read_bounded(file: &ConfigFile) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(&file.path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

fn flatten(object: Object, known: &mut Object, unknown: &mut Vec<String>) {
    for (key, value) in object {
        match value {
            Value::Null if options::find(&key).is_some() => {}
            value if options::find(&key).is_some() => {
                known.insert(key, value);
            }
            Value::Object(group) => flatten(group, known, unknown),
            _ => unknown.push(key),
        }
    }
}

/// A key both in the file and on the command line is an error: which one wins would be a guess. Runtimes add up, as
/// with dockerd.
pub fn refuse_conflicts(file: &ConfigFile, flags: &Object, object: &Object) -> Result<(), Error> {
    let conflict = |(key, flag): (&String, &Value)| {
        let value = object.get(key).filter(|_| !adds_up(key))?;
        let shown =
            |value| if key.ends_with("-proxy") { masked(&plain(value)) } else { plain(value) };
        Some(format!("{key}: (from flag: {}, from file: {})", shown(flag), shown(value)))
    };
    let conflicts: Vec<_> = flags.iter().filter_map(conflict).collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    let conflicts = conflicts.join(", ");
    Err(file_error(
        file,
        format!(
            "the following directives are specified both as a flag and in the configuration file: {conflicts}"
        ),
    ))
}

fn adds_up(key: &str) -> bool {
    options::find(key).is_some_and(Opt::adds_up)
}

/// The file's options with the flags'.
pub fn merge(mut object: Object, flags: &Object) -> Object {
    for (key, flag) in flags {
        match (object.get_mut(key), flag) {
            (Some(Value::Object(entries)), Value::Object(more)) => entries.extend(more.clone()),
            _ => {
                object.insert(key.clone(), flag.clone());
            }
        }
    }
    object
}

pub fn file_error(file: &ConfigFile, why: String) -> Error {
    Error::File { file: file.path.display().to_string(), why }
}

/// As Go prints a value.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("{key}:{}", plain(value));
            format!("map[{}]", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}
