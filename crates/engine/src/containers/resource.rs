//! What a path of `cp` means inside a root, by Docker's rules: a slash or a dot at the end follows a last link and asks
//! for a directory, a dot for what is in it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use api::containers::PathStat;
use archive::pack;
use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use super::mounts::clean;
use crate::error::Error;

/// The kernel's own bound.
const MAX_LINKS: usize = 40;

/// Why there is nothing to copy.
#[derive(Debug)]
pub enum Missing {
    NotThere,
    NoPath,
    NoDirectory,
    /// What was looked at, and why that failed.
    Failed(String, io::Error),
}

impl Missing {
    /// In the terms of the request.
    pub fn of(self, path: &str, container: &str) -> Error {
        match self {
            Self::NotThere => {
                Error::not_found(format!("Could not find the file {path} in container {container}"))
            }
            Self::NoPath => Error::invalid("bad parameter: pathcannot be empty"),
            // Docker takes these for failures of its own.
            Self::NoDirectory => Error::system("extraction point is not a directory"),
            Self::Failed(path, cause) => {
                Error::system(format!("lstat {path}: {}", archive::reason(&cause)))
            }
        }
    }
}

/// What a path led to.
#[derive(Debug)]
pub enum Resource {
    /// Shown in the archive under this name.
    Directory(OwnedFd, String),
    /// Anything else, by the directory it is in.
    File(OwnedFd, OsString),
}

impl Resource {
    /// Writes it as an archive.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Self::Directory(directory, shown) => {
                pack::write_directory(directory.as_fd(), shown.as_bytes(), out)
            }
            Self::File(parent, name) => {
                pack::write_file(parent, name, name.as_encoded_bytes(), out)
            }
        }
    }
}

/// Finds what `path` means below `root`.
pub fn find(root: BorrowedFd<'_>, path: &str) -> Result<(PathStat, Resource), Missing> {
    let path = absolute(path)?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Missing::NotThere,
        _ => Missing::Failed(path.clone(), error),
    };
    if path.ends_with('/') || path.ends_with("/.") {
        let (directory, stat) = open_directory(root, Path::new(&path)).map_err(failed)?;
        let name = base(&path);
        let shown = if name == "/" { String::new() } else { name.to_owned() };
        let described = describe(name, &stat, String::new());
        return Ok((described, Resource::Directory(directory, shown)));
    }
    let place = Path::new(&path);
    let (parent, name) = (place.parent().unwrap_or(place), place.file_name().unwrap_or_default());
    let (parent, _) = open_directory(root, parent).map_err(failed)?;
    if sys::path::is_kernel_interface(parent.as_fd()).map_err(failed)? {
        return Err(Missing::NotThere);
    }
    let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| failed(error.into()))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = rustix::fs::openat(&parent, name, flags, Mode::empty())
                .map_err(|error| failed(error.into()))?;
            let described = describe(base(&path), &stat, String::new());
            Ok((described, Resource::Directory(directory, base(&path).to_owned())))
        }
        kind => {
            let target = if kind == FileType::Symlink {
                follow(root, place).map_err(failed)?.to_string_lossy().into_owned()
            } else {
                String::new()
            };
            let name = name.to_owned();
            Ok((describe(base(&path), &stat, target), Resource::File(parent, name)))
        }
    }
}

/// Finds the directory that `path` leads to, links followed; the result has none.
pub fn directory(root: BorrowedFd<'_>, path: &str) -> Result<PathBuf, Missing> {
    let path = absolute(path)?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Missing::NotThere,
        io::ErrorKind::NotADirectory => Missing::NoDirectory,
        _ => Missing::Failed(path.clone(), error),
    };
    let place = follow(root, Path::new(&path)).map_err(failed)?;
    let found = sys::path::locate_in_root(root, &place).map_err(failed)?;
    let stat = rustix::fs::fstat(&found).map_err(|error| failed(error.into()))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(place),
        _ => Err(Missing::NoDirectory),
    }
}

/// Cleaned of `.`, `..` and doubled slashes, but for what its end says.
fn absolute(path: &str) -> Result<String, Missing> {
    if path.is_empty() {
        return Err(Missing::NoPath);
    }
    if path.contains('\0') {
        return Err(Missing::NotThere);
    }
    let mut cleaned = clean(path);
    let slash = if cleaned.ends_with('/') { "" } else { "/" };
    if base(path) == "." {
        cleaned = format!("{cleaned}{slash}.");
    }
    if path.ends_with('/') && !cleaned.ends_with('/') {
        cleaned.push('/');
    }
    Ok(cleaned)
}

/// Go's filepath.Base.
fn base(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit('/').next() {
        Some("") | None => "/",
        Some(name) => name,
    }
}

fn open_directory(root: BorrowedFd<'_>, path: &Path) -> io::Result<(OwnedFd, Stat)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let directory = sys::path::open_in_root(root, path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&directory)?;
    Ok((directory, stat))
}

