//! What tells a reader that there is more.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;

use crate::readiness;

pub(super) struct Changes(AsyncFd<OwnedFd>);

impl Changes {
    /// Watches the directory of a log, not the file: the file may not be there yet, and rotation puts another in its
    /// place.
    pub(super) fn watch(log: &Path) -> io::Result<Self> {
        let changes =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let directory = log.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let events = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&changes, directory, events)?;
        readiness::watch(changes).map(Self)
    }

    /// Until something changed since the last time.
    pub(super) async fn wait(&mut self) -> io::Result<()> {
        let mut ready = self.0.readable_mut().await?;
        // Which changes they were does not matter.
        let mut events = [0; 4096];
        while matches!(rustix::io::read(ready.get_inner(), &mut events), Ok(read) if read > 0) {}
        ready.clear_ready();
        Ok(())
    }
}
