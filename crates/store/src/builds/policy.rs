//! What goes by itself: dockerd's `builder.gc`.

use jiff::{SignedDuration, Timestamp};

use super::{Builds, Wanted, limits, usage};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// What is worth least, above a number of bytes; None is a tenth of the disk, and 10 GiB at most.
    Worth(Option<u64>),
    /// Each in turn.
    Rules(Vec<Rule>),
    Nothing,
}

/// What may go, and down to how many bytes of the whole cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its `unused_since` counts from the moment of use.
    pub wanted: Wanted,
    pub unused_for: Option<SignedDuration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self::Worth(None)
    }
}

impl Rule {
    fn now(&self, now: Timestamp) -> Wanted {
        let unused_since = self.unused_for.and_then(|idle| now.checked_sub(idle).ok());
        Wanted { unused_since, ..self.wanted.clone() }
    }
}

impl Builds<'_> {
    pub fn set_policy(&self, policy: Policy) {
        self.state.set_policy(policy);
        self.wake();
    }

    /// After growth, and when nothing else happens: `is_idle`. Rules that keep nothing look at age alone, and have time.
    pub(super) fn keep_within_limits(&self, now: Timestamp, is_idle: bool) -> Result<()> {
        match self.state.policy() {
            Policy::Nothing => Ok(()),
            Policy::Worth(limit) => self.keep_what_is_worth_most(limit, now),
            Policy::Rules(rules) => {
                for rule in rules {
                    let wanted = rule.now(now);
                    let is_due = match wanted.keep {
                        0 => is_idle,
                        keep => self.size()? > keep,
                    };
                    if is_due {
                        self.prune(&wanted)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn keep_what_is_worth_most(&self, limit: Option<u64>, now: Timestamp) -> Result<()> {
        let limit = limit.map_or_else(|| self.default_limit(), Ok)?;
        if self.size()? <= limit && self.database.read(usage::count)? <= limits::MOST_RECORDS {
            return Ok(());
        }
        let pinned = self.state.pinned();
        let cache = self.database.read(usage::read)?;
        let target = limits::target(limit);
        let chosen = limits::choose(&cache, target, now, |key| !pinned.contains(key));
        self.remove(&cache, chosen, pinned).map(drop)
    }
}
