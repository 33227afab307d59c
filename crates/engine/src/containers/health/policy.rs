//! When a container's health is checked, and what a check's result makes of it. Pure: time is an input.

use std::time::Duration;

use api::containers::{Config, HealthConfig, HealthResult};

use super::{Health, Status};

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;
/// What requests may ask for at least. Images are not checked, and get it.
const SHORTEST: Duration = Duration::from_millis(1);
/// Results that are kept.
const LOG: usize = 5;
/// What Docker runs `CMD-SHELL` with, unless the image has a SHELL.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// With Docker's defaults for what was left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    interval: Duration,
    pub timeout: Duration,
    start_period: Duration,
    start_interval: Duration,
    retries: u32,
}

/// What a result meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Where it is another than before.
    pub status: Option<Status>,
    /// So many failures in a row as were to be borne: told once for each such row.
    pub failed: bool,
}

impl Policy {
    pub fn of(config: &HealthConfig) -> Self {
        let or = |nanoseconds: i64, default| match u64::try_from(nanoseconds) {
            Ok(given @ 1..) => Duration::from_nanos(given).max(SHORTEST),
            _ => default,
        };
        let retries = u32::try_from(config.retries).ok().filter(|retries| *retries > 0);
        Self {
            interval: or(config.interval, INTERVAL),
            timeout: or(config.timeout, TIMEOUT),
            start_period: or(config.start_period, Duration::ZERO),
            start_interval: or(config.start_interval, START_INTERVAL),
            retries: retries.unwrap_or(RETRIES),
        }
    }

    /// From now to the next check.
    pub fn wait(&self, status: Status, running_for: Duration) -> Duration {
        let starts = status == Status::Starting && running_for < self.start_period;
        if starts { self.start_interval } else { self.interval }
    }

    /// Takes a result in. `running_for` is when the check began: while a container starts, failures do not count.
    pub fn learn(
        &self,
        health: &mut Health,
        result: HealthResult,
        running_for: Duration,
    ) -> Learned {
        let (before, success) = (health.status, result.exit_code == 0);
        health.log.push(result);
        health.log.drain(..health.log.len().saturating_sub(LOG));
        let excused = before == Status::Starting && running_for < self.start_period;
        if success {
            health.failing_streak = 0;
            health.status = Status::Healthy;
        } else if !excused {
            health.failing_streak = health.failing_streak.saturating_add(1);
            if health.failing_streak >= self.retries {
                health.status = Status::Unhealthy;
            }
        }
        Learned {
            status: (health.status != before).then_some(health.status),
            failed: !success && !excused && health.failing_streak == self.retries,
        }
    }
}

/// The check's program and arguments; `None` where there is none, `NONE` or a kind that nobody knows.
pub fn command(config: &Config) -> Option<Vec<String>> {
    let (kind, words) = config.healthcheck.as_ref()?.test.split_first()?;
    match kind.as_str() {
        "CMD" => Some(words.to_vec()).filter(|words| !words.is_empty()),
        "CMD-SHELL" => Some([shell(config), words.to_vec()].concat()),
        _ => None,
    }
}

