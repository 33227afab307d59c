//! Tar streams: ustar, GNU and PAX, compressed or not. The reader is bounded in everything and tells payload from the rest, which
//! the tar-split stream needs byte for byte; no library offers both.
//!
//! [`pack`] writes what lies below a directory as a tar, [`unpack`] the reverse, both by descriptor: whoever owns the
//! tree, or made the archive, may swap names and links meanwhile and leads nowhere outside of it.

pub mod compression;
pub mod header;
pub mod pack;
pub mod pax;
pub mod reader;
pub mod sparse;
pub mod unpack;
pub mod walk;
pub mod writer;

pub const BLOCK: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// One member of an archive. Paths are as written, to be checked by who uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    pub device: (u32, u32),
    /// Bytes in the stream; for a sparse file fewer than it has.
    pub stored: u64,
    /// Size of the file, holes included.
    pub size: u64,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Option<sparse::Map>,
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

/// An error of the system as Go words it: `no space left on device`.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(_) => text.split(" (os error").next().unwrap_or(&text).to_lowercase(),
        None => text,
    }
}
