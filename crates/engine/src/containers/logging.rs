//! Logging options: what the monitor is told to write. Nothing of an image reaches them: they come from the
//! HostConfig and the engine's configuration alone.

use std::collections::BTreeMap;
use std::path::Path;

use api::containers::LogConfig;
use runtime::monitor::config::{self as monitor, LogDriver};

use super::record::Record;
use crate::error::{Error, Result};
use crate::logs::remote::{self, Attributes, Info, Subject, Tag, is_remote};

/// Without a wish a log is bounded: Docker's json-file is not, and fills disks.
const JSON_FILE: Limits = Limits { max_size: Some(100 << 20), max_file: 5 };
/// As Docker's for `local`, and for the local copy of a log that is kept elsewhere.
const LOCAL: Limits = Limits { max_size: Some(20 << 20), max_file: 5 };

const LIMITS: [&str; 3] = ["max-size", "max-file", "compress"];
const ATTRIBUTES: [&str; 5] = ["labels", "labels-regex", "env", "env-regex", "tag"];
const DELIVERY: [&str; 2] = ["mode", "max-buffer-size"];

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
    if log.driver == "none" {
        return Ok(log);
    }
    check_delivery(options)?;
    let driver = log.driver.as_str();
    match driver {
        "json-file" => check_known(options, &ATTRIBUTES, |name| {
            format!("unknown log opt '{name}' for json-file log driver")
        })?,
        "local" => check_known(options, &[], |name| {
            format!("unknown log opt '{name}' for log driver local")
        })?,
        remote if is_remote(remote) => remote::check(remote, options).map_err(Error::invalid)?,
        other => {
            return Err(Error::invalid(format!(
                "error looking up logging plugin {other}: plugin \"{other}\" not found"
            )));
        }
    }
    let failed = |what| Error::invalid(format!("failed to initialize logging driver: {what}"));
    Attributes::parse(options).map_err(failed)?;
    let is_remote = is_remote(driver);
    Limits::of(&log)?;
    if is_remote {
        return Ok(log);
    }
    let options = log.config.get_or_insert_default();
    if let Some(other) =
        options.get("compress").filter(|wish| !matches!(wish.as_str(), "true" | "false"))
    {
        return Err(Error::invalid(format!(
            "invalid value for compress: {other:?}: it is true or false"
        )));
    }
    Ok(log)
}

/// A container never waits for a log server, so both modes are the same here; they are validated as Docker does.
fn check_delivery(options: &BTreeMap<String, String>) -> Result<()> {
    let mode = options.get("mode").map_or("", String::as_str);
    if !matches!(mode, "" | "blocking" | "non-blocking") {
        return Err(Error::invalid(format!("logger: logging mode not supported: {mode}")));
    }
    if let Some(size) = options.get("max-buffer-size") {
        if mode != "non-blocking" {
            return Err(Error::invalid(
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
            ));
        }
        if crate::config::parse_size(size).is_none() {
            return Err(Error::invalid(format!(
                "error parsing option max-buffer-size: invalid size: '{size}'"
            )));
        }
    }
    match options.get("cache-disabled") {
        Some(text) if remote::boolean(text).is_err() => {
            Err(Error::invalid(format!("invalid value for option cache-disabled: {text}")))
        }
        _ => Ok(()),
    }
}

fn check_known(
    options: &BTreeMap<String, String>,
    more: &[&str],
    refusal: impl Fn(&str) -> String,
) -> Result<()> {
    let is_known = |name: &str| {
        [&LIMITS[..], &DELIVERY, &remote::CACHE, more].iter().any(|names| names.contains(&name))
    };
    match options.keys().find(|name| !is_known(name)) {
        Some(unknown) => Err(Error::invalid(refusal(unknown))),
        None => Ok(()),
    }
}

