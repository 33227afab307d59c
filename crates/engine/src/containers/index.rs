//! Who is there: containers by id and by name. A name is taken in one step, so that of two who want it one gets it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use super::record::Record;
use super::request::Request;
use crate::error::{Error, Result};

/// What everybody may see of a container without asking its task.
#[derive(Clone, Debug)]
pub struct View {
    pub record: Arc<Record>,
    /// Ends of its process since this engine knows it.
    pub exits: u64,
    /// How the last of them went.
    pub last_exit: Exit,
    pub removed: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Exit {
    pub code: i64,
    pub error: String,
}

/// A container's task, as others reach it.
#[derive(Clone)]
pub struct Handle {
    pub id: Arc<str>,
    /// Held by whoever writes to its root from outside, and while it is being started.
    pub root: Arc<tokio::sync::Mutex<()>>,
    /// Boxed: a queue has room for many from its beginning, and most containers are never asked for anything.
    requests: mpsc::Sender<Box<Request>>,
    view: watch::Receiver<View>,
}

impl Handle {
    pub fn new(
        id: &str,
        requests: mpsc::Sender<Box<Request>>,
        view: watch::Receiver<View>,
    ) -> Self {
        Self { id: id.into(), root: Arc::default(), requests, view }
    }

    /// The document as it is now.
    pub fn record(&self) -> Arc<Record> {
        Arc::clone(&self.view.borrow().record)
    }

    pub fn watch(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Puts a request on the container's queue and waits for the answer.
    pub async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T>>) -> Request,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let gone = || no_such_container(&self.id);
        self.requests.send(Box::new(request(reply))).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

#[derive(Default)]
pub struct Index(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    containers: BTreeMap<String, Handle>,
    /// Those that nobody finds: steps of builds.
    hidden: BTreeMap<String, Handle>,
    /// Name to id, also of containers that are being made.
    names: HashMap<String, String>,
    /// Exec id to container id.
    execs: HashMap<String, String>,
}

/// A name that is taken; free again when this is dropped without `keep`.
pub struct Reservation {
    index: Arc<Index>,
    pub name: String,
    kept: bool,
}

impl Reservation {
    pub fn keep(mut self) -> String {
        self.kept = true;
        self.name.clone()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.kept {
            self.index.lock().names.remove(&self.name);
        }
    }
}

impl Index {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is complete in itself: a panic elsewhere leaves nothing half-made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a name, or says who has it.
    pub fn reserve(self: &Arc<Self>, name: &str, id: &str) -> Result<Reservation> {
        use std::collections::hash_map::Entry;
        match self.lock().names.entry(name.to_owned()) {
            Entry::Occupied(taken) => Err(Error::conflict(format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". You have to remove (or rename) that container to be able to reuse that name.",
                taken.get()
            ))),
            Entry::Vacant(free) => {
                free.insert(id.to_owned());
                Ok(Reservation { index: Arc::clone(self), name: name.to_owned(), kept: false })
            }
        }
    }

    pub fn add(&self, handle: Handle) {
        self.lock().containers.insert(handle.id.to_string(), handle);
    }

    pub fn hide(&self, handle: Handle) {
        self.lock().hidden.insert(handle.id.to_string(), handle);
    }

    pub fn hidden(&self) -> Vec<Handle> {
        self.lock().hidden.values().cloned().collect()
    }

    pub fn remove(&self, id: &str, name: &str) {
        let mut inner = self.lock();
        inner.containers.remove(id);
        inner.hidden.remove(id);
        if inner.names.get(name).is_some_and(|owner| owner == id) {
            inner.names.remove(name);
        }
        inner.execs.retain(|_, container| container != id);
    }

    pub fn release_name(&self, name: &str) {
        self.lock().names.remove(name);
    }

    pub fn all(&self) -> Vec<Handle> {
        self.lock().containers.values().cloned().collect()
    }

    /// By full id, by name, then by an id's beginning if only one has it.
    pub fn find(&self, wanted: &str) -> Result<Handle> {
        let inner = self.lock();
        let name = wanted.strip_prefix('/').unwrap_or(wanted);
        let exact = inner
            .containers
            .get(wanted)
            .or_else(|| inner.names.get(name).and_then(|id| inner.containers.get(id)));
        if let Some(handle) = exact {
            return Ok(handle.clone());
        }
        if wanted.is_empty() {
            return Err(Error::invalid("invalid name or ID supplied: \"\""));
        }
        let beginning = inner.containers.range(wanted.to_owned()..);
        let mut candidates = beginning.take_while(|(id, _)| id.starts_with(wanted));
        match (candidates.next(), candidates.next()) {
            (Some((_, handle)), None) => Ok(handle.clone()),
            (Some(_), Some(_)) => {
                Err(Error::invalid(format!("multiple IDs found with provided prefix: {wanted}")))
            }
            _ => Err(no_such_container(wanted)),
        }
    }

    pub fn add_exec(&self, exec: &str, container: &str) {
        self.lock().execs.insert(exec.to_owned(), container.to_owned());
    }

    pub fn remove_exec(&self, exec: &str) {
        self.lock().execs.remove(exec);
    }

    /// The container that an exec belongs to.
    pub fn find_exec(&self, exec: &str) -> Result<Handle> {
        let inner = self.lock();
        let container = inner.execs.get(exec).and_then(|id| inner.containers.get(id));
        container.cloned().ok_or_else(|| Error::not_found(format!("No such exec instance: {exec}")))
    }
}

pub fn no_such_container(wanted: &str) -> Error {
    Error::not_found(format!("No such container: {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(ids: &[&str]) -> Arc<Index> {
        let index = Arc::new(Index::default());
        for id in ids {
            let record = super::super::record::tests::record(id);
            let view = View {
                record: Arc::new(record),
                exits: 0,
                last_exit: Exit::default(),
                removed: false,
            };
            let (requests, _) = mpsc::channel(1);
            let (_, view) = watch::channel(view);
            index.add(Handle::new(id, requests, view));
        }
        index
    }

    fn found(index: &Index, wanted: &str) -> std::result::Result<String, String> {
        index.find(wanted).map(|h| h.id.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn by_id_by_name_and_by_a_unique_beginning() {
        let index = index(&["abc1", "abd2"]);
        index.reserve("web", "abd2").unwrap().keep();
        assert_eq!(found(&index, "abc1").unwrap(), "abc1");
        assert_eq!(found(&index, "/web").unwrap(), "abd2");
        assert_eq!(found(&index, "abd").unwrap(), "abd2");
        assert_eq!(found(&index, "ab").unwrap_err(), "multiple IDs found with provided prefix: ab");
        assert_eq!(found(&index, "x").unwrap_err(), "No such container: x");
        assert!(found(&index, "").is_err());
    }

    #[test]
    fn nobody_finds_what_is_hidden() {
        let index = index(&["abc1"]);
        let handle = index.find("abc1").unwrap();
        index.remove("abc1", "");
        index.hide(handle);
        assert!(index.find("abc1").is_err() && index.find("a").is_err());
        assert_eq!((index.all().len(), index.hidden().len()), (0, 1));
        index.remove("abc1", "abc1");
        assert!(index.hidden().is_empty());
    }

    #[test]
    fn a_name_is_taken_once_and_free_when_dropped() {
        let index = index(&[]);
        let first = index.reserve("web", "ab").unwrap();
        let said = index.reserve("web", "cd").err().unwrap().to_string();
        assert!(said.contains("\"/web\" is already in use by container \"ab\""), "{said}");
        drop(first);
        assert!(index.reserve("web", "cd").is_ok());
    }
}
