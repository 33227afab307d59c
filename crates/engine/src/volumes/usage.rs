//! What containers do with volumes: begin to use them, fill them, let go of them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use store::volumes::{StagedVolume, Volume, copy};

use super::options::{Mount, limit};
use super::{Volumes, mounting};
use crate::error::{Error, Result};

impl Volumes {
    /// A container that was there before this engine.
    pub fn adopt(&self, name: &str, container: &str, runs: bool) {
        self.0.uses.claim(name, container);
        if runs {
            self.0.uses.begin(name, container);
        }
    }

    /// After all were adopted: nothing stays mounted for containers that ended while no engine ran.
    pub fn settle(&self) -> Result<()> {
        for volume in self.records().all()? {
            if Mount::of(&volume).is_some() {
                let _hold = self.0.uses.hold(&volume.name);
                self.unmount_unless_running(&volume.name);
            }
        }
        Ok(())
    }

    /// A new volume's first content, if it is empty: a copy of `source`, and empty files of these names to mount on.
    pub fn fill(&self, volume: &Volume, source: BorrowedFd<'_>, places: &[&str]) -> Result<()> {
        let name = &volume.name;
        let _hold = self.0.uses.hold(name);
        let data = self.ready(volume)?;
        let filled = self.fill_directory(volume, source, places, &data);
        self.unmount_unless_running(name);
        filled
    }

    fn fill_directory(
        &self,
        volume: &Volume,
        source: BorrowedFd<'_>,
        places: &[&str],
        data: &Path,
    ) -> Result<()> {
        let name = &volume.name;
        let failed = |cause: std::io::Error| {
            Error::system(format!("failed to copy the image's content to volume {name}"))
                .because(cause)
        };
        let target = File::open(data).map_err(failed)?;
        if !copy::is_empty(target.as_fd()).map_err(failed)? {
            return Ok(());
        }
        let at_once = copy::is_empty(source).map_err(failed)?;
        if at_once || self.0.uses.is_running(name) || mounting::is_mounted(data).map_err(failed)? {
            return copy_with(source, target.as_fd(), places).map_err(failed);
        }
        // Under another name first: a crash leaves no volume half filled.
        let staged = self.stage(volume)?;
        let directory = File::open(staged.data()).map_err(failed)?;
        copy_with(source, directory.as_fd(), places).map_err(failed)?;
        Ok(self.records().fill(name, staged)?)
    }

    /// Before each start: its directory, with what its options ask for mounted there.
    pub fn begin(&self, name: &str, container: &str) -> Result<PathBuf> {
        let _hold = self.0.uses.hold(name);
        let volume = self.find(name)?;
        let data = self.ready(&volume)?;
        self.0.uses.begin(name, container);
        Ok(data)
    }

    pub fn tell_mount(&self, name: &str, container: &str, destination: &str, read_only: bool) {
        let more = [
            ("container", container.to_owned()),
            ("destination", destination.to_owned()),
            ("propagation", String::new()),
            ("read/write", (!read_only).to_string()),
        ];
        self.tell("mount", name, more);
    }

    /// After each end. Harmless for a container that did not run with it.
    pub fn end(&self, name: &str, container: &str) {
        let _hold = self.0.uses.hold(name);
        if self.0.uses.end(name, container) {
            self.tell("unmount", name, [("container", container.to_owned())]);
            self.unmount_unless_running(name);
        }
    }

    /// As `end`, for somebody who is no container and of whom nobody is told.
    pub fn give_back(&self, name: &str, user: &str) {
        let _hold = self.0.uses.hold(name);
        if self.0.uses.end(name, user) {
            self.unmount_unless_running(name);
        }
    }

    /// The container goes, and with it those of `own` that nobody else has: `remove` takes both out of the records,
    /// in one transaction, so that a crash leaves no volume that is nobody's.
    pub fn leave_for_good(
        &self,
        container: &str,
        names: &BTreeSet<&str>,
        own: &BTreeSet<&str>,
        remove: impl FnOnce(&[&str]) -> Result<()>,
    ) -> Result<()> {
        let _holds = self.0.uses.hold_all(own);
        let mut going = Vec::new();
        for name in own.iter().filter(|name| self.0.uses.containers(name) == [container]) {
            if self.records().get(name)?.is_some() {
                mounting::unmount(&self.records().data(name))
                    .map_err(|cause| Error::system(format!("remove {name}")).because(cause))?;
                going.push(*name);
            }
        }
        remove(&going)?;
        self.release(names, container);
        going.iter().for_each(|name| self.tell("destroy", name, []));
        Ok(())
    }

    /// The container is gone, or was never made.
    pub fn release(&self, names: &BTreeSet<&str>, container: &str) {
        for name in names {
            self.0.uses.release(name, container);
        }
    }

    /// An empty content for it, held to the volume's size.
    pub(super) fn stage(&self, volume: &Volume) -> Result<StagedVolume> {
        let staged = self.records().stage()?;
        if let Some(bytes) = limit(volume) {
            self.records().limit_staged(&staged, bytes)?;
        }
        Ok(staged)
    }

    /// Where its content lies, held to the volume's size: made where a crash has left it out.
    pub(super) fn directory(&self, volume: &Volume) -> Result<PathBuf> {
        let data = self.records().ensure(&volume.name)?;
        if let Some(bytes) = limit(volume) {
            self.records().limit(&volume.name, bytes)?;
        }
        Ok(data)
    }

    fn ready(&self, volume: &Volume) -> Result<PathBuf> {
        let data = self.directory(volume)?;
        if let Some(wanted) = Mount::of(volume) {
            mounting::mount(&wanted, &data)?;
        }
        Ok(data)
    }

    pub(super) fn unmount_unless_running(&self, name: &str) {
        if self.0.uses.is_running(name) {
            return;
        }
        if let Err(error) = mounting::unmount(&self.records().data(name)) {
            tracing::warn!(volume = name, "something is left mounted: {error}");
        }
    }
}

/// What the source has under such a name stays, a link too.
fn copy_with(source: BorrowedFd<'_>, target: BorrowedFd<'_>, places: &[&str]) -> io::Result<()> {
    copy::tree(source, target)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    for place in places {
        match rustix::fs::openat(target, *place, flags, Mode::from_raw_mode(0o755)) {
            Ok(_) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