/// Whether `logs` can read it here. A journal can always be read, as in Docker: the copy has what it has.
pub fn is_readable(log: &LogConfig) -> bool {
    let disabled = log.config.as_ref().and_then(|options| options.get("cache-disabled"));
    let disabled = disabled.is_some_and(|text| remote::boolean(text) == Ok(true));
    match log.driver.as_str() {
        "none" => false,
        "journald" => true,
        driver => !(is_remote(driver) && disabled),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    max_size: Option<u64>,
    max_file: u32,
}

impl Limits {
    /// Of the file that is kept here, for a remote driver's a copy.
    fn of(log: &LogConfig) -> Result<Self> {
        let empty = BTreeMap::new();
        let options = log.config.as_ref().unwrap_or(&empty);
        let given = |name: &str| options.get(name).map(String::as_str);
        match (log.driver.as_str(), given("max-size"), given("max-file")) {
            ("json-file", None, None) => Ok(JSON_FILE),
            ("json-file", size, file) => Self { max_size: None, max_file: 1 }.with(size, file),
            ("local", size, file) => LOCAL.with(size, file),
            _ => LOCAL.with(given("cache-max-size"), given("cache-max-file")),
        }
    }

    fn with(mut self, max_size: Option<&str>, max_file: Option<&str>) -> Result<Self> {
        match max_size {
            None => {}
            Some("" | "-1") => self.max_size = None,
            Some(text) => self.max_size = Some(bytes(text)?),
        }
        if let Some(text) = max_file {
            self.max_file = text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                Error::invalid(format!(
                    "invalid value for max-file: {text:?}: it must be at least 1"
                ))
            })?;
        }
        Ok(self)
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
        // What has not arrived must be found again.
        driver if is_remote(driver) => false,
        "local" => wish != Some("false"),
        _ => wish == Some("true"),
    }
}

/// The monitor's half of a container's options.
pub fn monitor_config(record: &Record, data_root: &Path) -> Result<monitor::LogConfig> {
    let log = &record.host_config.log_config;
    let empty = BTreeMap::new();
    let options = log.config.as_ref().unwrap_or(&empty);
    let limits = Limits::of(log)?;
    let driver = match log.driver.as_str() {
        "none" => LogDriver::None,
        "json-file" => LogDriver::JsonFile,
        _ => LogDriver::Local,
    };
    Ok(monitor::LogConfig {
        driver,
        path: record.log_path(data_root),
        max_size: limits.max_size,
        max_file: limits.max_file,
        attrs: attributes(record, options, data_root)?,
    })
}

