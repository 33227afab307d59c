//! What several want at the same time is done once, by one of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;

use super::lock;

pub(super) struct Once<K: Eq + Hash, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

/// Somebody who waits, or does it.
struct Waiting<'o, K: Eq + Hash, V> {
    all: &'o Once<K, V>,
    key: &'o K,
    cell: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Once<K, V> {
    /// Whoever comes after it is done does it anew. Where the one who does it goes away, another one does.
    pub(super) async fn get(&self, key: &K, work: impl Future<Output = V>) -> V {
        let cell = Arc::clone(lock(&self.0).entry(key.clone()).or_default());
        let waiting = Waiting { all: self, key, cell };
        waiting.cell.get_or_init(|| work).await.clone()
    }
}

impl<K: Eq + Hash, V> Drop for Waiting<'_, K, V> {
    fn drop(&mut self) {
        let mut cells = lock(&self.all.0);
        let is_ours = cells.get(self.key).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        // One is ours and one the map's: where there are more, others wait.
        if is_ours && (self.cell.initialized() || Arc::strong_count(&self.cell) <= 2) {
            cells.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_come_meanwhile_get_the_same_and_those_who_come_later_another() {
        let (once, count) = (Once::<u8, u32>::default(), AtomicU32::new(0));
        let go = Notify::new();
        let work = || async {
            go.notified().await;
            count.fetch_add(1, Ordering::SeqCst)
        };
        let (one, two, ()) =
            tokio::join!(once.get(&1, work()), once.get(&1, work()), async { go.notify_one() });
        assert_eq!((one, two), (0, 0));
        go.notify_one();
        assert_eq!(once.get(&1, work()).await, 1);
        assert!(lock(&once.0).is_empty());
    }

    #[tokio::test]
    async fn where_the_first_goes_away_another_one_does_it() {
        let once = Once::<u8, u32>::default();
        let first = once.get(&1, std::future::pending());
        tokio::select! {
            biased;
            _ = first => unreachable!("it never ends"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(once.get(&1, async { 2 }).await, 2);
        assert!(lock(&once.0).is_empty());
    }
}
