//! The command line: dockerd's flags as data, turned into the configuration file's keys.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;

use super::options::{OPTIONS, Opt, Takes};
use super::{Error, Object, Places, values};

/// A command line that was understood.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub action: Action,
    pub config_file: ConfigFile,
    /// The options given, by the file's keys.
    pub flags: Object,
    /// What holds where neither says anything.
    pub places: Places,
    /// `--ready-fd`: written to and closed once the engine answers.
    pub ready_fd: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Serve,
    Validate,
    Help,
    Version,
}

#[derive(Clone, Debug)]
pub struct ConfigFile {
    pub path: PathBuf,
    /// False for the default path, where no file is no error.
    pub asked_for: bool,
}

pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    places: Places,
) -> Result<Invocation, Error> {
    let mut invocation = Invocation {
        action: Action::Serve,
        config_file: ConfigFile { path: places.config_file.clone(), asked_for: false },
        flags: Object::new(),
        places,
        ready_fd: None,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, mut inline) = split(&argument)?;
        let mut value = || {
            inline.take().or_else(|| arguments.next()).ok_or_else(|| {
                Error::Usage(format!("flag needs an argument: {}", shown(&argument)))
            })
        };
        match name.as_str() {
            "help" => invocation.action = Action::Help,
            "version" => invocation.action = Action::Version,
            "validate" => invocation.action = Action::Validate,
            "config-file" => {
                invocation.config_file = ConfigFile { path: value()?.into(), asked_for: true };
            }
            "ready-fd" => {
                let text = value()?;
                let fd = text.parse().ok().filter(|fd| *fd > 2);
                let fd = fd.ok_or_else(|| bad_value(&text, "--ready-fd", "not a descriptor"))?;
                invocation.ready_fd = Some(fd);
            }
            name => {
                let option = OPTIONS
                    .iter()
                    .find(|option| option.flag == name && !name.is_empty())
                    .ok_or_else(|| Error::Usage(format!("unknown flag: {}", shown(&argument))))?;
                let text = match option.takes {
                    Takes::Switch => inline.take().unwrap_or_else(|| "true".into()),
                    _ => value()?,
                };
                store(&mut invocation.flags, option, &text)?;
            }
        }
    }
    Ok(invocation)
}

/// `--name`, `--name=value`, `-x`, `-x=value` and `-xvalue`: the flag's long name and the value it carries.
fn split(argument: &str) -> Result<(String, Option<String>), Error> {
    if let Some(long) = argument.strip_prefix("--").filter(|long| !long.is_empty()) {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        return Ok((name.to_owned(), value));
    }
    let mut letters = argument.strip_prefix('-').unwrap_or("").chars();
    let Some(letter) = letters.next() else {
        return Err(Error::Usage("\"gantryd\" accepts no argument(s).".into()));
    };
    let rest = letters.as_str();
    let value = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest).to_owned());
    let name = match letter {
        'v' => "version",
        'h' => "help",
        _ => {
            let option = OPTIONS.iter().find(|option| option.short == Some(letter));
            option.map(|option| option.flag).ok_or_else(|| {
                Error::Usage(format!("unknown shorthand flag: '{letter}' in {argument}"))
            })?
        }
    };
    Ok((name.to_owned(), value))
}

fn store(flags: &mut Object, option: &Opt, text: &str) -> Result<(), Error> {
    let key = option.key;
    let bad = |why: String| bad_value(text, &option.shown(), &why);
    match option.takes {
        Takes::Switch => {
            let on = boolean(text).ok_or_else(|| bad(go_number_error("ParseBool", text)))?;
            flags.insert(key.into(), Value::Bool(on));
        }
        Takes::Text | Takes::Json => {
            flags.insert(key.into(), text.into());
        }
        Takes::Integer => {
            let number: i64 = text.parse().map_err(|_| bad(go_number_error("ParseInt", text)))?;
            flags.insert(key.into(), number.into());
        }
        Takes::Size => {
            values::parse_size(text).ok_or_else(|| bad(format!("invalid size: '{text}'")))?;
            flags.insert(key.into(), text.into());
        }
        Takes::Ip => {
            text.parse::<IpAddr>().map_err(|_| bad(format!("failed to parse IP: {text:?}")))?;
            flags.insert(key.into(), text.into());
        }
        Takes::Ips => {
            for ip in text.split(',').map(str::trim) {
                ip.parse::<IpAddr>().map_err(|_| {
                    bad(format!("invalid string being converted to IP address: {ip}"))
                })?;
                append(flags, key, ip.into());
            }
        }
        Takes::List => append(flags, key, text.into()),
        Takes::Hosts => append(flags, key, values::host(text).map_err(bad)?.into()),
        Takes::Labels => append(flags, key, values::label(text).map_err(bad)?.into()),
        Takes::Mirrors => append(flags, key, values::mirror(text).map_err(bad)?.into()),
        Takes::AddressPools => append(flags, key, values::address_pool(text).map_err(bad)?),
        Takes::Pairs => {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            enter(flags, key, (name.to_owned(), value.into()));
        }
        Takes::NetworkOptions => {
            let parts = text.split_once('=').and_then(|(driver, rest)| {
                rest.split_once('=').map(|(name, value)| (driver, name, value))
            });
            let (driver, name, value) = parts.ok_or_else(|| {
                bad(format!("invalid value {text:?} for map option, should be root-key=key=value"))
            })?;
            let entry = (name.to_owned(), Value::from(value));
            let of_driver = flags.entry(key).or_insert_with(|| Value::Object(Object::new()));
            if let Value::Object(drivers) = of_driver {
                enter(drivers, driver, entry);
            }
        }
        Takes::Ulimits => enter(flags, key, values::ulimit(text).map_err(bad)?),
        Takes::Runtimes => enter(flags, key, values::runtime(text).map_err(bad)?),
    }
    Ok(())
}

