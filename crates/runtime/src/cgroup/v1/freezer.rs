//! The v1 freezer, which must be asked until it is done.

use std::time::Duration;

use super::Group;
use crate::cgroup::{Error, Result, file};

/// A fork during freezing can leave the cgroup in FREEZING for good; only thawing and freezing it
/// again helps, and nothing announces the end (Linux, freezer-subsystem.rst). So the state is read a
/// bounded number of times, as runc does: mostly the first read says FROZEN.
const ATTEMPTS: u32 = 1000;
const ATTEMPTS_BETWEEN_PAUSES: u32 = 25;
const ATTEMPTS_BETWEEN_THAWS: u32 = 50;

impl Group {
    pub(in crate::cgroup) fn freeze(&self) -> Result<()> {
        let state = self.path_of("freezer")?.join("freezer.state");
        for attempt in 1..=ATTEMPTS {
            if attempt % ATTEMPTS_BETWEEN_THAWS == 0 {
                file::write(&state, "THAWED")?;
                std::thread::sleep(Duration::from_millis(1));
            } else if attempt % ATTEMPTS_BETWEEN_PAUSES == 0 {
                std::thread::sleep(Duration::from_micros(10));
            }
            file::write(&state, "FROZEN")?;
            if file::read(&state)?.trim() == "FROZEN" {
                return Ok(());
            }
        }
        // Half frozen is worse than running.
        file::write(&state, "THAWED")?;
        Err(Error::Timeout { path: state, wanted: "frozen" })
    }

    pub(in crate::cgroup) fn thaw(&self) -> Result<()> {
        file::write(&self.path_of("freezer")?.join("freezer.state"), "THAWED")
    }

    pub(in crate::cgroup) fn is_frozen(&self) -> Result<bool> {
        let state = self.path_of("freezer")?.join("freezer.state");
        Ok(file::read_if_present(&state)?.is_some_and(|state| state.trim() != "THAWED"))
    }
}
