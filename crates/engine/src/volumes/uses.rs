//! Which containers have a volume, which of them run, and which volumes are being changed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct Uses {
    inner: Mutex<Inner>,
    released: Condvar,
}

#[derive(Default)]
struct Inner {
    users: BTreeMap<String, Users>,
    held: HashSet<String>,
}

#[derive(Default)]
struct Users {
    /// Ids of all containers that have it.
    containers: BTreeSet<String>,
    /// Of those it is mounted for.
    running: BTreeSet<String>,
}

/// A name that nobody else changes until this is dropped.
pub struct Hold<'u> {
    uses: &'u Uses,
    name: String,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.uses.inner().held.remove(&self.name);
        self.uses.released.notify_all();
    }
}

impl Uses {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is complete in itself: a panic elsewhere leaves nothing half-made.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else holds the name. One thread holds one name, or several by
    /// [`Self::hold_all`].
    pub fn hold(&self, name: &str) -> Hold<'_> {
        let mut inner = self.inner();
        while !inner.held.insert(name.to_owned()) {
            inner = self.released.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        Hold { uses: self, name: name.to_owned() }
    }

    /// The same name twice is held once.
    pub fn hold_both(&self, one: &str, other: &str) -> Vec<Hold<'_>> {
        self.hold_all(&BTreeSet::from([one, other]))
    }

    /// In one order, whoever asks.
    pub fn hold_all(&self, names: &BTreeSet<&str>) -> Vec<Hold<'_>> {
        names.iter().map(|name| self.hold(name)).collect()
    }

    pub fn claim(&self, name: &str, container: &str) {
        let mut inner = self.inner();
        inner.users.entry(name.to_owned()).or_default().containers.insert(container.to_owned());
    }

    pub fn release(&self, name: &str, container: &str) {
        self.change(name, |users| {
            users.containers.remove(container);
            users.running.remove(container);
        });
    }

    fn change<T: Default>(&self, name: &str, change: impl FnOnce(&mut Users) -> T) -> T {
        let mut inner = self.inner();
        let Some(users) = inner.users.get_mut(name) else { return T::default() };
        let result = change(users);
        if users.containers.is_empty() && users.running.is_empty() {
            inner.users.remove(name);
        }
        result
    }

    /// The container runs with it.
    pub fn begin(&self, name: &str, container: &str) {
        let mut inner = self.inner();
        inner.users.entry(name.to_owned()).or_default().running.insert(container.to_owned());
    }

    /// Whether it ran with it until now.
    pub fn end(&self, name: &str, container: &str) -> bool {
        self.change(name, |users| users.running.remove(container))
    }

    pub fn containers(&self, name: &str) -> Vec<String> {
        let inner = self.inner();
        let users = inner.users.get(name);
        users.map(|users| users.containers.iter().cloned().collect()).unwrap_or_default()
    }

    pub fn is_running(&self, name: &str) -> bool {
        self.inner().users.get(name).is_some_and(|users| !users.running.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_used_until_its_last_container_lets_go() {
        let uses = Uses::default();
        uses.claim("data", "b");
        uses.claim("data", "a");
        uses.begin("data", "a");
        assert_eq!(uses.containers("data"), ["a", "b"]);
        assert!(uses.is_running("data"));
        assert!(uses.end("data", "a") && !uses.end("data", "a"));
        assert!(!uses.is_running("data"));
        uses.release("data", "a");
        uses.release("data", "b");
        assert!(uses.containers("data").is_empty());
        assert!(uses.inner().users.is_empty());
    }

    #[test]
    fn whoever_comes_second_waits() {
        let uses = Uses::default();
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let hold = uses.hold_both("b", "a");
            scope.spawn(|| {
                let _hold = uses.hold("a");
                order.lock().unwrap().push("second");
            });
            order.lock().unwrap().push("first");
            drop(hold);
        });
        assert_eq!(*order.lock().unwrap(), ["first", "second"]);
        assert_eq!(uses.hold_both("a", "a").len(), 1);
    }
}
