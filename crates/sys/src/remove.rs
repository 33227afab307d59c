//! Removing trees that others have filled.
//!
//! A container may nest directories as deeply as its disk allows: recursion would end this process, and a descriptor
//! for each level would starve it. So a directory that is not empty is first moved up to the top of the tree, and
//! everything is removed from there, two descriptors at a time. No link is followed, and nothing is removed of what is
//! mounted there.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

/// Removes the directory at `path` and everything below it, as far as it can; the first failure is returned.
pub fn tree(path: &Path) -> io::Result<()> {
    let mut tree = Tree { top: open(CWD, path.as_os_str())?, moved: 0, pending: Vec::new() };
    tree.pending = names(&tree.top)?;
    let mut failure = None;
    while let Some(name) = tree.pending.pop() {
        if let Err(error) = tree.remove(&name) {
            failure.get_or_insert(error);
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(std::fs::remove_dir(path)?),
    }
}

struct Tree {
    top: OwnedFd,
    /// Directories moved up so far: their names.
    moved: u64,
    /// Names in `top`.
    pending: Vec<OsString>,
}

impl Tree {
    fn remove(&mut self, name: &OsStr) -> io::Result<()> {
        if remove_leaf(&self.top, name)? {
            return Ok(());
        }
        let directory = enter(&self.top, name)?;
        for inner in names(&directory)? {
            if !remove_leaf(&directory, &inner)? {
                self.move_up(&directory, &inner)?;
            }
        }
        Ok(rustix::fs::unlinkat(&self.top, name, AtFlags::REMOVEDIR)?)
    }

    fn move_up(&mut self, directory: &OwnedFd, name: &OsStr) -> io::Result<()> {
        loop {
            let target = OsString::from(self.moved.to_string());
            self.moved += 1;
            let flags = RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(directory, name, &self.top, &target, flags) {
                // Somebody's own file has such a name.
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.pending.push(target);
                    return Ok(());
                }
            }
        }
    }
}

/// Whether it was anything but a directory with something in it.
fn remove_leaf(parent: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::ISDIR) => {}
        Err(error) => return Err(error.into()),
    }
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A directory that something is mounted on is refused.
fn enter(parent: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::BENEATH;
    Ok(rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve)?)
}

fn open(parent: impl std::os::fd::AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_tree_goes_and_what_its_links_name_stays() {
        let place = tempfile::tempdir().unwrap();
        let (tree_path, outside) = (place.path().join("tree"), place.path().join("outside"));
        fs::create_dir_all(tree_path.join("a/b/0")).unwrap();
        fs::create_dir_all(tree_path.join("1/2")).unwrap();
        fs::write(tree_path.join("0"), "a file named as the moved ones are").unwrap();
        fs::write(tree_path.join("a/b/0/file"), "").unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "").unwrap();
        symlink(&outside, tree_path.join("a/link")).unwrap();
        tree(&tree_path).unwrap();
        assert!(!tree_path.exists());
        assert!(outside.join("kept").exists());
        assert_eq!(tree(&tree_path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_mounted_below_is_not_removed() {
        let place = tempfile::tempdir().unwrap();
        let (tree_path, mounted) = (place.path().join("tree"), place.path().join("tree/a/mount"));
        let precious = place.path().join("precious");
        fs::create_dir_all(&mounted).unwrap();
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "").unwrap();
        let bind = crate::mount::clone_tree(&precious, crate::mount::Depth::Single).unwrap();
        let target = fs::File::open(&mounted).unwrap();
        crate::mount::attach(bind.as_fd(), target.as_fd()).unwrap();
        let removed = tree(&tree_path);
        crate::mount::detach(&mounted).unwrap();
        assert!(removed.is_err());
        assert!(precious.join("file").exists());
    }

    #[test]
    fn a_tree_deeper_than_any_path_goes() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().join("deep");
        fs::create_dir(&top).unwrap();
        let mut directory = open(CWD, top.as_os_str()).unwrap();
        for _ in 0..20_000 {
            rustix::fs::mkdirat(&directory, "d", Mode::from_raw_mode(0o700)).unwrap();
            directory = open(&directory, OsStr::new("d")).unwrap();
        }
        tree(&top).unwrap();
        assert!(!top.exists());
    }
}
