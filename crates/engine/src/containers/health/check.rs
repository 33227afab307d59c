//! One check after the other, as execs through the container's monitor. The container's task waits for the time of the
//! next and for the end of the one that runs; whatever happens to the container ends them.

use std::future::pending;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use api::containers::HealthResult;
use api::exec::CreateRequest;
use runtime::monitor::protocol::Command;
use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::super::actor::Actor;
use super::super::exec::{Exec, Stage as ExecStage};
use super::super::kept_execs::exit_of;
use super::super::link::Link;
use super::super::request::ExecStart;
use super::super::signal::SIGKILL;
use super::super::timestamp;
use super::policy::{Policy, command};
use super::{Health, Status};
use crate::error::{Error, Result};

/// Of a check's output; the rest is read and thrown away.
const OUTPUT: usize = 4096;
/// The exit code of a check that could not be run, or not to its end.
const NO_ANSWER: i64 = -1;

/// Checks of a container that runs.
pub struct Checks {
    policy: Policy,
    command: Vec<String>,
    stage: Stage,
}

enum Stage {
    Waiting(Pin<Box<Sleep>>),
    Checking(Check),
}

struct Check {
    exec: String,
    start: String,
    /// The container, when the check began.
    running_for: Duration,
    outcome: JoinHandle<Outcome>,
}

impl Drop for Check {
    fn drop(&mut self) {
        self.outcome.abort();
    }
}

/// What there is to do.
pub enum Due {
    Check,
    Outcome(Outcome),
}

pub enum Outcome {
    Ended { output: String },
    TooLong,
}

/// Never completes where nothing is checked.
pub async fn due(checks: &mut Option<Box<Checks>>) -> Due {
    match checks.as_deref_mut().map(|checks| &mut checks.stage) {
        Some(Stage::Waiting(sleep)) => {
            sleep.as_mut().await;
            Due::Check
        }
        Some(Stage::Checking(check)) => match (&mut check.outcome).await {
            Ok(outcome) => Due::Outcome(outcome),
            // It panicked, which counts as a check without an end.
            Err(_) => Due::Outcome(Outcome::TooLong),
        },
        None => pending().await,
    }
}

impl Actor {
    /// A container that was just started is to be looked at.
    pub fn begin_checks(&mut self) {
        if command(&self.record.config).is_none() {
            return;
        }
        self.record.state.health.get_or_insert_default().begin();
        self.resume_checks();
    }

    /// Checks go on, the next one after a whole interval.
    pub fn resume_checks(&mut self) {
        let (Some(config), Some(command)) =
            (&self.record.config.healthcheck, command(&self.record.config))
        else {
            return;
        };
        let policy = Policy::of(config);
        let stage = self.until_next(&policy);
        self.checks = Some(Box::new(Checks { policy, command, stage }));
        self.keep_health();
    }

    /// Nobody looks any more: the container counts as unhealthy, and nobody is told.
    pub async fn end_checks(&mut self) {
        let Some(checks) = self.checks.take() else { return };
        if let Some(health) = &mut self.record.state.health {
            health.status = Status::Unhealthy;
        }
        self.keep_health();
        if let (Stage::Checking(check), Ok(link)) = (&checks.stage, self.link()) {
            kill(&link, &check.exec).await;
        }
    }

    /// What an engine before this one knew of a run.
    pub fn adopt_health(&mut self) {
        let directory = self.shared.exec_directory(&self.record.id);
        if let Some(health) = Health::kept(&directory) {
            self.record.state.health = Some(health);
        }
    }

    /// Checks that an engine before this one did not see end; their results are lost.
    pub async fn end_adopted_checks(&mut self) {
        let Ok(link) = self.link() else { return };
        let running = self
            .execs
            .values()
            .filter(|exec| exec.checks_health && matches!(exec.stage, ExecStage::Running { .. }));
        for exec in running {
            kill(&link, &exec.id).await;
        }
    }

    pub async fn on_check_due(&mut self, due: Due) {
        match due {
            Due::Check => self.begin_check().await,
            Due::Outcome(outcome) => self.finish_check(outcome).await,
        }
    }

