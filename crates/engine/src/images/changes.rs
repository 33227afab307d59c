//! `--change` of commit and import: single instructions of a Dockerfile, applied to an image's configuration.

use std::collections::BTreeMap;

use api::containers::{Config, HealthConfig};
use api::{Empty, StrSlice};

use crate::error::{Error, Result};

const MAX_CHANGES: usize = 1024;

/// Applies each change in turn; the first wrong one is the error.
pub fn apply(config: &mut Config, changes: &[String]) -> Result<()> {
    if changes.len() > MAX_CHANGES {
        return Err(Error::invalid("too many changes"));
    }
    changes.iter().map(|change| change.trim()).filter(|change| !change.is_empty()).try_for_each(
        |change| {
            let (word, rest) = change.split_once(char::is_whitespace).unwrap_or((change, ""));
            instruction(config, &word.to_ascii_uppercase(), rest.trim())
        },
    )
}

fn instruction(config: &mut Config, word: &str, rest: &str) -> Result<()> {
    let needs_argument = || Error::invalid(format!("{word} requires at least one argument"));
    if !is_known(word) {
        return Err(Error::invalid(format!("{word} is not a valid change command")));
    }
    if rest.is_empty() {
        return Err(needs_argument());
    }
    match word {
        "CMD" => config.cmd = Some(command(rest)),
        "ENTRYPOINT" => config.entrypoint = Some(command(rest)),
        "ENV" => {
            for (key, value) in pairs(word, rest)? {
                set_variable(config.env.get_or_insert_default(), &key, &value);
            }
        }
        "LABEL" => config.labels.get_or_insert_default().extend(pairs(word, rest)?),
        "EXPOSE" => {
            for port in words(rest) {
                config.exposed_ports.get_or_insert_default().insert(port_key(&port)?, Empty {});
            }
        }
        "VOLUME" => {
            let volumes = json_words(rest).unwrap_or_else(|| words(rest));
            let volumes = volumes.into_iter().map(|volume| (volume, Empty {}));
            config.volumes.get_or_insert_default().extend(volumes);
        }
        "USER" => config.user = rest.to_owned(),
        "STOPSIGNAL" => config.stop_signal = rest.to_owned(),
        "WORKDIR" => config.working_dir = joined(&config.working_dir, rest),
        "ONBUILD" => config.on_build.get_or_insert_default().push(rest.to_owned()),
        _ => config.healthcheck = Some(healthcheck(rest)?),
    }
    Ok(())
}

fn is_known(word: &str) -> bool {
    const KNOWN: [&str; 11] = [
        "CMD",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "LABEL",
        "ONBUILD",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ];
    KNOWN.contains(&word)
}

/// The exec form is a JSON list; anything else is for a shell.
fn command(text: &str) -> StrSlice {
    let shell = || vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()];
    json_words(text).unwrap_or_else(shell).into()
}

fn json_words(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// `key=value ...`, or `key the rest` as one pair.
fn pairs(word: &str, rest: &str) -> Result<BTreeMap<String, String>> {
    let words = words(rest);
    if words.first().is_some_and(|first| !first.contains('=')) {
        let (key, value) = rest
            .split_once(char::is_whitespace)
            .ok_or_else(|| Error::invalid(format!("{word} must have two arguments")))?;
        return Ok(BTreeMap::from([(key.to_owned(), value.trim().to_owned())]));
    }
    let pair = |word: String| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Error::invalid(format!(
            "Syntax error - can't find = in {word:?}. Must be of the form: name=value"
        ))),
    };
    words.into_iter().map(pair).collect()
}

fn set_variable(env: &mut Vec<String>, key: &str, value: &str) {
    let variable = format!("{key}={value}");
    let same = |old: &&mut String| old.split('=').next() == Some(key);
    match env.iter_mut().find(same) {
        Some(old) => *old = variable,
        None => env.push(variable),
    }
}

fn port_key(port: &str) -> Result<String> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let valid = number.parse::<u16>().is_ok() && matches!(protocol, "tcp" | "udp" | "sctp");
    if valid {
        return Ok(format!("{number}/{protocol}"));
    }
    Err(Error::invalid(format!("invalid containerPort: {port}")))
}

fn joined(old: &str, new: &str) -> String {
    if new.starts_with('/') {
        return new.to_owned();
    }
    format!("{}/{new}", if old == "/" { "" } else { old })
}

