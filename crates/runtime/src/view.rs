//! A container's root as the container would see it, made while none of its processes is there to have it: for the
//! engine to copy from and to.
//!
//! The engine executes `gantry-runtime helper view` with one end of a SEQPACKET socket as descriptor 0 and sends one
//! [`Request`]. The helper makes a mount namespace of its own, mounts the root and what belongs into it there, and
//! answers with the root and the namespace, both as descriptors, or with what went wrong. It ends then; the mounts live
//! as long as the descriptors. No program of the container's is run, and no path of it is resolved by name.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use oci::runtime::{Linux, Mount};
use serde::{Deserialize, Serialize};
use sys::mount::{self, FileSystem};
use sys::namespace;
use sys::overlay::Overlay;
use sys::socket;

use crate::error::{Context, Error, Result};
use crate::mounts::{self, Surroundings};
use crate::rootfs;

/// A request with the longest overlay and a great many mounts fits.
const MESSAGE_MAX: usize = 192 << 10;

/// What to make.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// A directory to mount on, seen by the helper only; nothing else that is named here lies below it.
    pub place: PathBuf,
    /// Top layer first.
    pub lower: Vec<PathBuf>,
    /// Where changes go. Without, they go nowhere: mount points that are missing are made in memory.
    pub writable: Option<Writable>,
    pub mounts: Vec<Mount>,
    /// Seals the root, what is mounted into it apart.
    pub read_only: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Writable {
    pub upper: PathBuf,
    pub work: PathBuf,
}

/// The engine's end: the mounts live as long as this does.
#[derive(Debug)]
pub struct View {
    pub root: OwnedFd,
    _namespace: OwnedFd,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    error: Option<String>,
}

/// Has a view made by `runtime`, a command that runs this program.
pub fn open(mut runtime: Command, request: &Request) -> io::Result<View> {
    let (ours, theirs) = socket::pair()?;
    runtime.args(["helper", "view"]).env_clear().stdin(theirs);
    runtime.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = runtime.spawn()?;
    // The command holds its own copy of the socket, which would hide the helper's death.
    drop(runtime);
    let answer = ask(&ours, request);
    child.wait()?;
    answer
}

fn ask(helper: &OwnedFd, request: &Request) -> io::Result<View> {
    socket::send(helper, &serde_json::to_vec(request)?, &[])?;
    let mut buffer = [0; 4096];
    let (length, fds) = socket::receive(helper, &mut buffer)?;
    if length == 0 {
        return Err(io::Error::other("the helper ended without an answer"));
    }
    let answer: Answer = serde_json::from_slice(&buffer[..length])?;
    match (answer.error, <[OwnedFd; 2]>::try_from(fds)) {
        (None, Ok([root, namespace])) => Ok(View { root, _namespace: namespace }),
        (Some(error), _) => Err(io::Error::other(error)),
        (None, Err(_)) => Err(io::Error::other("the helper sent no view")),
    }
}

/// The helper: answers one request on descriptor 0.
pub(crate) fn serve() -> Result<()> {
    let socket = sys::process::inherited_fd(0)
        .ok_or_else(|| Error::invalid("descriptor 0 is no socket of an engine"))?;
    let mut buffer = vec![0; MESSAGE_MAX];
    let (length, _) = socket::receive(&socket, &mut buffer).context(|| "receive the request")?;
    let made = serde_json::from_slice(&buffer[..length])
        .map_err(|error| Error::invalid(format!("request: {error}")))
        .and_then(|request| make(&request));
    let (error, fds) = match &made {
        Ok((root, namespace)) => (None, vec![root.as_fd(), namespace.as_fd()]),
        Err(error) => (Some(error.to_string().chars().take(1000).collect()), Vec::new()),
    };
    let answer = serde_json::to_vec(&Answer { error })
        .map_err(|error| Error::other(format!("answer: {error}")))?;
    socket::send(&socket, &answer, &fds).context(|| "send the answer")
}

fn make(request: &Request) -> Result<(OwnedFd, OwnedFd)> {
    let mut mounts = mounts::prepare(Path::new("/"), &request.mounts, &Linux::default())?;
    namespace::unshare(namespace::MOUNT).context(|| "make a mount namespace")?;
    scratch(&request.place)?;
    let root = overlay(request).mount().context(|| "mount the container's overlay")?;
    let target =
        fs::File::open(request.place.join("root")).context(|| "open the place of the root")?;
    mount::attach(root.as_fd(), target.as_fd()).context(|| "attach the root")?;
    let around = Surroundings { root: root.as_fd(), mount_label: "", own_cgroup_namespace: false };
    for mount in &mut mounts {
        mount.default_propagation(mount::PRIVATE);
        mount.mount(&around)?;
    }
    if request.read_only {
        rootfs::make_read_only(root.as_fd())?;
    }
    let namespace = fs::File::open("/proc/self/ns/mnt").context(|| "open the mount namespace")?;
    Ok((root, namespace.into()))
}

/// A file system in memory over `place`, for the root's place and for changes that nobody keeps.
fn scratch(place: &Path) -> Result<()> {
    let memory = FileSystem::open("tmpfs").context(|| "tmpfs")?;
    memory.set("mode", "700").context(|| "tmpfs")?;
    let memory = memory.mount(0).context(|| "tmpfs")?;
    rootfs::attach(&memory, place)?;
    for name in ["root", "upper", "work"] {
        fs::create_dir(place.join(name)).context(|| "make a directory in memory")?;
    }
    // The root that is seen is the upper directory.
    rustix::fs::chmod(place.join("upper"), 0o755.into()).context(|| "chmod")?;
    Ok(())
}

fn overlay(request: &Request) -> Overlay {
    let (upper, work) = match &request.writable {
        Some(writable) => (writable.upper.clone(), writable.work.clone()),
        None => (request.place.join("upper"), request.place.join("work")),
    };
    let lower = request.lower.clone();
    Overlay { lower, upper: Some(upper), work: Some(work), volatile: false }
}
