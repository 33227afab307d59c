//! A container's writable layer becomes a layer as it lies there: moved, never copied. Its tar is written into hash and
//! tar-split alone, byte for byte what `commit` would give.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use archive::reader::Sink as _;
use archive::{pack, walk};
use rustix::fs::{AtFlags, Gid, Mode, Uid};
use rustix::io::Errno;
use sys::overlay::Overlay;

use crate::database::Durability;
use crate::error::{Error, Result};
use crate::layers::StagedLayer;
use crate::layers::pipeline::{self, CHUNK, Chunk, QUEUE};
use crate::layers::split::{DIFF, Recorder};
use crate::leases::Lease;
use crate::snapshots::stubs;
use crate::{Layer, Store};

impl Store {
    /// What a container changed, which has ended and is of no other use from now on. None where it changed nothing.
    /// `places` is where something was mounted in it beside what is mounted in every container: what was made there to be
    /// mounted on is no change.
    ///
    /// The layer is not synced: a loss of power takes it away again, unless an image has it by then.
    pub fn seal(
        &self,
        container: &str,
        places: &[PathBuf],
        lease: &Lease<'_>,
    ) -> Result<Option<Layer>> {
        let failed = |error: io::Error| Error::io(format!("seal container {container}"), error);
        let snapshot = self.snapshots().get(container)?;
        let staged = self.root.stage()?;
        let diff = staged.path().join(DIFF);
        std::fs::rename(snapshot.directory().join(DIFF), &diff).map_err(failed)?;
        let upper = OwnedFd::from(File::open(&diff).map_err(failed)?);
        let lower = Overlay { lower: snapshot.lower(), ..Overlay::default() };
        let stubs = stubs_of(&diff, &upper, &lower, places).map_err(failed)?;
        remove_stubs(&upper, &stubs).map_err(failed)?;
        plain_root(&diff, &upper).map_err(failed)?;
        let sealed = write(&upper, staged.path(), self.limits.layer).map_err(failed)?;
        if sealed.written.members == 0 {
            return Ok(None);
        }
        let staged = StagedLayer {
            staged,
            blob: sealed.diff_id.clone(),
            diff_id: sealed.diff_id,
            size: sealed.written.size,
            own: sealed.written.size,
            over: None,
            tar_size: sealed.tar_size,
            download: None,
        };
        self.add_staged(staged, lease, Durability::ProcessDeath).map(Some)
    }
}

/// Places are found as the container found them: by way of its own links.
fn stubs_of(
    diff: &Path,
    upper: &OwnedFd,
    lower: &Overlay,
    places: &[PathBuf],
) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = Vec::new();
    if !places.is_empty() {
        let mut merged = lower.clone();
        merged.lower.insert(0, diff.to_owned());
        let merged = merged.mount()?;
        found.extend(places.iter().filter_map(|place| located(&merged, place)));
    }
    stubs(upper, &lower.mount()?, &found)
}

/// Where in the tree a path leads, without links; nowhere where it was removed.
fn located(root: &OwnedFd, place: &Path) -> Option<PathBuf> {
    let path_of = |fd: &OwnedFd| std::fs::read_link(sys::path::by_descriptor(fd.as_fd())).ok();
    let found = sys::path::locate_in_root(root.as_fd(), place).ok()?;
    path_of(&found)?.strip_prefix(path_of(root)?).ok().map(Path::to_owned)
}

struct Sealed {
    written: pack::Written,
    diff_id: oci::Digest,
    tar_size: u64,
}

/// The tree is read on this thread, and hashed on another.
fn write(upper: &OwnedFd, layer: &Path, most: u64) -> io::Result<Sealed> {
    std::thread::scope(|scope| {
        let (hashed, input) = sync_channel::<Chunk>(QUEUE);
        let hasher = scope.spawn(move || pipeline::hash(&input));
        let mut sink = Sealing {
            hashed,
            chunk: Vec::with_capacity(CHUNK),
            recorder: Recorder::create(layer)?,
            content: 0,
            left: most,
        };
        let written = pack::seal_layer(upper, &mut sink)?;
        sink.flush()?;
        let Sealing { recorder, hashed, .. } = sink;
        drop(hashed);
        recorder.finish()?;
        let (diff_id, tar_size) =
            hasher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Sealed { written, diff_id, tar_size })
    })
}

/// Takes the tar apart: all of it to the hash, what is not content to the tar-split.
struct Sealing {
    hashed: SyncSender<Chunk>,
    chunk: Vec<u8>,
    recorder: Recorder,
    /// Bytes of a file's content that come next.
    content: u64,
    /// What a layer may still have.
    left: u64,
}

impl Write for Sealing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK - self.chunk.len());
        let bytes = &bytes[..count];
        self.left = self.left.checked_sub(count as u64).ok_or_else(too_large)?;
        let content = bytes.len().min(usize::try_from(self.content).unwrap_or(usize::MAX));
        self.content -= content as u64;
        if content < bytes.len() {
            self.recorder.framing(&bytes[content..])?;
        }
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() == CHUNK {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        // The hasher takes all there is until this side ends.
        self.hashed
            .send(Arc::new(chunk))
            .map_err(|_| io::Error::other("the hashing thread has ended"))
    }
}

impl pack::Sink for Sealing {
    fn payload(&mut self, path: &Path, size: u64) -> io::Result<()> {
        self.content = size;
        self.recorder.payload(path, size)
    }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "the layer is larger than the limit")
}

/// Innermost first; that they were ever there shows in no time.
fn remove_stubs(upper: &OwnedFd, stubs: &BTreeSet<PathBuf>) -> io::Result<()> {
    for stub in stubs.iter().rev() {
        let (Some(name), Some(parent)) = (stub.file_name(), stub.parent()) else { continue };
        let parent = walk::open_directory(upper.as_fd(), parent)?;
        let stat = rustix::fs::fstat(&parent)?;
        match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?,
            result => result?,
        }
        pack::restore_times(parent.as_fd(), &stat)?;
    }
    Ok(())
}

/// A tar of a layer says nothing of its root, so what a step did to that ends with the step, as it does in the images
/// that Docker pushes.
fn plain_root(diff: &Path, upper: &OwnedFd) -> io::Result<()> {
    // Not as a directory's: hiding what lies below is nothing that a root may do.
    pack::strip(diff, archive::Kind::File)?;
    rustix::fs::fchown(upper, Some(Uid::ROOT), Some(Gid::ROOT))?;
    Ok(rustix::fs::fchmod(upper, Mode::from_raw_mode(0o755))?)
}
