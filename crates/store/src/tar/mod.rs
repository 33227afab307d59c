//! Tar streams: ustar, GNU and PAX. The reader is bounded in everything and tells payload from the rest, which
//! the tar-split stream needs byte for byte; no library offers both.

pub(crate) mod header;
pub(crate) mod pax;
pub(crate) mod reader;
pub(crate) mod sparse;
pub(crate) mod writer;

pub(crate) const BLOCK: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

/// One member of an archive. Paths are as written, to be checked by who uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Time,
    pub(crate) device: (u32, u32),
    /// Bytes in the stream; for a sparse file fewer than it has.
    pub(crate) stored: u64,
    /// Size of the file, holes included.
    pub(crate) size: u64,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) sparse: Option<sparse::Map>,
}

/// Bounds on an archive; what goes beyond is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub entries: u64,
    /// Bytes of a path or link target.
    pub path: usize,
    /// Bytes of one entry's extended headers.
    pub metadata: usize,
    /// Bytes of one uncompressed layer.
    pub layer: u64,
    /// Uncompressed bytes per compressed byte, counted after the first GiB.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { entries: 4_000_000, path: 4096, metadata: 1 << 20, layer: 1 << 40, ratio: 2000 }
    }
}
