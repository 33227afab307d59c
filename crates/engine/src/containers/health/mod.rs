//! Health checks.
//!
//! ```text
//!            start                 a check succeeds
//!   (none) ────────> starting ───────────────────────> healthy
//!                       │                                │ ^
//!                       │ retries failures in a row,     │ │ a check succeeds
//!                       │ none of the start period       v │
//!                       └───────────────────────────> unhealthy
//! ```
//!
//! When to look and what a look means is [`policy`], pure; looking is [`check`]; what follows beyond Docker is
//! [`on_failure`]. A container without checks costs nothing, one with checks a timer. Where nobody looks (a pause, the
//! end) the container counts as unhealthy, as in Docker.

mod check;
pub mod on_failure;
mod policy;

use std::fs;
use std::path::Path;

use api::containers::HealthResult;
use serde::{Deserialize, Serialize};

pub use self::check::{Checks, due};
pub use self::policy::command;

/// What is known of a container's health. Lies as `health.json` beside its monitor while it runs, for the next engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    pub status: Status,
    pub failing_streak: u32,
    /// The last checks, the newest last.
    pub log: Vec<HealthResult>,
    /// What was asked for on failure is under way.
    pub acting: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Starting,
    Healthy,
    Unhealthy,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

const FILE: &str = "health.json";

impl Health {
    /// A new run: the log goes on, as in Docker.
    pub fn begin(&mut self) {
        self.status = Status::Starting;
        self.failing_streak = 0;
        self.acting = false;
    }

    /// Writes to a tmpfs, in microseconds.
    fn keep(&self, directory: &Path) -> std::io::Result<()> {
        let new = directory.join("health.json.new");
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, directory.join(FILE))
    }

    /// What the engine before this one knew of a run.
    pub fn kept(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(directory.join(FILE)).ok()?).ok()
    }

    pub fn shown(&self) -> api::containers::Health {
        api::containers::Health {
            status: self.status.as_str().into(),
            failing_streak: self.failing_streak.into(),
            log: self.log.clone(),
        }
    }
}
