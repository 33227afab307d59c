//! Waiting for a cgroup to run out of memory, without asking again and again.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify;

use super::{Result, file};

/// Readable when something happened; [`OomEvents::drain`] makes it wait again, and
/// `Cgroup::oom_kills` then says whether it was a kill: v1 also signals the cgroup's removal, v2
/// every memory event.
pub struct OomEvents {
    fd: OwnedFd,
    /// The registration of a v1 eventfd lasts as long as the file it names is open.
    _control: Option<std::fs::File>,
}

impl OomEvents {
    /// v1: an eventfd registered on memory.oom_control.
    pub(super) fn of_v1(directory: &Path) -> Result<Self> {
        use std::os::fd::AsRawFd;
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| file::failed("make an eventfd for", directory, error.into()))?;
        let control = file::open(&directory.join("memory.oom_control"))?;
        file::write(
            &directory.join("cgroup.event_control"),
            format!("{} {}", fd.as_raw_fd(), control.as_raw_fd()),
        )?;
        Ok(Self { fd, _control: Some(control) })
    }

    /// v2: inotify on memory.events.
    pub(super) fn of_v2(directory: &Path) -> Result<Self> {
        let path = directory.join("memory.events");
        let watch = || {
            let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
            inotify::add_watch(&fd, &path, inotify::WatchFlags::MODIFY)?;
            Ok(fd)
        };
        let fd = watch()
            .map_err(|error: rustix::io::Errno| file::failed("watch", &path, error.into()))?;
        Ok(Self { fd, _control: None })
    }

    /// Forgets what was signalled so far.
    pub fn drain(&self) {
        let mut buffer = [0; 1024];
        // Ends at EAGAIN: both kinds are non-blocking.
        while rustix::io::read(&self.fd, &mut buffer).is_ok_and(|n| n > 0) {}
    }
}

impl AsFd for OomEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