fn go_number_error(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: invalid syntax")
}

fn append(flags: &mut Object, key: &str, value: Value) {
    match flags.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(items) => items.push(value),
        _ => unreachable!("a list flag only ever stores lists"),
    }
}

fn enter(flags: &mut Object, key: &str, (name, value): (String, Value)) {
    match flags.entry(key).or_insert_with(|| Value::Object(Object::new())) {
        Value::Object(entries) => entries.insert(name, value),
        _ => unreachable!("a map flag only ever stores maps"),
    };
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn bad_value(text: &str, flag: &str, why: &str) -> Error {
    Error::Usage(format!("invalid argument {text:?} for \"{flag}\" flag: {why}"))
}

/// An argument without the value that it may carry, which could be a secret.
fn shown(argument: &str) -> &str {
    argument.split('=').next().unwrap_or(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &[&str]) -> Result<String, String> {
        parse(arguments.iter().map(|s| (*s).to_owned()), Places::default())
            .map(|invocation| Value::Object(invocation.flags).to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_way_to_write_a_value() {
        let expected = r#"{"hosts":["unix:///a","unix:///b","unix:///c"]}"#;
        assert_eq!(
            flags(&["-H", "unix:///a", "-Hunix:///b", "--host=unix:///c"]).unwrap(),
            expected
        );
        assert_eq!(flags(&["-D", "--icc=false"]).unwrap(), r#"{"debug":true,"icc":false}"#);
    }

    #[test]
    fn errors_name_the_flag() {
        assert!(flags(&["--label"]).unwrap_err().starts_with("flag needs an argument: --label\n"));
        assert!(flags(&["-x"]).unwrap_err().starts_with("unknown shorthand flag: 'x' in -x\n"));
        assert!(flags(&["--ready-fd", "1"]).is_err());
    }

    /// Each line is what dockerd 26 says.
    #[test]
    fn values_are_checked_where_they_are_given() {
        let table = [
            ("--label=a", r#""a" for "--label" flag: bad attribute format: a"#),
            ("--mtu=x", r#""x" for "--mtu" flag: strconv.ParseInt: parsing "x": invalid syntax"#),
            (
                "--debug=x",
                r#""x" for "-D, --debug" flag: strconv.ParseBool: parsing "x": invalid syntax"#,
            ),
            ("--dns=x", r#""x" for "--dns" flag: invalid string being converted to IP address: x"#),
            (
                "--default-ulimit=x",
                r#""x" for "--default-ulimit" flag: invalid ulimit argument: x"#,
            ),
            (
                "--default-ulimit=nofile=2:1",
                r#""nofile=2:1" for "--default-ulimit" flag: ulimit soft limit must be less than or equal to hard limit: 2 > 1"#,
            ),
            ("--add-runtime=x", r#""x" for "--add-runtime" flag: invalid runtime argument: x"#),
            (
                "--default-address-pool=x",
                r#""x" for "--default-address-pool" flag: invalid field 'x' must be a key=value pair"#,
            ),
            ("--default-shm-size=x", r#""x" for "--default-shm-size" flag: invalid size: 'x'"#),
            ("--host-gateway-ip=x", r#""x" for "--host-gateway-ip" flag: failed to parse IP: "x""#),
            (
                "-Hfoo://",
                r#""foo://" for "-H, --host" flag: invalid bind address (foo://): unsupported proto 'foo'"#,
            ),
            (
                "--registry-mirror=x",
                r#""x" for "--registry-mirror" flag: invalid mirror: unsupported scheme "" in "x""#,
            ),
        ];
        for (argument, expected) in table {
            let error = flags(&[argument]).unwrap_err();
            assert_eq!(error, format!("invalid argument {expected}\nSee 'gantryd --help'."));
        }
    }
}
