//! Paths inside a container's root, resolved by descriptor: symbolic links cannot leave the root,
//! and magic links are never followed.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

/// A refusal of the kernel to go on because a tree was renamed meanwhile is tried again this often.
const RACE_RETRIES: u32 = 32;

/// Opens `path` inside `root` as if `root` were `/`.
pub fn open_in_root(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut tries = 0;
    loop {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        match rustix::fs::openat2(root, relative, flags | OFlags::CLOEXEC, mode, resolve) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) if tries < RACE_RETRIES => {
                tries += 1;
            }
            result => return Ok(result?),
        }
    }
}

/// A place in the tree, not opened for reading or writing.
pub fn locate_in_root(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    open_in_root(root, path, OFlags::PATH, Mode::empty())
}

/// The directory at `path` inside `root`, made component by component where it is missing.
pub fn create_dir_all_in_root(
    root: BorrowedFd<'_>,
    path: &Path,
    mode: Mode,
) -> io::Result<OwnedFd> {
    match open_in_root(root, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let mut walked = std::path::PathBuf::from("/");
    let mut directory = locate_in_root(root, &walked)?;
    for name in path.components().filter_map(plain_name) {
        walked.push(name?);
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        directory = match open_in_root(root, &walked, flags, Mode::empty()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let leaf = walked.file_name().unwrap_or(OsStr::new("."));
                make_dir(directory.as_fd(), leaf, mode)?
            }
            result => result?,
        };
    }
    Ok(directory)
}

/// The file at `path` inside `root`, made empty, its directories too, where it is missing.
pub fn create_file_in_root(root: BorrowedFd<'_>, path: &Path, mode: Mode) -> io::Result<OwnedFd> {
    match locate_in_root(root, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let (directory, leaf) = create_parent_in_root(root, path)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(&directory, leaf, flags | OFlags::NOFOLLOW, mode)?)
}

/// The directory that holds `path`'s last name, made where it is missing, and that name.
pub fn create_parent_in_root<'a>(
    root: BorrowedFd<'_>,
    path: &'a Path,
) -> io::Result<(OwnedFd, &'a OsStr)> {
    let leaf = path.file_name().ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    let parent = path.parent().unwrap_or(Path::new("/"));
    let directory = create_dir_all_in_root(root, parent, Mode::from_raw_mode(0o755))?;
    Ok((directory, leaf))
}

fn plain_name(component: Component<'_>) -> Option<io::Result<&OsStr>> {
    match component {
        Component::Normal(name) => Some(Ok(name)),
        // Half made and then climbed out of: no honest configuration has it.
        Component::ParentDir => Some(Err(io::Error::from_raw_os_error(libc::EINVAL))),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    }
}

/// Makes one directory and opens it, refusing whatever was put in its place meanwhile.
fn make_dir(parent: BorrowedFd<'_>, name: &OsStr, mode: Mode) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(parent, name, mode) {
        // A dangling link of that name: following it would make directories where it leads.
        Err(rustix::io::Errno::EXIST) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

/// The path of an open file that works in calls without an `AT_EMPTY_PATH` of their own.
///
/// Only for the caller's own trusted procfs.
pub fn by_descriptor(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Fails unless `fd` is the character device `major`:`minor`.
pub fn verify_device(fd: BorrowedFd<'_>, major: u32, minor: u32) -> io::Result<()> {
    let stat = rustix::fs::fstat(fd)?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && stat.st_rdev == rustix::fs::makedev(major, minor);
    if is_device {
        Ok(())
    } else {
        Err(io::Error::other(format!("not the character device {major}:{minor}")))
    }
}

/// Fails unless `fd` is on a file system of the given magic number.
pub fn verify_filesystem(fd: BorrowedFd<'_>, magic: u64) -> io::Result<()> {
    let found = rustix::fs::fstatfs(fd)?.f_type as u64;
    if found == magic {
        Ok(())
    } else {
        Err(io::Error::other(format!("file system {found:#x} where {magic:#x} is expected")))
    }
}

/// Whether what `fd` is open on is no storage, but the kernel's way to show something else (procfs, sysfs, cgroups,
/// terminals, ...): its files may have any effect when they are read or written.
pub fn is_kernel_interface(fd: BorrowedFd<'_>) -> io::Result<bool> {
    const MAGICS: [u32; 18] = [
        0x9fa0,      // proc
        0x6265_6572, // sysfs
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0x1cd1,      // devpts
        0x1980_0202, // mqueue
        0xcafe_4a11, // bpf
        0x6462_6720, // debugfs
        0x7472_6163, // tracefs
        0x7363_6673, // securityfs
        0xf97c_ff8c, // selinuxfs
        0x4249_4e4d, // binfmt_misc
        0x6265_6570, // configfs
        0xde5e_81e4, // efivarfs
        0x6165_676c, // pstore
        0x6e73_6673, // nsfs
        0x6c6f_6f70, // binderfs
        0x6573_5543, // fusectl
    ];
    Ok(MAGICS.contains(&(rustix::fs::fstatfs(fd)?.f_type as u32)))
}

/// Whether a path has a NUL byte, which no system call can pass.
pub fn has_nul(path: &Path) -> bool {
    path.as_os_str().as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn storage_is_told_from_the_kernels_own_files() {
        let is = |path| is_kernel_interface(fs::File::open(path).unwrap().as_fd()).unwrap();
        assert!(is("/proc") && is("/sys") && is("/dev/pts"));
        assert!(!is("/") && !is("/tmp"));
    }

    fn root() -> (tempfile::TempDir, fs::File) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("root")).unwrap();
        let fd = fs::File::open(directory.path().join("root")).unwrap();
        (directory, fd)
    }

    const MODE: Mode = Mode::from_raw_mode(0o755);

    #[test]
    fn cve_2021_30465_a_link_to_the_outside_stays_inside() {
        let (directory, fd) = root();
        symlink("../../../../tmp", directory.path().join("root/escape")).unwrap();
        symlink("/etc", directory.path().join("root/absolute")).unwrap();
        assert!(locate_in_root(fd.as_fd(), Path::new("/escape/x")).is_err());
        let error = locate_in_root(fd.as_fd(), Path::new("/absolute/passwd")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn cve_2024_45310_missing_targets_are_made_inside_the_root_only() {
        let (directory, fd) = root();
        let outside = directory.path().join("outside");
        symlink(&outside, directory.path().join("root/link")).unwrap();
        assert!(create_dir_all_in_root(fd.as_fd(), Path::new("/link/a"), MODE).is_err());
        assert!(create_file_in_root(fd.as_fd(), Path::new("/link"), MODE).is_err());
        assert!(!outside.exists());
        create_dir_all_in_root(fd.as_fd(), Path::new("/a/b/c"), MODE).unwrap();
        create_file_in_root(fd.as_fd(), Path::new("/a/b/f"), MODE).unwrap();
        assert!(directory.path().join("root/a/b/c").is_dir());
        assert!(directory.path().join("root/a/b/f").is_file());
    }

    #[test]
    fn cve_2024_21626_magic_links_are_not_followed() {
        let proc = fs::File::open("/proc").unwrap();
        let error = locate_in_root(proc.as_fd(), Path::new("/self/fd/0")).unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(libc::ELOOP | libc::EXDEV)), "{error}");
    }

    #[test]
    fn a_file_is_not_taken_for_a_device() {
        let null = fs::File::open("/dev/null").unwrap();
        verify_device(null.as_fd(), 1, 3).unwrap();
        let zero = fs::File::open("/dev/zero").unwrap();
        assert!(verify_device(zero.as_fd(), 1, 3).is_err());
    }
}
