//! The v1 freezer, which must be asked until it is done.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Group;
use crate::cgroup::{Error, Result, file};

/// A process stands still only once it has had the CPU to do so, and a fork during freezing can leave
/// the cgroup in FREEZING for good, which only thawing and freezing again helps (Linux,
/// freezer-subsystem.rst). Nothing announces either, so the state is read: mostly the first read says
/// FROZEN. Bounded as in runc, but by time, since a busy host needs more of it.
const ROUNDS: u32 = 100;
const ROUND: Duration = Duration::from_millis(20);
const BETWEEN_READS: Duration = Duration::from_micros(100);
const BETWEEN_ROUNDS: Duration = Duration::from_millis(1);

impl Group {
    pub(in crate::cgroup) fn freeze(&self) -> Result<()> {
        let state = self.path_of("freezer")?.join("freezer.state");
        for _ in 0..ROUNDS {
            file::write(&state, "FROZEN")?;
            if settles(&state)? {
                return Ok(());
            }
            // Half frozen is worse than running, also where this was the last round.
            file::write(&state, "THAWED")?;
            std::thread::sleep(BETWEEN_ROUNDS);
        }
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

fn settles(state: &Path) -> Result<bool> {
    let end = Instant::now() + ROUND;
    loop {
        if file::read(state)?.trim() == "FROZEN" {
            return Ok(true);
        }
        if Instant::now() > end {
            return Ok(false);
        }
        std::thread::sleep(BETWEEN_READS);
    }
}
