//! `HEALTHCHECK`.

use api::containers::HealthConfig;

use super::json_words;
use crate::error::{Error, Result};
use crate::until;

/// Docker's shortest interval or timeout.
const MINIMUM: i64 = 1_000_000;

/// `NONE`, or options and `CMD` with a command.
pub(super) fn healthcheck(text: &str) -> Result<HealthConfig> {
    let mut check = HealthConfig::default();
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        set(&mut check, option)?;
        rest = after.trim_start();
    }
    let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let rest = rest.trim();
    match (kind.to_ascii_uppercase().as_str(), rest) {
        ("", _) => return Err(Error::invalid("HEALTHCHECK requires at least one argument")),
        ("NONE", "") => check.test = vec!["NONE".to_owned()],
        ("NONE", _) => return Err(Error::invalid("HEALTHCHECK NONE takes no arguments")),
        ("CMD", "") => return Err(Error::invalid("Missing command after HEALTHCHECK CMD")),
        ("CMD", _) => {
            check.test = match json_words(rest)? {
                Some(words) => std::iter::once("CMD".to_owned()).chain(words).collect(),
                None => vec!["CMD-SHELL".to_owned(), rest.to_owned()],
            };
        }
        (other, _) => {
            return Err(Error::invalid(format!("Unknown type {other:?} in HEALTHCHECK (try CMD)")));
        }
    }
    Ok(check)
}

fn set(check: &mut HealthConfig, option: &str) -> Result<()> {
    let (name, value) = option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v)));
    let field = match name {
        "interval" => &mut check.interval,
        "timeout" => &mut check.timeout,
        "start-period" => &mut check.start_period,
        "start-interval" => &mut check.start_interval,
        "retries" => {
            check.retries = retries(value.ok_or_else(|| missing(name))?)?;
            return Ok(());
        }
        _ => return Err(Error::invalid(format!("unknown flag: {name}"))),
    };
    let value = value.ok_or_else(|| missing(name))?;
    let duration = until::duration(value)
        .ok_or_else(|| Error::invalid(format!("time: invalid duration {value:?}")))?;
    if duration != 0 && duration < MINIMUM {
        return Err(Error::invalid(format!("Interval {name:?} cannot be less than 1ms")));
    }
    *field = duration;
    Ok(())
}

fn retries(text: &str) -> Result<i64> {
    let invalid = |_| Error::invalid(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
    match text.parse::<i32>().map_err(invalid)? {
        negative @ ..0 => Err(Error::invalid(format!("--retries cannot be negative ({negative})"))),
        number => Ok(number.into()),
    }
}

fn missing(name: &str) -> Error {
    Error::invalid(format!("missing a value on flag: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_options_and_none() {
        let check = healthcheck("--interval=1m30s --retries=2 CMD curl -f x").unwrap();
        assert_eq!(check.test, ["CMD-SHELL", "curl -f x"]);
        assert_eq!((check.interval, check.retries), (90_000_000_000, 2));
        assert_eq!(healthcheck(r#"cmd ["a","b"]"#).unwrap().test, ["CMD", "a", "b"]);
        assert_eq!(healthcheck("NONE").unwrap().test, ["NONE"]);
    }

    #[test]
    fn what_is_wrong_is_said_in_dockers_words() {
        for (text, said) in [
            ("", "HEALTHCHECK requires at least one argument"),
            ("NONE x", "HEALTHCHECK NONE takes no arguments"),
            ("foo", "Unknown type \"FOO\" in HEALTHCHECK (try CMD)"),
            ("--foo=1 CMD x", "unknown flag: foo"),
            ("--interval=1us CMD x", "Interval \"interval\" cannot be less than 1ms"),
            ("--retries=-1 CMD x", "--retries cannot be negative (-1)"),
            ("CMD", "Missing command after HEALTHCHECK CMD"),
        ] {
            assert_eq!(healthcheck(text).unwrap_err().to_string(), said);
        }
    }
}
