//! `stop` and `restart`: a polite signal, patience, then SIGKILL.

use std::time::Duration;

use super::Containers;
use super::index::Handle;
use super::request::{Purpose, Request};
use super::signal::{self, SIGKILL, SIGTERM};
use super::state::is_up;
use crate::error::{Error, Result};

const DEFAULT_PATIENCE: i64 = 10;
/// How long a process may take to die of SIGKILL before that is an error.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// How a container is to be stopped; what is left open the container's own configuration says.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// A name or a number; empty is the container's own.
    pub signal: String,
    /// Seconds; negative waits for ever.
    pub timeout: Option<i64>,
}

impl Containers {
    /// `NotModified` if it does not run.
    pub async fn stop(&self, wanted: &str, how: &Stop) -> Result<()> {
        let handle = self.find(wanted)?;
        if !is_up(handle.record().state.status) {
            return Err(Error::new(crate::error::Kind::NotModified, "container already stopped"));
        }
        end(&handle, how).await?;
        handle.ask(|reply| Request::Tell { action: "stop", reply }).await.or_else(gone_is_fine)
    }

    /// Stops it if it runs, and starts it.
    pub async fn restart(&self, wanted: &str, how: &Stop) -> Result<()> {
        let handle = self.find(wanted)?;
        let refused = |error: Error| {
            let what = format!("Cannot restart container {wanted}: {}", error.what);
            Error { what, ..error }
        };
        restart(&handle, how).await.map_err(refused)
    }
}

async fn restart(handle: &Handle, how: &Stop) -> Result<()> {
    if is_up(handle.record().state.status) {
        end(handle, how).await?;
        handle.ask(|reply| Request::Tell { action: "stop", reply }).await?;
    }
    handle.ask(|reply| Request::Start { reply }).await?;
    handle.ask(|reply| Request::Tell { action: "restart", reply }).await
}

/// A container that removes itself when it ends was stopped all the same.
fn gone_is_fine(error: Error) -> Result<()> {
    if error.kind == crate::error::Kind::NotFound { Ok(()) } else { Err(error) }
}

async fn end(handle: &Handle, how: &Stop) -> Result<()> {
    let record = handle.record();
    let wished = if how.signal.is_empty() { &record.config.stop_signal } else { &how.signal };
    let number = if wished.is_empty() { SIGTERM } else { signal::parse(wished)? };
    let patience = how.timeout.or(record.config.stop_timeout).unwrap_or(DEFAULT_PATIENCE);
    send(handle, number, Purpose::Stop).await?;
    let ended = match u64::try_from(patience) {
        Ok(seconds) => ended_within(handle, Duration::from_secs(seconds)).await,
        Err(_) => {
            ended(handle).await;
            true
        }
    };
    if ended {
        return Ok(());
    }
    kill(handle, Purpose::Stop).await
}

/// SIGKILL, and the end.
pub async fn kill(handle: &Handle, purpose: Purpose) -> Result<()> {
    send(handle, SIGKILL, purpose).await?;
    if ended_within(handle, KILL_PATIENCE).await {
        return Ok(());
    }
    Err(Error::system(format!(
        "cannot stop container: {}: tried to kill container, but did not receive an exit event",
        handle.record().name
    )))
}

async fn send(handle: &Handle, signal: i32, purpose: Purpose) -> Result<()> {
    let sent = handle.ask(|reply| Request::Signal { signal, purpose, reply }).await;
    sent.or_else(gone_is_fine)
}

async fn ended_within(handle: &Handle, patience: Duration) -> bool {
    tokio::time::timeout(patience, ended(handle)).await.is_ok()
}

/// The end of this run: somebody may start it again before it is seen at rest.
async fn ended(handle: &Handle) {
    let mut view = handle.watch();
    let exits_before = view.borrow().exits;
    // An error means that the task is gone, and with it the container.
    let _ =
        view.wait_for(|view| !is_up(view.record.state.status) || view.exits > exits_before).await;
}
