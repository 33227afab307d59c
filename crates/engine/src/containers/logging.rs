//! Logging options: what the monitor is told to write. Nothing of an image reaches them: they come from the
//! HostConfig and the engine's configuration alone.

use std::collections::BTreeMap;
use std::path::Path;

use api::containers::LogConfig;
use runtime::monitor::config::{self as monitor, LogDriver};

use super::record::Record;
use crate::error::{Error, Result};

/// Without a wish a log is bounded: Docker's is not, and fills disks.
const DEFAULT_MAX_SIZE: &str = "100m";
const DEFAULT_MAX_FILE: &str = "5";

const COMMON: [&str; 7] =
    ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex"];

/// Fills what was left open and refuses what no driver knows.
pub fn checked(wish: &LogConfig, engine: &LogConfig) -> Result<LogConfig> {
    let mut log = if wish.driver.is_empty() { engine.clone() } else { wish.clone() };
    if wish.driver.is_empty() && wish.config.as_ref().is_some_and(|config| !config.is_empty()) {
        log.config.clone_from(&wish.config);
    }
    if log.driver.is_empty() {
        log.driver = "json-file".into();
    }
    let options = log.config.get_or_insert_default();
    match log.driver.as_str() {
        "none" => return Ok(log),
        "json-file" | "local" => {}
        other => {
            return Err(Error::invalid(format!(
                "error looking up logging plugin {other}: plugin \"{other}\" not found"
            )));
        }
    }
    // Delivery modes are about slow remote drivers.
    let known =
        |name: &str| COMMON.contains(&name) || matches!(name, "tag" | "mode" | "max-buffer-size");
    if let Some(unknown) = options.keys().find(|name| !known(name)) {
        return Err(Error::invalid(format!(
            "unknown log opt '{unknown}' for {} log driver",
            log.driver
        )));
    }
    if !options.contains_key("max-size") && !options.contains_key("max-file") {
        options.insert("max-size".into(), DEFAULT_MAX_SIZE.into());
        options.insert("max-file".into(), DEFAULT_MAX_FILE.into());
    }
    Limits::parse(options)?;
    if let Some(other) =
        options.get("compress").filter(|wish| !matches!(wish.as_str(), "true" | "false"))
    {
        return Err(Error::invalid(format!(
            "invalid value for compress: {other:?}: it is true or false"
        )));
    }
    Ok(log)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    max_size: Option<u64>,
    max_file: u32,
}

impl Limits {
    fn parse(options: &BTreeMap<String, String>) -> Result<Self> {
        let max_size = match options.get("max-size").map(String::as_str) {
            None | Some("" | "-1") => None,
            Some(text) => Some(bytes(text)?),
        };
        let max_file = match options.get("max-file") {
            None => 1,
            Some(text) => text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                Error::invalid(format!(
                    "invalid value for max-file: {text:?}: it must be at least 1"
                ))
            })?,
        };
        if max_file > 1 && max_size.is_none() {
            return Err(Error::invalid("max-file cannot be used without max-size"));
        }
        Ok(Self { max_size, max_file })
    }
}

fn bytes(text: &str) -> Result<u64> {
    let size = crate::config::parse_size(text).and_then(|size| u64::try_from(size).ok());
    size.filter(|size| *size > 0)
        .ok_or_else(|| Error::invalid(format!("invalid value for max-size: {text:?}")))
}

/// Whether rotated files are to be compressed. Docker's `local` driver does so unless told otherwise.
pub fn is_compressed(record: &Record) -> bool {
    let log = &record.host_config.log_config;
    let wish = log.config.as_ref().and_then(|options| options.get("compress")).map(String::as_str);
    match log.driver.as_str() {
        "none" => false,
        "local" => wish != Some("false"),
        _ => wish == Some("true"),
    }
}

/// The monitor's half of a container's options.
pub fn monitor_config(record: &Record, data_root: &Path) -> Result<monitor::LogConfig> {
    let log = &record.host_config.log_config;
    let empty = BTreeMap::new();
    let options = log.config.as_ref().unwrap_or(&empty);
    let limits = Limits::parse(options)?;
    let driver = match log.driver.as_str() {
        "none" => LogDriver::None,
        "local" => LogDriver::Local,
        _ => LogDriver::JsonFile,
    };
    Ok(monitor::LogConfig {
        driver,
        path: record.log_path(data_root),
        max_size: limits.max_size,
        max_file: limits.max_file,
        attrs: attributes(record, options),
    })
}

/// `labels=a,b` and `env=A,B`: those of the container's that are named, into each entry.
fn attributes(record: &Record, options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let named =
        |option: &str| options.get(option).map_or("", String::as_str).split(',').map(str::trim);
    let mut attributes = BTreeMap::new();
    for label in named("labels") {
        if let Some(value) = record.label(label) {
            attributes.insert(label.to_owned(), value.to_owned());
        }
    }
    for variable in record.config.env.iter().flatten() {
        if let Some((name, value)) = variable.split_once('=')
            && named("env").any(|wanted| wanted == name)
        {
            attributes.insert(name.to_owned(), value.to_owned());
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(driver: &str, options: &[(&str, &str)]) -> LogConfig {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        LogConfig { driver: driver.into(), config: Some(options) }
    }

    fn said(driver: &str, options: &[(&str, &str)]) -> String {
        let result = checked(&wish(driver, options), &LogConfig::default());
        result.map_or_else(|error| error.to_string(), |log| format!("{:?}", log.config.unwrap()))
    }

    #[test]
    fn logs_are_bounded_unless_told_otherwise() {
        assert_eq!(said("", &[]), r#"{"max-file": "5", "max-size": "100m"}"#);
        assert_eq!(said("json-file", &[("max-size", "-1")]), r#"{"max-size": "-1"}"#);
        assert_eq!(said("none", &[]), "{}");
    }

    #[test]
    fn refusals_are_worded_as_dockers() {
        assert_eq!(
            said("foo", &[]),
            "error looking up logging plugin foo: plugin \"foo\" not found"
        );
        assert_eq!(
            said("json-file", &[("foo", "1")]),
            "unknown log opt 'foo' for json-file log driver"
        );
        assert!(said("json-file", &[("max-file", "0"), ("max-size", "1m")]).contains("max-file"));
        assert!(said("json-file", &[("max-size", "big")]).contains("max-size"));
    }

    #[test]
    fn named_labels_and_variables_go_into_each_entry() {
        let mut record = super::super::record::tests::record("ab");
        record.config.labels = Some([("a".into(), "1".into()), ("b".into(), "2".into())].into());
        record.config.env = Some(vec!["E=3".into(), "F=4".into()]);
        record.host_config.log_config = wish("json-file", &[("labels", "a"), ("env", "E,G")]);
        let attributes = monitor_config(&record, Path::new("/d")).unwrap().attrs;
        assert_eq!(attributes, [("a".into(), "1".into()), ("E".into(), "3".into())].into());
    }
}
