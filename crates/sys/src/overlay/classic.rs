//! What older kernels cannot do by descriptor alone, done in a mount namespace that exists only for it. Before 6.5 they take
//! all lower directories in one option: by `fsconfig` where they are few, else by `mount(2)`, whose options may fill a page.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::MountFlags;

use super::{Overlay, VALUE_MAX, value};
use crate::mount::{self, Depth, FileSystem};
use crate::{namespace, process};

/// What `mount(2)` copies of its options, the end included.
const OPTIONS_MAX: usize = 4096;

/// A directory that is everywhere, to mount over.
const PLACE: &str = "/proc";

pub(super) fn mount(overlay: &Overlay) -> io::Result<OwnedFd> {
    if let Some(mounted) = by_fsconfig(overlay)? {
        return Ok(mounted);
    }
    in_private_namespace(|| mount_here(overlay))
}

/// A copy of what lies at `part` inside `whole`, a detached mount that this attaches.
pub(super) fn part_of(whole: &OwnedFd, part: &Path) -> io::Result<OwnedFd> {
    in_private_namespace(|| {
        mount::attach(whole.as_fd(), File::open(PLACE)?.as_fd())?;
        let located = crate::path::locate_in_root(whole.as_fd(), part)?;
        mount::clone_fd(located.as_fd(), Depth::Single)
    })
}

/// `None` where the list is longer than `fsconfig` takes.
fn by_fsconfig(overlay: &Overlay) -> io::Result<Option<OwnedFd>> {
    let mut held = Vec::new();
    let lower = joined(&overlay.lower, &mut held)?;
    if lower.len() >= VALUE_MAX {
        return Ok(None);
    }
    let file_system = FileSystem::open("overlay")?;
    file_system.set("lowerdir", &lower)?;
    for (key, path) in overlay.writable() {
        file_system.set(key, &value(path, &mut held)?)?;
    }
    for (key, setting) in overlay.settings() {
        file_system.set(key, setting)?;
    }
    for flag in overlay.flags() {
        file_system.set_flag(flag)?;
    }
    file_system.mount(0).map(Some)
}

/// Runs `work` where nobody sees what it mounts, and returns with the detached copy that it took.
fn in_private_namespace(work: impl FnOnce() -> io::Result<OwnedFd> + Send) -> io::Result<OwnedFd> {
    let there_and_back = || {
        let own = File::open("/proc/thread-self/ns/mnt")?;
        namespace::unshare(namespace::MOUNT)?;
        let private = mount::set_propagation(Path::new("/"), mount::PRIVATE, Depth::Recursive);
        let mounted = private.and_then(|()| work());
        namespace::join(own.as_fd(), namespace::MOUNT)?;
        mounted
    };
    if process::is_single_threaded() {
        return there_and_back();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("overlay".into());
        let mounted = thread.spawn_scoped(scope, there_and_back)?;
        mounted.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn mount_here(overlay: &Overlay) -> io::Result<OwnedFd> {
    let (directory, lower) = relative(&overlay.lower);
    rustix::process::chdir(&directory)?;
    let mut held = Vec::new();
    let options = CString::new(options(overlay, &lower, &mut held)?)?;
    let place = Path::new(PLACE);
    rustix::mount::mount(
        "overlay",
        place,
        "overlay",
        MountFlags::empty(),
        Some(options.as_c_str()),
    )?;
    mount::clone_tree(place, Depth::Single)
}

fn options(overlay: &Overlay, lower: &[PathBuf], held: &mut Vec<File>) -> io::Result<String> {
    let mut options = format!("lowerdir={}", joined(lower, held)?);
    for (key, path) in overlay.writable() {
        options += &format!(",{key}={}", value(path, held)?);
    }
    for (key, setting) in overlay.settings() {
        options += &format!(",{key}={setting}");
    }
    for flag in overlay.flags() {
        options += ",";
        options += flag;
    }
    if options.len() >= OPTIONS_MAX {
        let message = format!(
            "{} layers are more than this kernel mounts (Linux 6.5 lifts the limit)",
            lower.len()
        );
        return Err(io::Error::new(io::ErrorKind::ArgumentListTooLong, message));
    }
    Ok(options)
}

/// The directory that all paths lie below, and the paths as seen from there.
fn relative(paths: &[PathBuf]) -> (PathBuf, Vec<PathBuf>) {
    let shared = |directory: &&Path| {
        paths.iter().all(|path| path.starts_with(directory) && path != directory)
    };
    let directory =
        paths.first().and_then(|first| first.ancestors().find(shared)).unwrap_or(Path::new("/"));
    let seen = paths.iter().map(|path| path.strip_prefix(directory).unwrap_or(path).to_owned());
    (directory.to_owned(), seen.collect())
}

fn joined(paths: &[PathBuf], held: &mut Vec<File>) -> io::Result<String> {
    let values = paths.iter().map(|path| value(path, held)).collect::<io::Result<Vec<_>>>()?;
    Ok(values.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn layered(root: &Path, count: usize) -> Overlay {
        let lower = (0..count).map(|n| {
            let layer = root.join(n.to_string()).join("diff");
            fs::create_dir_all(&layer).unwrap();
            fs::write(layer.join("who"), n.to_string()).unwrap();
            layer
        });
        let lower = lower.collect();
        let (upper, work) = (root.join("upper"), root.join("work"));
        fs::create_dir(&upper).unwrap();
        fs::create_dir(&work).unwrap();
        Overlay { lower, upper: Some(upper), work: Some(work), volatile: true }
    }

    fn read(mount: &OwnedFd, name: &str) -> String {
        fs::read_to_string(format!("{}/{name}", crate::path::by_descriptor(mount.as_fd()))).unwrap()
    }

    #[test]
    fn few_and_many_layers_are_mounted_and_the_host_sees_nothing() {
        for count in [2, 300] {
            let root = tempfile::tempdir().unwrap();
            let overlay = layered(root.path(), count);
            let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
            let mounted = mount(&overlay).unwrap();
            assert_eq!(read(&mounted, "who"), "0");
            assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
            fs::write(format!("{}/new", crate::path::by_descriptor(mounted.as_fd())), "x").unwrap();
            assert!(overlay.upper.unwrap().join("new").exists());
        }
    }

    #[test]
    fn odd_names_are_mounted_too() {
        let root = tempfile::Builder::new().prefix("a:b,c\\d").tempdir().unwrap();
        let mounted = mount(&layered(root.path(), 2)).unwrap();
        assert_eq!(read(&mounted, "who"), "0");
    }

    #[test]
    fn too_many_layers_for_a_page_say_so() {
        let lower: Vec<PathBuf> = (0..2000).map(|n| format!("{n}/diff").into()).collect();
        let error = options(&Overlay::default(), &lower, &mut Vec::new()).unwrap_err();
        assert!(
            error.to_string().contains("2000 layers are more than this kernel mounts"),
            "{error}"
        );
    }

    #[test]
    fn paths_are_shortened_by_what_they_share() {
        let (directory, seen) = relative(&["/d/layers/1/diff".into(), "/d/layers/2/diff".into()]);
        assert_eq!((directory, seen), ("/d/layers".into(), vec!["1/diff".into(), "2/diff".into()]));
        let (directory, seen) = relative(&["/a/b".into(), "/c".into()]);
        assert_eq!((directory, seen), ("/".into(), vec!["a/b".into(), "c".into()]));
    }
}