    async fn begin_check(&mut self) {
        let Some(checks) = &self.checks else { return };
        let (timeout, command) = (checks.policy.timeout, checks.command.clone());
        let (start, running_for) = (timestamp::now(), self.running_for());
        let (begun, counted) = (Instant::now(), Arc::clone(&self.shared));
        let counted = &counted.health_checks;
        counted.begun.fetch_add(1, Ordering::Relaxed);
        match self.run_check(command, timeout).await {
            Ok((exec, outcome)) => {
                counted.start.took(begun.elapsed());
                let check = Check { exec, start, running_for, outcome };
                if let Some(checks) = &mut self.checks {
                    checks.stage = Stage::Checking(check);
                }
            }
            Err(error) => {
                counted.failed.fetch_add(1, Ordering::Relaxed);
                let output = error.to_string();
                let result =
                    HealthResult { start, end: timestamp::now(), exit_code: NO_ANSWER, output };
                self.learn(result, running_for).await;
            }
        }
    }

    async fn run_check(
        &mut self,
        command: Vec<String>,
        timeout: Duration,
    ) -> Result<(String, JoinHandle<Outcome>)> {
        let failed = |cause| Error::system("cannot read a health check").because(cause);
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let ours = tokio::net::UnixStream::from_std(ours).map_err(failed)?;
        let id = self.make_exec(command, true)?;
        let start = ExecStart {
            client: Some(theirs),
            detach: false,
            console_size: None,
            multiplexed: false,
        };
        if let Err(error) = self.start_exec(&id, start).await {
            self.forget_exec(&id);
            return Err(error);
        }
        let (link, exec) = (self.link()?, id.clone());
        Ok((id, tokio::spawn(watch(ours, timeout, link, exec))))
    }

    /// An exec of the engine's own, by the container's user; returns its id.
    pub fn make_exec(&mut self, command: Vec<String>, checks_health: bool) -> Result<String> {
        let request = CreateRequest {
            attach_stdout: checks_health,
            attach_stderr: checks_health,
            cmd: Some(command.into()),
            ..CreateRequest::default()
        };
        let mut exec = Exec::new(request, Some(Vec::new()));
        exec.checks_health = checks_health;
        let id = exec.id.clone();
        self.create_exec(exec)?;
        Ok(id)
    }

    async fn finish_check(&mut self, outcome: Outcome) {
        let Some(checks) = &mut self.checks else { return };
        let timeout = checks.policy.timeout;
        let waiting = Stage::Waiting(Box::pin(tokio::time::sleep(Duration::MAX)));
        let Stage::Checking(check) = std::mem::replace(&mut checks.stage, waiting) else { return };
        let exit = exit_of(&self.exec_files(), &check.exec);
        if let Some(exit) = &exit {
            self.exec_exited(&check.exec, exit);
        }
        self.forget_exec(&check.exec);
        let (exit_code, output) = match (outcome, exit) {
            (Outcome::Ended { output }, Some(exit)) => (exit.status.into(), output),
            (Outcome::Ended { .. }, None) => (NO_ANSWER, "the check's end was not seen".to_owned()),
            (Outcome::TooLong, _) => {
                (NO_ANSWER, format!("Health check exceeded timeout ({})", in_gos_words(timeout)))
            }
        };
        let (start, running_for) = (check.start.clone(), check.running_for);
        self.learn(HealthResult { start, end: timestamp::now(), exit_code, output }, running_for)
            .await;
    }

    async fn learn(&mut self, result: HealthResult, running_for: Duration) {
        let Some(policy) = self.checks.as_ref().map(|checks| checks.policy) else { return };
        let health = self.record.state.health.get_or_insert_default();
        let learned = policy.learn(health, result, running_for);
        let next = self.until_next(&policy);
        if let Some(checks) = &mut self.checks {
            checks.stage = next;
        }
        if let Some(status) = learned.status {
            self.tell(format!("health_status: {}", status.as_str()), []);
        }
        if learned.failed {
            self.act_on_failure().await;
        }
        self.keep_health();
        self.show();
    }

