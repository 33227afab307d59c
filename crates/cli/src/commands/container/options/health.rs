//! `--health-*` and `--no-healthcheck`.

use api::containers::HealthConfig;

use crate::flags::{self, Parsed};

const FLAGS: [&str; 6] = [
    "health-cmd",
    "health-interval",
    "health-timeout",
    "health-retries",
    "health-start-period",
    "health-start-interval",
];

/// What was said of health checks; nothing leaves them to the image.
pub(super) fn check(parsed: &Parsed) -> Result<Option<HealthConfig>, String> {
    let any = FLAGS.iter().any(|flag| is_given(parsed, flag));
    if parsed.bool("no-healthcheck") {
        if any {
            return Err("--no-healthcheck conflicts with --health-* options".to_owned());
        }
        return Ok(Some(HealthConfig { test: vec!["NONE".to_owned()], ..HealthConfig::default() }));
    }
    if !any {
        return Ok(None);
    }
    let test = match parsed.str("health-cmd") {
        "" => Vec::new(),
        command => vec!["CMD-SHELL".to_owned(), command.to_owned()],
    };
    Ok(Some(HealthConfig {
        test,
        interval: duration(parsed, "health-interval")?,
        timeout: duration(parsed, "health-timeout")?,
        retries: positive("health-retries", parsed.int("health-retries"))?,
        start_period: duration(parsed, "health-start-period")?,
        start_interval: duration(parsed, "health-start-interval")?,
    }))
}

/// Zero is as good as nothing.
fn is_given(parsed: &Parsed, flag: &str) -> bool {
    let value = parsed.str(flag);
    parsed.is_set(flag) && !value.is_empty() && flags::duration_ns(value) != Ok(0)
}

fn duration(parsed: &Parsed, flag: &str) -> Result<i64, String> {
    positive(flag, flags::duration_ns(parsed.str(flag)).unwrap_or(0))
}

fn positive(flag: &str, value: i64) -> Result<i64, String> {
    if value < 0 { Err(format!("--{flag} cannot be negative")) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::super::FLAGS;
    use super::*;
    use crate::flags::Interspersed;

    fn of(line: &str) -> Result<Option<HealthConfig>, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        check(&flags::parse(&[FLAGS], &words, Interspersed::No).unwrap())
    }

    #[test]
    fn flags_become_a_check() {
        assert_eq!(of(""), Ok(None));
        assert_eq!(of("--health-interval 0s --health-retries 0"), Ok(None));
        let check = of("--health-cmd x --health-interval 1s --health-retries 2").unwrap().unwrap();
        assert_eq!(check.test, ["CMD-SHELL", "x"]);
        assert_eq!((check.interval, check.retries, check.timeout), (1_000_000_000, 2, 0));
        assert_eq!(of("--no-healthcheck").unwrap().unwrap().test, ["NONE"]);
        let of_the_image = of("--health-timeout 1m").unwrap().unwrap();
        assert!(of_the_image.test.is_empty());
    }

    #[test]
    fn contradictions_are_refused() {
        let both = of("--no-healthcheck --health-cmd x").unwrap_err();
        assert_eq!(both, "--no-healthcheck conflicts with --health-* options");
        for flag in ["health-interval", "health-start-period", "health-timeout"] {
            let said = of(&format!("--{flag} -1s")).unwrap_err();
            assert_eq!(said, format!("--{flag} cannot be negative"));
        }
        assert_eq!(of("--health-retries -1").unwrap_err(), "--health-retries cannot be negative");
    }
}
