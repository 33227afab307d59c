//! Trees as tar streams: a container's whole root, or its writable layer as a layer of an image.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::FileType;

use super::walk::{Object, walk};
use crate::tar::{Entry, Kind, Time, writer};

/// What the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// A root as a container sees it.
    Merged,
    /// The upper directory of an overlay: its whiteouts and opaque directories become those of an image's layer.
    Upper,
}

const OPAQUE: &str = "trusted.overlay.opaque";
/// Extended attributes of these kinds belong to the content; the rest to the host's policy or to the overlay.
const KEPT: [&[u8]; 2] = [b"security.capability", b"user."];

/// Writes the tree without its root directory. Sockets are left out: a tar has no way to say one.
pub(super) fn write(root: BorrowedFd<'_>, tree: Tree, out: &mut dyn Write) -> io::Result<()> {
    let mut archive = Archive { out, tree, linked: HashMap::new() };
    walk(root, &mut |object| archive.add(object))?;
    writer::finish(archive.out)
}

struct Archive<'a> {
    out: &'a mut dyn Write,
    tree: Tree,
    /// Files of several names, by device and inode, and the first name of each.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl Archive<'_> {
    fn add(&mut self, object: &Object<'_>) -> io::Result<()> {
        let path = object.path.as_os_str().as_bytes().to_vec();
        if self.tree == Tree::Upper && object.is_whiteout() {
            return self
                .header(Entry { path: marker(object.path, b".wh."), ..entry(object, Kind::File) });
        }
        match object.kind() {
            FileType::Directory => self.directory(object, path),
            FileType::RegularFile => self.file(object, path),
            FileType::Symlink => {
                let link = object.target()?;
                self.header(Entry { path, link, ..entry(object, Kind::Symlink) })
            }
            FileType::CharacterDevice => self.device(object, path, Kind::CharDevice),
            FileType::BlockDevice => self.device(object, path, Kind::BlockDevice),
            FileType::Fifo => self.header(Entry { path, ..entry(object, Kind::Fifo) }),
            _ => Ok(()),
        }
    }

    fn directory(&mut self, object: &Object<'_>, mut path: Vec<u8>) -> io::Result<()> {
        let Some(directory) = object.open()? else { return Ok(()) };
        path.push(b'/');
        let xattrs = attributes(&directory)?;
        self.header(Entry { path: path.clone(), xattrs, ..entry(object, Kind::Directory) })?;
        if self.tree == Tree::Upper && is_opaque(&directory) {
            path.extend(b".wh..wh..opq");
            return self.header(Entry { path, ..entry(object, Kind::File) });
        }
        Ok(())
    }

    fn file(&mut self, object: &Object<'_>, path: Vec<u8>) -> io::Result<()> {
        if object.stat.st_nlink > 1 {
            let inode = (object.stat.st_dev, object.stat.st_ino);
            if let Some(first) = self.linked.get(&inode) {
                let link = first.clone();
                return self.header(Entry { path, link, ..entry(object, Kind::HardLink) });
            }
            self.linked.insert(inode, path.clone());
        }
        let Some(file) = object.open()? else { return Ok(()) };
        let size = object.stat.st_size.cast_unsigned();
        let xattrs = attributes(&file)?;
        self.header(Entry { path, xattrs, size, stored: size, ..entry(object, Kind::File) })?;
        self.content(File::from(file), size)
    }

    /// Exactly as many bytes as the header promised, whatever the file has become meanwhile.
    fn content(&mut self, file: File, size: u64) -> io::Result<()> {
        let copied = io::copy(&mut file.take(size), self.out)?;
        io::copy(&mut io::repeat(0).take(size - copied), self.out)?;
        writer::pad(self.out, size)
    }

    fn device(&mut self, object: &Object<'_>, path: Vec<u8>, kind: Kind) -> io::Result<()> {
        let number = object.stat.st_rdev;
        let device = (rustix::fs::major(number), rustix::fs::minor(number));
        self.header(Entry { path, device, ..entry(object, kind) })
    }

    fn header(&mut self, entry: Entry) -> io::Result<()> {
        writer::write_header(self.out, &entry)
    }
}

/// The metadata of an object, without path and content.
fn entry(object: &Object<'_>, kind: Kind) -> Entry {
    let stat = object.stat;
    Entry {
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Time {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        },
        ..writer::plain(0)
    }
}

fn marker(path: &Path, prefix: &[u8]) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let directory = path.parent().unwrap_or(Path::new("")).join("");
    [directory.as_os_str().as_bytes(), prefix, name].concat()
}

fn is_opaque(directory: &OwnedFd) -> bool {
    let mut value = [0; 1];
    rustix::fs::fgetxattr(directory, OPAQUE, &mut value).is_ok() && value == *b"y"
}

fn attributes(file: &OwnedFd) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    // 64 KiB each is the kernel's limit for the list and for a value.
    let mut names = vec![0; 1 << 16];
    let length = match rustix::fs::flistxattr(file, &mut names) {
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        length => length?,
    };
    let names = names[..length].split(|byte| *byte == 0);
    let kept = names.filter(|name| KEPT.iter().any(|kept| name.starts_with(kept)));
    kept.map(|name| Ok((name.to_vec(), attribute(file, name)?))).collect()
}

fn attribute(file: &OwnedFd, name: &[u8]) -> io::Result<Vec<u8>> {
    let mut value = vec![0; 1 << 16];
    let length = rustix::fs::fgetxattr(file, name, &mut value)?;
    value.truncate(length);
    Ok(value)
}
