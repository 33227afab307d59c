//! The command line: dockerd's flags as data, turned into the configuration file's keys.

use std::path::PathBuf;

use serde_json::Value;

use super::{Error, Object, values};

/// A command line that was understood.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub action: Action,
    pub config_file: ConfigFile,
    /// The options given, by the file's keys.
    pub flags: Object,
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

/// What a flag's value is and how repetitions add up.
#[derive(Clone, Copy)]
enum Takes {
    /// `--x` or `--x=false`.
    Switch,
    Text,
    Integer,
    Size,
    List,
    /// `key=value`, into an object.
    Pair,
    Ulimit,
    Runtime,
    AddressPool,
}

struct Flag {
    name: &'static str,
    short: Option<char>,
    /// The file's key.
    key: &'static str,
    takes: Takes,
}

const fn flag(name: &'static str, takes: Takes) -> Flag {
    Flag { name, short: None, key: name, takes }
}

/// A flag that is singular where the file's key is plural.
const fn many(name: &'static str, key: &'static str, takes: Takes) -> Flag {
    Flag { name, short: None, key, takes }
}

const fn short(short: char, flag: Flag) -> Flag {
    Flag { short: Some(short), ..flag }
}

const FLAGS: &[Flag] = &[
    many("add-runtime", "runtimes", Takes::Runtime),
    flag("bip", Takes::Text),
    flag("cgroup-parent", Takes::Text),
    flag("data-root", Takes::Text),
    short('D', flag("debug", Takes::Switch)),
    many("default-address-pool", "default-address-pools", Takes::AddressPool),
    flag("default-cgroupns-mode", Takes::Text),
    flag("default-ipc-mode", Takes::Text),
    flag("default-runtime", Takes::Text),
    flag("default-shm-size", Takes::Size),
    many("default-ulimit", "default-ulimits", Takes::Ulimit),
    flag("dns", Takes::List),
    many("dns-opt", "dns-opts", Takes::List),
    flag("dns-search", Takes::List),
    many("exec-opt", "exec-opts", Takes::List),
    flag("exec-root", Takes::Text),
    short('G', flag("group", Takes::Text)),
    short('H', many("host", "hosts", Takes::List)),
    flag("icc", Takes::Switch),
    flag("init", Takes::Switch),
    flag("ip-forward", Takes::Switch),
    flag("ip-masq", Takes::Switch),
    many("label", "labels", Takes::List),
    flag("live-restore", Takes::Switch),
    flag("log-driver", Takes::Text),
    short('l', flag("log-level", Takes::Text)),
    many("log-opt", "log-opts", Takes::Pair),
    flag("mtu", Takes::Integer),
    flag("no-new-privileges", Takes::Switch),
    short('p', flag("pidfile", Takes::Text)),
    flag("seccomp-profile", Takes::Text),
    flag("shutdown-timeout", Takes::Integer),
    short('s', flag("storage-driver", Takes::Text)),
    flag("tls", Takes::Switch),
    flag("tlscacert", Takes::Text),
    flag("tlscert", Takes::Text),
    flag("tlskey", Takes::Text),
    flag("tlsverify", Takes::Switch),
];

pub const HELP: &str = "\
Usage:  gantryd [OPTIONS]

The engine of a self-sufficient container platform.