/// What runs a line in the container.
pub fn shell(config: &Config) -> Vec<String> {
    match &config.shell {
        Some(shell) if !shell.is_empty() => shell.to_vec(),
        _ => SHELL.map(str::to_owned).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(start_period: u64, retries: i64) -> Policy {
        let seconds = |seconds: u64| i64::try_from(seconds * 1_000_000_000).unwrap();
        Policy::of(&HealthConfig {
            interval: seconds(10),
            start_period: seconds(start_period),
            start_interval: seconds(1),
            retries,
            ..HealthConfig::default()
        })
    }

    fn result(exit_code: i64) -> HealthResult {
        HealthResult { exit_code, ..HealthResult::default() }
    }

    /// Results as they come, at so many seconds after the start; what was told and what the status is then.
    fn learned(policy: Policy, results: &[(u64, i64)]) -> Vec<(Learned, Status)> {
        let mut health = Health::default();
        let mut learn = |(at, code): &(u64, i64)| {
            let learned =
                policy.learn(&mut health, result(*code), SECOND * u32::try_from(*at).unwrap());
            (learned, health.status)
        };
        results.iter().map(&mut learn).collect()
    }

    const NOTHING: Learned = Learned { status: None, failed: false };

    fn turns(status: Status) -> Learned {
        Learned { status: Some(status), failed: status == Status::Unhealthy }
    }

    #[test]
    fn what_is_left_open_is_as_in_docker() {
        let policy = Policy::of(&HealthConfig::default());
        assert_eq!(policy.wait(Status::Starting, Duration::ZERO), 30 * SECOND);
        assert_eq!((policy.timeout, policy.retries), (30 * SECOND, 3));
        assert_eq!(policy.start_period, Duration::ZERO);
        let negative = HealthConfig { interval: -1, retries: -1, ..HealthConfig::default() };
        assert_eq!(Policy::of(&negative), policy);
        let of_an_image = HealthConfig { interval: 1, ..HealthConfig::default() };
        assert_eq!(Policy::of(&of_an_image).interval, Duration::from_millis(1));
    }

    #[test]
    fn while_it_starts_it_is_looked_at_more_often() {
        let policy = policy(60, 3);
        assert_eq!(policy.wait(Status::Starting, 59 * SECOND), SECOND);
        assert_eq!(policy.wait(Status::Starting, 60 * SECOND), 10 * SECOND);
        assert_eq!(policy.wait(Status::Healthy, SECOND), 10 * SECOND);
    }

    #[test]
    fn one_success_makes_healthy_and_so_many_failures_in_a_row_unhealthy() {
        use Status::{Healthy, Starting, Unhealthy};
        let seen = learned(
            policy(0, 2),
            &[(1, 1), (2, 0), (3, 1), (4, 0), (5, 1), (6, 2), (7, 1), (8, 0)],
        );
        let expected = [
            (NOTHING, Starting),
            (turns(Healthy), Healthy),
            (NOTHING, Healthy),
            (NOTHING, Healthy),
            (NOTHING, Healthy),
            (turns(Unhealthy), Unhealthy),
            (NOTHING, Unhealthy),
            (turns(Healthy), Healthy),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn failures_while_it_starts_do_not_count_before_it_was_healthy_once() {
        use Status::{Healthy, Starting, Unhealthy};
        let seen = learned(policy(5, 1), &[(1, 1), (4, 1), (5, 1)]);
        assert_eq!(seen, [(NOTHING, Starting), (NOTHING, Starting), (turns(Unhealthy), Unhealthy)]);
        let seen = learned(policy(5, 1), &[(1, 0), (2, 1)]);
        assert_eq!(seen, [(turns(Healthy), Healthy), (turns(Unhealthy), Unhealthy)]);
    }

    #[test]
    fn a_row_of_failures_is_told_also_where_a_pause_made_it_unhealthy_before() {
        let mut health = Health { status: Status::Unhealthy, ..Health::default() };
        let policy = policy(0, 2);
        assert!(!policy.learn(&mut health, result(1), SECOND).failed);
        let learned = policy.learn(&mut health, result(1), SECOND);
        assert_eq!(learned, Learned { status: None, failed: true });
        assert!(!policy.learn(&mut health, result(1), SECOND).failed, "once for each row");
    }

    #[test]
    fn the_last_five_results_are_kept() {
        let mut health = Health::default();
        for code in 0..9 {
            policy(0, 100).learn(&mut health, result(code), SECOND);
        }
        let codes: Vec<_> = health.log.iter().map(|result| result.exit_code).collect();
        assert_eq!(codes, [4, 5, 6, 7, 8]);
    }

    #[test]
    fn three_kinds_of_commands() {
        let of = |test: &[&str], shell: Option<Vec<String>>| {
            let test = test.iter().map(|word| (*word).to_owned()).collect();
            let healthcheck = Some(HealthConfig { test, ..HealthConfig::default() });
            command(&Config { healthcheck, shell: shell.map(Into::into), ..Config::default() })
        };
        assert_eq!(of(&["CMD", "a", "b"], None).unwrap(), ["a", "b"]);
        assert_eq!(of(&["CMD-SHELL", "a b"], None).unwrap(), ["/bin/sh", "-c", "a b"]);
        let bash = Some(vec!["/bin/bash".to_owned(), "-ec".to_owned()]);
        assert_eq!(of(&["CMD-SHELL", "a"], bash).unwrap(), ["/bin/bash", "-ec", "a"]);
        for none in [&["NONE"][..], &["WHAT", "a"], &[], &["CMD"]] {
            assert_eq!(of(none, None), None);
        }
        assert_eq!(command(&Config::default()), None);
    }
}
