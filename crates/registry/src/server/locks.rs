//! Who adds holds the storage's lock shared, who removes holds it alone: for the moment in which something is checked
//! and done, never while a client sends. It is the kernel's lock on a file, so that it holds between processes and goes
//! with whoever held it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

#[derive(Clone)]
pub(super) struct Locks {
    path: Arc<Path>,
}

/// Held until it is dropped.
pub(super) struct Held {
    _file: File,
}

impl Locks {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        File::options().create(true).append(true).open(path)?;
        Ok(Self { path: path.into() })
    }

    /// Nothing is removed meanwhile.
    pub(super) fn shared(&self) -> io::Result<Held> {
        self.lock(FlockOperation::LockShared)
    }

    /// Nothing is added meanwhile.
    pub(super) fn alone(&self) -> io::Result<Held> {
        self.lock(FlockOperation::LockExclusive)
    }

    fn lock(&self, how: FlockOperation) -> io::Result<Held> {
        // The lock belongs to the open file: each holder needs one of its own.
        let file = File::open(&self.path)?;
        flock(&file, how)?;
        Ok(Held { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn who_removes_waits_for_those_who_add() {
        let folder = tempfile::tempdir().unwrap();
        let locks = Locks::open(&folder.path().join("lock")).unwrap();
        let (one, other) = (locks.shared().unwrap(), locks.shared().unwrap());
        let (sender, done) = mpsc::channel();
        let waiter = std::thread::spawn(move || {
            let _held = locks.alone().unwrap();
            sender.send(()).unwrap();
        });
        drop(one);
        assert_eq!(done.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(other);
        done.recv().unwrap();
        waiter.join().unwrap();
    }
}