Options:
      --add-runtime NAME=PATH           Register an additional OCI compatible runtime
      --bip CIDR                        Address and subnet of the default bridge
      --cgroup-parent PATH              Parent cgroup of all containers
      --config-file PATH                Configuration file (default \"/etc/gantry/daemon.json\")
      --data-root PATH                  Persistent state (default \"/var/lib/gantry\")
  -D, --debug                           Log debug messages
      --default-address-pool POOL       Where networks take subnets from (base=CIDR,size=N)
      --default-cgroupns-mode MODE      Cgroup namespace of containers (\"host\" | \"private\")
      --default-ipc-mode MODE           IPC namespace of containers (\"shareable\" | \"private\")
      --default-runtime NAME            OCI runtime of containers (default \"gantry-runtime\")
      --default-shm-size SIZE           Size of /dev/shm in containers (default 64MiB)
      --default-ulimit NAME=SOFT:HARD   Ulimit of containers
      --dns IP                          DNS server of containers
      --dns-opt OPTION                  DNS option of containers
      --dns-search DOMAIN               DNS search domain of containers
      --exec-opt KEY=VALUE              Runtime execution option (native.cgroupdriver)
      --exec-root PATH                  State that ends with a boot (default \"/run/gantry\")
  -G, --group NAME                      Group of the unix socket (default \"gantry\", if there is one)
      --help                            Print usage
  -H, --host URL                        Socket to serve: unix://PATH, tcp://IP:PORT, fd://
      --icc                             Containers on the default bridge reach one another (default true)
      --init                            Run an init in containers that forwards signals and reaps processes
      --ip-forward                      Turn on forwarding in the kernel (default true)
      --ip-masq                         Containers use the host's address towards others (default true)
      --label KEY=VALUE                 Label of the engine
      --live-restore                    Accepted; containers always outlive the engine
      --log-driver NAME                 Log driver of containers (default \"json-file\")
  -l, --log-level LEVEL                 \"debug\" | \"info\" | \"warn\" | \"error\" | \"fatal\" (default \"info\")
      --log-opt KEY=VALUE               Log driver option of containers
      --mtu N                           MTU of the default bridge (default 1500)
      --no-new-privileges               Set no-new-privileges in containers
  -p, --pidfile PATH                    Process id file (default \"<exec-root>/gantry.pid\")
      --ready-fd N                      Write a line to this file descriptor once the engine answers
      --seccomp-profile PATH            Seccomp profile of containers, or \"unconfined\" (default \"builtin\")
      --shutdown-timeout SECONDS        How long to wait for requests when stopping (default 15)
  -s, --storage-driver NAME             Only \"overlay2\"
      --tls                             Use TLS; implied by --tlsverify
      --tlscacert PATH                  Clients' certificates must be signed by this
      --tlscert PATH                    The engine's certificate
      --tlskey PATH                     The engine's key
      --tlsverify                       Use TLS and verify clients
      --validate                        Check the configuration and exit
  -v, --version                         Print the version and exit
";

pub fn is_key(key: &str) -> bool {
    FLAGS.iter().any(|flag| flag.key == key)
}

pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Invocation, Error> {
    let mut invocation = Invocation {
        action: Action::Serve,
        config_file: ConfigFile { path: "/etc/gantry/daemon.json".into(), asked_for: false },
        flags: Object::new(),
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
                let flag = FLAGS
                    .iter()
                    .find(|flag| flag.name == name)
                    .ok_or_else(|| Error::Usage(format!("unknown flag: {}", shown(&argument))))?;
                let text = match flag.takes {
                    Takes::Switch => inline.take().unwrap_or_else(|| "true".into()),
                    _ => value()?,
                };
                store(&mut invocation.flags, flag, &text)?;
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
            FLAGS.iter().find(|flag| flag.short == Some(letter)).map(|flag| flag.name).ok_or_else(
                || Error::Usage(format!("unknown shorthand flag: '{letter}' in {argument}")),
            )?
        }
    };
    Ok((name.to_owned(), value))
}

fn store(flags: &mut Object, flag: &Flag, text: &str) -> Result<(), Error> {
    let bad = |why: String| bad_value(text, &format!("--{}", flag.name), &why);
    match flag.takes {
        Takes::Switch => {
            let on = boolean(text).ok_or_else(|| bad("invalid boolean".into()))?;
            flags.insert(flag.key.into(), Value::Bool(on));
        }
        Takes::Text => {
            flags.insert(flag.key.into(), text.into());
        }
        Takes::Integer => {
            let number: i64 = text.parse().map_err(|_| bad("invalid number".into()))?;
            flags.insert(flag.key.into(), number.into());
        }
        Takes::Size => {
            let bytes =
                values::parse_size(text).ok_or_else(|| bad(format!("invalid size: '{text}'")))?;
            flags.insert(flag.key.into(), bytes.into());
        }
        Takes::List => append(flags, flag.key, text.into()),
        Takes::AddressPool => append(flags, flag.key, values::address_pool(text).map_err(bad)?),
        Takes::Pair => {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            enter(flags, flag.key, (key.to_owned(), value.into()));
        }
        Takes::Ulimit => enter(flags, flag.key, values::ulimit(text).map_err(bad)?),
        Takes::Runtime => enter(flags, flag.key, values::runtime(text).map_err(bad)?),
    }
    Ok(())
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
        parse(arguments.iter().map(|s| (*s).to_owned()))
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
        assert!(
            flags(&["--shutdown-timeout=x"])
                .unwrap_err()
                .starts_with("invalid argument \"x\" for \"--shutdown-timeout\" flag: ")
        );
        assert!(flags(&["--ready-fd", "1"]).is_err());
    }

    #[test]
    fn every_flag_is_in_the_help() {
        for flag in FLAGS {
            assert!(
                HELP.contains(&format!("--{} ", flag.name)),
                "{} is not in the help",
                flag.name
            );
        }
    }
}