/// What a log server is told of the container.
pub fn subject(record: &Record, data_root: &Path) -> Result<Subject> {
    let empty = BTreeMap::new();
    let options = record.host_config.log_config.config.as_ref().unwrap_or(&empty);
    Ok(Subject {
        id: record.id.clone(),
        name: record.name.clone(),
        image_id: record.image.clone(),
        image_name: record.config.image.clone(),
        command: record.args.join(" "),
        created: record.created.clone(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        tag: tag(record, data_root)?,
        attributes: selected(record, options),
    })
}

/// What the `tag` option makes of the container. Errors are of the template.
pub fn tag(record: &Record, data_root: &Path) -> Result<String> {
    let log = &record.host_config.log_config;
    let config = log.config.clone().unwrap_or_default();
    let text = config.get("tag").cloned().unwrap_or_default();
    let has_file = log.driver == "json-file";
    let path = record.log_path(data_root).display().to_string();
    let (program, args) = record.args.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let info = Info {
        config,
        container_id: record.id.clone(),
        container_name: format!("/{}", record.name),
        container_entrypoint: program.to_owned(),
        container_args: args.to_vec(),
        container_image_id: record.image.clone(),
        container_image_name: record.config.image.clone(),
        container_created: record.created.clone(),
        container_env: record.config.env.clone().unwrap_or_default(),
        container_labels: record.config.labels.clone().unwrap_or_default(),
        log_path: if has_file { path } else { String::new() },
        daemon_name: "docker",
    };
    let made = Tag::parse(&text).and_then(|tag| tag.apply(&info));
    made.map_err(|what| Error::invalid(format!("failed to initialize logging driver: {what}")))
}

/// What goes into each entry of a json-file.
fn attributes(
    record: &Record,
    options: &BTreeMap<String, String>,
    data_root: &Path,
) -> Result<BTreeMap<String, String>> {
    let mut attributes = selected(record, options);
    if options.get("tag").is_some_and(|tag| !tag.is_empty()) {
        attributes.insert("tag".into(), tag(record, data_root)?);
    }
    Ok(attributes)
}

fn selected(record: &Record, options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let config = &record.config;
    Attributes::parse(options)
        .map(|wanted| wanted.select(config.labels.as_ref(), config.env.as_deref()))
        .unwrap_or_default()
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
        // As Docker's inspect shows it.
        assert_eq!(said("", &[]), "{}");
        let limits = |driver: &str, options: &[(&str, &str)]| {
            let Limits { max_size, max_file } = Limits::of(&wish(driver, options)).unwrap();
            (max_size, max_file)
        };
        assert_eq!(limits("json-file", &[]), (Some(100 << 20), 5));
        assert_eq!(limits("json-file", &[("max-size", "-1")]), (None, 1));
        assert_eq!(limits("json-file", &[("max-size", "1k")]), (Some(1024), 1));
        // Files that are never full, as in Docker.
        assert_eq!(limits("json-file", &[("max-file", "3")]), (None, 3));
        assert_eq!(limits("local", &[]), (Some(20 << 20), 5));
        assert_eq!(limits("local", &[("max-file", "3")]), (Some(20 << 20), 3));
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
        assert_eq!(said("local", &[("tag", "1")]), "unknown log opt 'tag' for log driver local");
        assert_eq!(said("syslog", &[("mode", "x")]), "logger: logging mode not supported: x");
        assert_eq!(
            said("syslog", &[("max-buffer-size", "1m")]),
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        );
        assert_eq!(
            said("local", &[("mode", "non-blocking"), ("max-buffer-size", "x")]),
            "error parsing option max-buffer-size: invalid size: 'x'"
        );
        assert_eq!(
            said("syslog", &[("cache-disabled", "x")]),
            "invalid value for option cache-disabled: x"
        );
        assert!(said("json-file", &[("max-file", "0"), ("max-size", "1m")]).contains("max-file"));
        assert!(said("json-file", &[("max-size", "big")]).contains("max-size"));
    }

    #[test]
    fn the_copy_of_a_remote_log_has_bounds_of_its_own() {
        let mut record = super::super::record::tests::record("ab");
        let mut config = |options: &[(&str, &str)]| {
            record.host_config.log_config = wish("syslog", options);
            let config = monitor_config(&record, Path::new("/d")).unwrap();
            assert_eq!(config.driver, LogDriver::Local);
            (config.max_size, config.max_file)
        };
        assert_eq!(config(&[]), (Some(20 << 20), 5));
        assert_eq!(config(&[("cache-max-size", "1k"), ("cache-max-file", "2")]), (Some(1024), 2));
        assert_eq!(config(&[("cache-max-size", "-1")]), (None, 5));
    }

    #[test]
    fn a_tag_that_makes_no_sense_is_refused() {
        let mut record = super::super::record::tests::record("ab");
        record.host_config.log_config = wish("json-file", &[("tag", "{{.Foo}}")]);
        let error = tag(&record, Path::new("/d")).unwrap_err().to_string();
        assert!(error.starts_with("failed to initialize logging driver: template: "), "{error}");
        assert!(monitor_config(&record, Path::new("/d")).is_err());
    }

    /// GO-2026-5758: a label reached a driver that runs programs.
    #[test]
    fn go_2026_5758_an_image_label_never_chooses_a_driver() {
        let mut record = super::super::record::tests::record("ab");
        let labels = ["log-driver", "com.docker.log-driver", "io.containerd.log-uri", "tag"];
        let value = "binary:///bin/sh".to_owned();
        record.config.labels = Some(labels.map(|label| (label.to_owned(), value.clone())).into());
        record.host_config.log_config =
            wish("json-file", &[("labels", "tag"), ("tag", "{{.Name}}")]);
        let config = monitor_config(&record, Path::new("/d")).unwrap();
        assert_eq!(config.driver, LogDriver::JsonFile);
        assert_eq!(config.attrs, [("tag".into(), "name-ab".into())].into());
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