/// The path behind all links, as far as it exists. It is a name and no more: whoever uses it resolves it anew.
fn follow(root: BorrowedFd<'_>, path: &Path) -> io::Result<PathBuf> {
    let mut left: Vec<OsString> = components(path);
    let mut resolved = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let link = read_link(root, &resolved.join(&name))?;
        let Some(target) = link else {
            resolved.push(name);
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return Err(rustix::io::Errno::LOOP.into());
        }
        if target.has_root() {
            resolved = PathBuf::from("/");
        }
        left.extend(components(&target));
    }
    Ok(resolved)
}

/// Last first.
fn components(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut names: Vec<OsString> = named.collect();
    names.reverse();
    names
}

/// Where a link leads; none for what is no link, or is not there.
fn read_link(root: BorrowedFd<'_>, path: &Path) -> io::Result<Option<PathBuf>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW;
    let place = match sys::path::open_in_root(root, path, flags, Mode::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let stat = rustix::fs::fstat(&place)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(None);
    }
    let target = rustix::fs::readlinkat(&place, c"", Vec::new())?;
    Ok(Some(OsString::from_vec(target.into_bytes()).into()))
}

fn describe(name: &str, stat: &Stat, link_target: String) -> PathStat {
    let mtime = i32::try_from(stat.st_mtime_nsec)
        .ok()
        .and_then(|nanoseconds| Timestamp::new(stat.st_mtime, nanoseconds).ok());
    PathStat {
        name: name.to_owned(),
        size: stat.st_size,
        mode: go_mode(stat.st_mode),
        mtime: mtime.unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
        link_target,
    }
}

/// Go's os.FileMode.
fn go_mode(mode: u32) -> u32 {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Directory => 1 << 31,
        FileType::Symlink => 1 << 27,
        FileType::BlockDevice => 1 << 26,
        FileType::Fifo => 1 << 25,
        FileType::Socket => 1 << 24,
        FileType::CharacterDevice => 1 << 26 | 1 << 21,
        _ => 0,
    };
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = special.into_iter().filter(|(bit, _)| mode & bit != 0);
    special.fold(kind | (mode & 0o777), |mode, (_, bit)| mode | bit)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_end_of_a_path_is_kept() {
        for (path, cleaned) in [
            ("etc", "/etc"),
            ("/etc/", "/etc/"),
            ("/etc/.", "/etc/."),
            ("/etc//../a/./", "/a/./"),
            ("/", "/"),
            ("/.", "/."),
            ("../..", "/"),
        ] {
            assert_eq!(absolute(path).unwrap(), cleaned, "{path}");
        }
        assert!(matches!(absolute(""), Err(Missing::NoPath)));
    }

    #[test]
    fn modes_are_gos() {
        assert_eq!(go_mode(0o040_755), 2_147_484_141);
        assert_eq!(go_mode(0o120_777), 134_218_239);
        assert_eq!(go_mode(0o104_755), 1 << 23 | 0o755);
    }

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("d")).unwrap();
        fs::write(root.path().join("d/f"), "text").unwrap();
        symlink("/d", root.path().join("absolute")).unwrap();
        symlink("d/nowhere", root.path().join("broken")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        symlink("../../../../etc/passwd", root.path().join("up")).unwrap();
        root
    }

    #[test]
    fn a_link_is_followed_where_its_path_says_so() {
        let root = root();
        let fd = File::open(root.path()).unwrap();
        let stat =
            |path: &str| find(fd.as_fd(), path).map(|(stat, _)| (stat.link_target, stat.size > 0));
        assert_eq!(stat("/absolute").unwrap(), ("/d".to_owned(), true));
        assert_eq!(stat("/absolute/").unwrap().0, "");
        assert_eq!(stat("/broken").unwrap().0, "/d/nowhere");
        assert_eq!(stat("/up").unwrap().0, "/etc/passwd");
        assert!(matches!(stat("/nowhere"), Err(Missing::NotThere)));
        assert!(matches!(stat("/d/f/"), Err(Missing::Failed(..))));
        assert!(matches!(stat("/loop"), Err(Missing::Failed(..))));
        assert_eq!(directory(fd.as_fd(), "/absolute").unwrap(), Path::new("/d"));
        assert!(matches!(directory(fd.as_fd(), "/d/f"), Err(Missing::NoDirectory)));
        assert!(matches!(directory(fd.as_fd(), "/up"), Err(Missing::NotThere)));
    }

    #[test]
    fn the_kernels_files_are_not_there() {
        let root = File::open("/").unwrap();
        assert!(matches!(find(root.as_fd(), "/proc/self/status"), Err(Missing::NotThere)));
        assert!(matches!(find(root.as_fd(), "/proc/version"), Err(Missing::NotThere)));
        let (_, proc) = find(root.as_fd(), "/proc").unwrap();
        let mut tar = Vec::new();
        proc.write(&mut tar).unwrap();
        assert_eq!(tar.len(), 3 * 512, "the directory and the end");
    }
}
