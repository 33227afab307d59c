//! Whether and when a container that ended is started again. Pure: time is an input, the answer a value.

use std::time::Duration;

use crate::error::Error;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A run at least this long counts as a success, after which the delay begins anew.
const GOOD_RUN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    #[default]
    No,
    Always,
    UnlessStopped,
    /// `None` sets no bound to the number of restarts.
    OnFailure {
        at_most: Option<u32>,
    },
}

impl Policy {
    /// Reads the API's form.
    pub fn parse(policy: &api::containers::RestartPolicy) -> Result<Self, Error> {
        let count = policy.maximum_retry_count;
        let parsed = match policy.name.as_str() {
            "" | "no" => Self::No,
            "always" => Self::Always,
            "unless-stopped" => Self::UnlessStopped,
            "on-failure" => {
                Self::OnFailure { at_most: u32::try_from(count).ok().filter(|n| *n > 0) }
            }
            other => {
                return Err(Error::invalid(format!(
                    "invalid restart policy: unknown policy '{other}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
                )));
            }
        };
        match parsed {
            Self::OnFailure { .. } if count < 0 => Err(Error::invalid(
                "invalid restart policy: maximum retry count cannot be negative",
            )),
            Self::OnFailure { .. } => Ok(parsed),
            _ if count > 0 => Err(Error::invalid(
                "invalid restart policy: maximum retry count can only be used with 'on-failure'",
            )),
            _ if count < 0 => Err(Error::invalid(
                "invalid restart policy: maximum retry count can only be used with 'on-failure' and cannot be negative",
            )),
            _ => Ok(parsed),
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    pub status: i64,
    pub ran_for: Duration,
    /// Somebody asked for the end (`stop`, `kill` that ended it); such an end is final while the engine lives.
    pub asked_for: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Stay,
    Restart { after: Duration },
}

/// The memory between two ends of one container: the delay grows while runs are short.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    delay: Option<Duration>,
}

impl Backoff {
    /// Decides after an end. `restarts` is the number of restarts since the container was last started by hand.
    pub fn decide(&mut self, policy: Policy, exit: Exit, restarts: u32) -> Decision {
        if exit.ran_for >= GOOD_RUN {
            self.delay = None;
        }
        if exit.asked_for || !wanted(policy, exit.status, restarts) {
            return Decision::Stay;
        }
        let after = self.delay.map_or(FIRST_DELAY, |delay| (delay * 2).min(LONGEST_DELAY));
        self.delay = Some(after);
        Decision::Restart { after }
    }
}

fn wanted(policy: Policy, status: i64, restarts: u32) -> bool {
    match policy {
        Policy::No => false,
        Policy::Always | Policy::UnlessStopped => true,
        Policy::OnFailure { at_most } => status != 0 && at_most.is_none_or(|most| restarts < most),
    }
}

/// Whether a container that is found ended when an engine starts is to be started. A stop by hand holds over an
/// engine's restart for all policies but `always`. Containers that were never started stay so.
pub fn at_engine_start(policy: Policy, status: i64, restarts: u32, stopped_by_hand: bool) -> bool {
    match policy {
        Policy::Always => true,
        _ if stopped_by_hand => false,
        _ => wanted(policy, status, restarts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Exit = Exit { status: 1, ran_for: Duration::from_millis(5), asked_for: false };

    fn delays(policy: Policy, exits: &[Exit]) -> Vec<Option<u64>> {
        let mut backoff = Backoff::default();
        let mut restarts = 0;
        let mut decide = |exit: &Exit| match backoff.decide(policy, *exit, restarts) {
            Decision::Stay => None,
            Decision::Restart { after } => {
                restarts += 1;
                Some(u64::try_from(after.as_millis()).unwrap())
            }
        };
        exits.iter().map(&mut decide).collect()
    }

    #[test]
    fn the_delay_doubles_from_100_ms_to_a_minute() {
        let waited: Vec<_> = delays(Policy::Always, &[SHORT; 12]).into_iter().flatten().collect();
        let expected =
            [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000];
        assert_eq!(waited, expected);
    }

    #[test]
    fn a_run_of_ten_seconds_begins_the_delay_anew() {
        let good = Exit { ran_for: Duration::from_secs(10), ..SHORT };
        assert_eq!(
            delays(Policy::Always, &[SHORT, SHORT, good, SHORT]),
            [Some(100), Some(200), Some(100), Some(200)]
        );
    }

    #[test]
    fn on_failure_restarts_failures_only_and_no_more_often_than_asked() {
        let success = Exit { status: 0, ..SHORT };
        let twice = Policy::OnFailure { at_most: Some(2) };
        assert_eq!(delays(twice, &[SHORT, SHORT, SHORT]), [Some(100), Some(200), None]);
        assert_eq!(delays(twice, &[success]), [None]);
        assert_eq!(
            delays(Policy::OnFailure { at_most: None }, &[SHORT; 3]).iter().flatten().count(),
            3
        );
    }

    #[test]
    fn what_somebody_stopped_stays_stopped() {
        let stopped = Exit { asked_for: true, ..SHORT };
        for policy in [Policy::Always, Policy::UnlessStopped, Policy::OnFailure { at_most: None }] {
            assert_eq!(delays(policy, &[stopped]), [None]);
        }
        assert_eq!(delays(Policy::No, &[SHORT]), [None]);
    }

    #[test]
    fn an_engine_that_starts_brings_back_what_was_not_stopped_by_hand() {
        assert!(at_engine_start(Policy::Always, 0, 0, true));
        assert!(at_engine_start(Policy::UnlessStopped, 255, 0, false));
        assert!(!at_engine_start(Policy::UnlessStopped, 0, 0, true));
        assert!(at_engine_start(Policy::OnFailure { at_most: None }, 255, 9, false));
        assert!(!at_engine_start(Policy::OnFailure { at_most: None }, 0, 0, false));
        assert!(!at_engine_start(Policy::OnFailure { at_most: None }, 137, 0, true));
        assert!(!at_engine_start(Policy::No, 255, 0, false));
    }

    #[test]
    fn the_apis_form_is_checked_as_docker_checks_it() {
        let parse = |name: &str, maximum_retry_count| {
            Policy::parse(&api::containers::RestartPolicy {
                name: name.into(),
                maximum_retry_count,
            })
            .map_err(|error| error.to_string())
        };
        assert_eq!(parse("", 0), Ok(Policy::No));
        assert_eq!(parse("on-failure", 3), Ok(Policy::OnFailure { at_most: Some(3) }));
        assert_eq!(
            parse("always", 3).unwrap_err(),
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        );
        assert_eq!(
            parse("sometimes", 0).unwrap_err(),
            "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        );
        assert_eq!(
            parse("on-failure", -1).unwrap_err(),
            "invalid restart policy: maximum retry count cannot be negative"
        );
    }
}
