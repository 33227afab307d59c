//! A container's root as the container sees it, volumes and binds included, to copy from and to.
//!
//! One that runs has its mounts already: they are reached through its first process. For one that does not they are
//! made, by a helper and where nobody else sees them. All that is done with a view is done by descriptor: nothing in
//! it can be renamed, linked or swapped so that the engine leaves it.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use oci::runtime::Mount;
use runtime::monitor::adopt::{Identity, Init};
use runtime::view::{self, Request, Writable};
use rustix::fs::{Mode, OFlags};
use tokio::sync::OwnedMutexGuard;

use super::index::Handle;
use super::mounts::{Kind, MountPoint};
use super::record::Record;
use super::spec::mounts;
use super::{Shared, image_mounts, volumes};
use crate::error::{Error, Result, blocking};

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// While such a view is held, the container is not started: the kernel gives a writable layer to one mount.
    Write,
}

pub struct View {
    root: Root,
    pub record: Arc<Record>,
    _not_started_meanwhile: Option<OwnedMutexGuard<()>>,
}

enum Root {
    OfProcess(OwnedFd),
    Made(view::View),
}

impl View {
    pub async fn open(shared: &Arc<Shared>, handle: &Handle, access: Access) -> Result<Self> {
        let guard = match access {
            Access::Read => None,
            Access::Write => Some(Arc::clone(&handle.root).lock_owned().await),
        };
        let (shared, record) = (Arc::clone(shared), handle.record());
        blocking(move || {
            let root = match of_process(&shared, &record) {
                Some(root) => Root::OfProcess(root),
                None => Root::Made(made(&shared, &record, access)?),
            };
            Ok(Self { root, record, _not_started_meanwhile: guard })
        })
        .await
    }

    pub fn root(&self) -> BorrowedFd<'_> {
        match &self.root {
            Root::OfProcess(root) => root.as_fd(),
            Root::Made(view) => view.root.as_fd(),
        }
    }

    /// The mounts that the user asked for and that can be seen in it.
    pub fn mounts(&self) -> impl Iterator<Item = &MountPoint> {
        let runs = matches!(self.root, Root::OfProcess(_));
        self.record.mounts.iter().filter(move |point| runs || point.kind != Kind::Tmpfs)
    }
}

/// Through the container's first process, if there is one.
fn of_process(shared: &Shared, record: &Record) -> Option<OwnedFd> {
    let pid = Some(record.state.pid).filter(|pid| *pid > 0)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(format!("/proc/{pid}/root"), flags, Mode::empty()).ok()?;
    // Asked after the root is held: the number may be another process's by now.
    let init = Identity::read(&shared.exec_directory(&record.id)).ok()?.init?;
    (Init::of(pid).ok()? == init).then_some(root)
}

fn made(shared: &Shared, record: &Record, access: Access) -> Result<view::View> {
    // The view has mounts of its own once it is open.
    let _until_then = volumes::lend(shared, record)?;
    let (lower, writable) = match access {
        Access::Read => (shared.disk.read_only(&record.id)?.lower, None),
        Access::Write => {
            let overlay = shared.disk.overlay(record)?;
            let both = overlay.upper.zip(overlay.work);
            (overlay.lower, both.map(|(upper, work)| Writable { upper, work }))
        }
    };
    let request = Request {
        place: shared.config.exec_root.clone(),
        lower,
        writable,
        mounts: storage(shared, record)?,
        read_only: record.host_config.readonly_rootfs && access == Access::Write,
    };
    view::open(shared.runtime.command(), &request).map_err(|cause| {
        Error::system(format!("cannot open the root of container {}", record.id)).because(cause)
    })
}

/// Volumes, binds, and the engine's files that a start has made. Nothing of it propagates.
fn storage(shared: &Shared, record: &Record) -> Result<Vec<Mount>> {
    let points = image_mounts::with_layers(&shared.disk, &record.mounts)?;
    let asked_for: Vec<MountPoint> = points
        .iter()
        .filter(|point| point.kind != Kind::Tmpfs)
        .map(|point| MountPoint { propagation: "rprivate".into(), ..point.clone() })
        .collect();
    let directory = record.files(&shared.config.data_root);
    let files = mounts::files(
        &directory,
        &mounts::FILES,
        &record.mounts,
        record.host_config.readonly_rootfs,
    );
    let files = files.into_iter().filter(|mount| File::open(&mount.source).is_ok());
    Ok(mounts::asked_for(&asked_for).into_iter().chain(files).collect())
}
