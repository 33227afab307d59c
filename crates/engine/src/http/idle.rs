//! Gives memory back to the kernel once nothing has happened for a while, neither a request nor an event: a burst's
//! peak is not what an idle engine should cost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::engine::Engine;

const QUIET: Duration = Duration::from_secs(1);

pub struct Idle(Arc<Notify>);

impl Idle {
    /// The task ends with the runtime.
    pub fn watch(engine: &Engine) -> Self {
        let stirred = engine.events.stirred();
        tokio::spawn(rest_after_bursts(Arc::clone(&stirred), engine.system.rest()));
        Self(stirred)
    }

    pub fn busy(&self) {
        self.0.notify_one();
    }

    /// What takes long may have used much by its end.
    pub fn at_the_end(&self) -> AtTheEnd {
        AtTheEnd(Arc::clone(&self.0))
    }
}

/// Busy once more when this is dropped.
pub struct AtTheEnd(Arc<Notify>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The start is the first burst: most code that it runs is not needed again.
async fn rest_after_bursts(stirred: Arc<Notify>, rest: impl Fn()) {
    loop {
        while timeout(QUIET, stirred.notified()).await.is_ok() {}
        rest();
        sys::allocator::trim();
        sys::program::release_pages();
        stirred.notified().await;
    }
}
