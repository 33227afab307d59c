//! Gives memory back to the kernel once no request has come for a while: a burst's peak is not what an idle engine
//! should cost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

const QUIET: Duration = Duration::from_secs(1);

pub struct Idle(Arc<Notify>);

impl Idle {
    /// The task ends with the runtime.
    pub fn watch() -> Self {
        let busy = Arc::new(Notify::new());
        tokio::spawn(trim_after_bursts(Arc::clone(&busy)));
        Self(busy)
    }

    pub fn busy(&self) {
        self.0.notify_one();
    }
}

/// The start is the first burst: most code that it runs is not needed again.
async fn trim_after_bursts(busy: Arc<Notify>) {
    loop {
        while timeout(QUIET, busy.notified()).await.is_ok() {}
        sys::allocator::trim();
        sys::program::release_pages();
        busy.notified().await;
    }
}