    fn until_next(&self, policy: &Policy) -> Stage {
        let status = self.record.state.health.as_ref().map_or(Status::Starting, |h| h.status);
        let wait = policy.wait(status, self.running_for());
        Stage::Waiting(Box::pin(tokio::time::sleep(wait)))
    }

    fn running_for(&self) -> Duration {
        self.run.as_ref().map_or(Duration::ZERO, |run| run.started.elapsed())
    }

    /// For the next engine.
    pub fn keep_health(&self) {
        let Some(health) = &self.record.state.health else { return };
        let directory: PathBuf = self.shared.exec_directory(&self.record.id);
        if let Err(error) = health.keep(&directory) {
            tracing::warn!(container = self.record.id, "its health is not kept: {error}");
        }
    }
}

/// Reads a check's output to its end, which is the check's.
async fn watch(
    mut output: tokio::net::UnixStream,
    timeout: Duration,
    link: Link,
    exec: String,
) -> Outcome {
    let mut kept = Output::default();
    if let Ok(()) = tokio::time::timeout(timeout, kept.read(&mut output)).await {
        return Outcome::Ended { output: kept.text() };
    }
    kill(&link, &exec).await;
    // Its end is seen before the next check begins.
    kept.read(&mut output).await;
    Outcome::TooLong
}

/// With what it started.
async fn kill(link: &Link, exec: &str) {
    let command = Command::Signal { exec_id: Some(exec.to_owned()), signal: SIGKILL, group: true };
    // Fails where it has just ended.
    let _ = link.call(command, &[]).await;
}

/// The beginning of what a check printed.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    cut: bool,
}

impl Output {
    /// To the end, or until the monitor is gone.
    async fn read(&mut self, from: &mut tokio::net::UnixStream) {
        let mut piece = [0; 1024];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            self.add(&piece[..length]);
        }
    }

    fn add(&mut self, piece: &[u8]) {
        let kept = piece.len().min(OUTPUT - self.bytes.len());
        self.bytes.extend_from_slice(&piece[..kept]);
        self.cut |= kept < piece.len();
    }

    fn text(&self) -> String {
        let end = if self.cut { "..." } else { "" };
        format!("{}{end}", String::from_utf8_lossy(&self.bytes))
    }
}

/// A duration as Go prints it: `1.5s`, `500ms`, `1m30s`.
fn in_gos_words(duration: Duration) -> String {
    let fraction = |value: u128, unit: u128, name: &str| {
        let digits = format!("{:0width$}", value % unit, width = unit.ilog10() as usize);
        let digits = digits.trim_end_matches('0');
        let point =
            if digits.is_empty() || unit == 1 { String::new() } else { format!(".{digits}") };
        format!("{}{point}{name}", value / unit)
    };
    let nanoseconds = duration.as_nanos();
    let (minutes, rest) = (nanoseconds / 60_000_000_000, nanoseconds % 60_000_000_000);
    match nanoseconds {
        0 => "0s".into(),
        1..1_000 => fraction(nanoseconds, 1, "ns"),
        1_000..1_000_000 => fraction(nanoseconds, 1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(nanoseconds, 1_000_000, "ms"),
        _ if minutes == 0 => fraction(nanoseconds, 1_000_000_000, "s"),
        _ => {
            let seconds = fraction(rest, 1_000_000_000, "s");
            match (minutes / 60, minutes % 60) {
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_after_4096_bytes() {
        let mut output = Output::default();
        output.add(&[b'a'; 4095]);
        assert_eq!(output.text().len(), 4095);
        output.add(b"b");
        assert!(output.text().ends_with("ab"));
        output.add(b"c");
        assert!(output.text().ends_with("ab..."));
        assert_eq!(output.text().len(), 4099);
    }

    #[test]
    fn durations_are_gos() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (500_000_000, "500ms"),
            (1_050_000, "1.05ms"),
            (1_500_000_000, "1.5s"),
            (30_000_000_000, "30s"),
            (60_000_000_000, "1m0s"),
            (3_690_250_000_000, "1h1m30.25s"),
        ] {
            assert_eq!(in_gos_words(Duration::from_nanos(nanoseconds)), text);
        }
    }
}
