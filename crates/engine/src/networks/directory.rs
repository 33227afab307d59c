//! Which networks there are, by id and by name. A name is taken in one step, so that of two who want it one gets it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::Record;
use crate::error::{Error, Result};

/// A handle that is cheap to copy.
#[derive(Clone, Default)]
pub struct Directory(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    networks: BTreeMap<String, Arc<Record>>,
    /// Name to id, also of networks that are being made.
    names: HashMap<String, String>,
}

/// A name that is taken; free again when this is dropped without [`Reservation::keep`].
pub struct Reservation {
    directory: Directory,
    name: String,
    kept: bool,
}

impl Reservation {
    /// The network is there.
    pub fn keep(mut self, record: Record) {
        self.kept = true;
        self.directory.lock().networks.insert(record.id.clone(), Arc::new(record));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.kept {
            self.directory.lock().names.remove(&self.name);
        }
    }
}

impl Directory {
    pub fn new(networks: impl IntoIterator<Item = Record>) -> Self {
        let directory = Self::default();
        let mut inner = directory.lock();
        for record in networks {
            inner.names.insert(record.name.clone(), record.id.clone());
            inner.networks.insert(record.id.clone(), Arc::new(record));
        }
        drop(inner);
        directory
    }

    pub fn reserve(&self, name: &str, id: &str) -> Result<Reservation> {
        use std::collections::hash_map::Entry;
        match self.lock().names.entry(name.to_owned()) {
            Entry::Occupied(_) => {
                Err(Error::conflict(format!("network with name {name} already exists")))
            }
            Entry::Vacant(free) => {
                free.insert(id.to_owned());
                Ok(Reservation { directory: self.clone(), name: name.to_owned(), kept: false })
            }
        }
    }

    pub fn remove(&self, record: &Record) {
        let mut inner = self.lock();
        inner.networks.remove(&record.id);
        inner.names.remove(&record.name);
    }

    pub fn all(&self) -> Vec<Arc<Record>> {
        self.lock().networks.values().cloned().collect()
    }

    pub fn by_id(&self, id: &str) -> Option<Arc<Record>> {
        self.lock().networks.get(id).cloned()
    }

    /// By name, id, or the beginning of an id.
    pub fn find(&self, wanted: &str) -> Result<Arc<Record>> {
        let inner = self.lock();
        let by_name = inner.names.get(wanted).and_then(|id| inner.networks.get(id));
        if let Some(record) = inner.networks.get(wanted).or(by_name) {
            return Ok(Arc::clone(record));
        }
        let mut matches = inner.networks.values().filter(|record| record.id.starts_with(wanted));
        match (matches.next().filter(|_| !wanted.is_empty()), matches.count()) {
            (None, _) => Err(Error::not_found(format!("network {wanted} not found"))),
            (Some(record), 0) => Ok(Arc::clone(record)),
            (Some(_), more) => Err(Error::invalid(format!(
                "network {wanted} is ambiguous ({} matches found based on ID prefix)",
                more + 1
            ))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is complete in itself: a panic elsewhere leaves nothing half-made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::network;
    use super::*;

    #[test]
    fn of_two_who_want_a_name_one_gets_it() {
        let directory = Directory::default();
        let first = directory.reserve("web", "1").unwrap();
        let second = directory.reserve("web", "2").err().unwrap();
        assert_eq!(second.to_string(), "network with name web already exists");
        assert!(directory.find("web").is_err(), "it is being made");
        drop(first);
        let record = network("web");
        directory.reserve("web", &record.id).unwrap().keep(record.clone());
        assert_eq!(directory.find("web").unwrap().id, record.id);
        directory.remove(&record);
        assert!(directory.find("web").is_err() && directory.reserve("web", "3").is_ok());
    }

    #[test]
    fn a_name_comes_before_the_beginning_of_an_id() {
        let mut networks = ["ab1", "ab2", "x"].map(|id| {
            let mut record = network(id);
            record.id = id.into();
            record.name = format!("net-{id}");
            record
        });
        networks[2].name = "ab".into();
        let directory = Directory::new(networks);
        let find = |wanted: &str| {
            directory
                .find(wanted)
                .map(|record| record.id.clone())
                .map_err(|error| error.to_string())
        };
        assert_eq!(find("ab"), Ok("x".into()));
        assert_eq!(find("ab1"), Ok("ab1".into()));
        assert_eq!(find("net-ab2"), Ok("ab2".into()));
        assert!(find("a").unwrap_err().contains("is ambiguous (2 matches"));
        assert_eq!(find("").unwrap_err(), "network  not found");
    }
}