/// `NONE`, or options and `CMD` with a command.
fn healthcheck(rest: &str) -> Result<HealthConfig> {
    if rest.eq_ignore_ascii_case("none") {
        return Ok(HealthConfig { test: vec!["NONE".to_owned()], ..HealthConfig::default() });
    }
    let mut check = HealthConfig::default();
    let mut rest = rest;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        healthcheck_option(&mut check, option)?;
        rest = after.trim_start();
    }
    let command = match rest.split_once(char::is_whitespace) {
        Some((word, command)) if word.eq_ignore_ascii_case("cmd") => command.trim(),
        _ => return Err(Error::invalid("Unknown type in HEALTHCHECK (try CMD or NONE)")),
    };
    check.test = match json_words(command) {
        Some(words) => std::iter::once("CMD".to_owned()).chain(words).collect(),
        None => vec!["CMD-SHELL".to_owned(), command.to_owned()],
    };
    Ok(check)
}

fn healthcheck_option(check: &mut HealthConfig, option: &str) -> Result<()> {
    let invalid = || Error::invalid(format!("invalid HEALTHCHECK option --{option}"));
    let (name, value) = option.split_once('=').ok_or_else(invalid)?;
    let field = match name {
        "interval" => &mut check.interval,
        "timeout" => &mut check.timeout,
        "start-period" => &mut check.start_period,
        "start-interval" => &mut check.start_interval,
        "retries" => {
            check.retries = value.parse().map_err(|_| invalid())?;
            return Ok(());
        }
        _ => return Err(invalid()),
    };
    *field = nanoseconds(value).ok_or_else(invalid)?;
    Ok(())
}

/// Go's durations, as far as health checks need them: `1m30s`, `500ms`.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |length| digits + length);
        let unit = match &rest[digits..unit_end] {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

/// Splits at white space outside quotes, and takes quotes and backslashes away.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (end, Some(open)) if end == open => quote = None,
            (space, None) if space.is_whitespace() => words.extend(word.take()),
            (other, _) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(changes: &[&str]) -> Result<Config, String> {
        let mut config = Config::default();
        let changes: Vec<_> = changes.iter().map(|change| (*change).to_owned()).collect();
        apply(&mut config, &changes).map(|()| config).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_have_two_forms() {
        let config = applied(&["CMD echo hi", r#"entrypoint ["a", "b"]"#]).unwrap();
        assert_eq!(config.cmd.unwrap().0, ["/bin/sh", "-c", "echo hi"]);
        assert_eq!(config.entrypoint.unwrap().0, ["a", "b"]);
    }

    #[test]
    fn variables_and_labels() {
        let config = applied(&["ENV A=1 B='x y' C=\"p\\\"q\"", "ENV A 2 3", "LABEL k=v"]).unwrap();
        assert_eq!(config.env.unwrap(), ["A=2 3", "B=x y", "C=p\"q"]);
        assert_eq!(config.labels.unwrap()["k"], "v");
    }

    #[test]
    fn ports_volumes_and_folders() {
        let config =
            applied(&["EXPOSE 80 53/udp", "VOLUME /a /b", "WORKDIR /x", "WORKDIR y", "USER u:g"])
                .unwrap();
        let keys = |map: &BTreeMap<String, Empty>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&config.exposed_ports.unwrap()), ["53/udp", "80/tcp"]);
        assert_eq!(keys(&config.volumes.unwrap()), ["/a", "/b"]);
        assert_eq!((config.working_dir.as_str(), config.user.as_str()), ("/x/y", "u:g"));
    }

    #[test]
    fn health_checks() {
        let config = applied(&["HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f x"]).unwrap();
        let check = config.healthcheck.unwrap();
        assert_eq!(check.test, ["CMD-SHELL", "curl -f x"]);
        assert_eq!((check.interval, check.retries), (90_000_000_000, 2));
        assert_eq!(applied(&["HEALTHCHECK NONE"]).unwrap().healthcheck.unwrap().test, ["NONE"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(applied(&["FOO x"]).unwrap_err(), "FOO is not a valid change command");
        assert_eq!(applied(&["RUN x"]).unwrap_err(), "RUN is not a valid change command");
        assert_eq!(applied(&["USER"]).unwrap_err(), "USER requires at least one argument");
        assert_eq!(applied(&["EXPOSE 99999"]).unwrap_err(), "invalid containerPort: 99999");
        assert_eq!(applied(&["ENV A"]).unwrap_err(), "ENV must have two arguments");
        assert!(applied(&["HEALTHCHECK --nope=1 CMD x"]).is_err());
    }
}
