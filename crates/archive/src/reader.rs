//! Iterates over a tar stream.
//!
//! Every byte that is not a file's payload is handed to the [`Sink`] in order, so that headers, padding and trailer
//! plus the payloads make the exact stream again.

use std::io::{self, Read};

use super::header::{Header, invalid};
use super::pax::{self, Records};
use super::{BLOCK, Entry, Kind, Limits, Time, sparse};

/// Takes the bytes around payloads.
pub trait Sink {
    fn framing(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// For archives that are only read.
pub struct Forget;

impl Sink for Forget {
    fn framing(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

pub struct Reader<R, S> {
    source: R,
    sink: S,
    limits: Limits,
    entries: u64,
    /// Payload of the current entry that was not read yet, and the padding behind it.
    remaining: u64,
    padding: usize,
    global: Records,
    finished: bool,
}

/// What extension entries said about the entry that follows them.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Records,
    bytes: usize,
}

impl<R: Read, S: Sink> Reader<R, S> {
    pub fn new(source: R, sink: S, limits: Limits) -> Reader<R, S> {
        Reader {
            source,
            sink,
            limits,
            entries: 0,
            remaining: 0,
            padding: 0,
            global: Records::new(),
            finished: false,
        }
    }

    pub fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    pub fn into_sink(self) -> S {
        self.sink
    }

    /// The next entry, after what is left of the current one; `None` after the end marker or a clean end.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        self.skip_payload()?;
        let mut extensions = Extensions::default();
        while let Some(block) = self.header_block()? {
            self.count_entry()?;
            let header = Header(&block);
            let size = header.number(124..136)?;
            match header.type_flag() {
                b'x' => self.read_pax(size, &mut extensions)?,
                b'g' => self.read_global(size)?,
                b'L' => extensions.path = Some(self.read_long_name(size)?),
                b'K' => extensions.link = Some(self.read_long_name(size)?),
                _ => return self.entry(&block, extensions).map(Some),
            }
        }
        Ok(None)
    }

    /// Reads payload of the current entry; 0 at its end.
    pub fn read_payload(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = retry(|| self.source.read(&mut buffer[..wanted]))?;
        if count == 0 {
            return Err(unexpected_end());
        }
        self.remaining -= count as u64;
        Ok(count)
    }

    /// Hands the rest of the payload to the sink, as if it were framing.
    pub fn skip_payload(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        loop {
            let count = self.read_payload(&mut buffer)?;
            if count == 0 {
                break;
            }
            self.sink.framing(&buffer[..count])?;
        }
        let padding = std::mem::take(&mut self.padding);
        self.source.read_exact(&mut buffer[..padding]).map_err(end_is_unexpected)?;
        self.sink.framing(&buffer[..padding])
    }

    /// Reads what follows the end marker, to the end of the stream.
    pub fn drain(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        loop {
            match retry(|| self.source.read(&mut buffer))? {
                0 => return Ok(()),
                count => self.sink.framing(&buffer[..count])?,
            }
        }
    }

    fn count_entry(&mut self) -> io::Result<()> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(invalid("too many entries"));
        }
        Ok(())
    }

    /// A header block, or `None` at the end. Two zero blocks end an archive, as does a clean end of the stream.
    fn header_block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        if self.finished {
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        let count = self.read_full(&mut block)?;
        self.sink.framing(&block[..count])?;
        self.finished = true;
        match count {
            0 => return Ok(None),
            BLOCK => {}
            _ => return Err(unexpected_end()),
        }
        if block == [0; BLOCK] {
            let count = self.read_full(&mut block)?;
            self.sink.framing(&block[..count])?;
            return match count {
                0 => Ok(None),
                BLOCK if block == [0; BLOCK] => Ok(None),
                BLOCK => Err(invalid("one zero block")),
                _ => Err(unexpected_end()),
            };
        }
        self.finished = false;
        Header(&block).verify()?;
        Ok(Some(block))
    }

    fn read_full(&mut self, block: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < block.len() {
            match retry(|| self.source.read(&mut block[filled..]))? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    fn read_metadata(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let length = usize::try_from(size).ok().filter(|length| *length <= self.limits.metadata);
        let length = length.ok_or_else(|| invalid("extended header too large"))?;
        let mut bytes = vec![0; length.next_multiple_of(BLOCK)];
        self.source.read_exact(&mut bytes).map_err(end_is_unexpected)?;
        self.sink.framing(&bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    fn read_long_name(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let bytes = self.read_metadata(size)?;
        Ok(super::header::text(&bytes).to_vec())
    }

    fn read_global(&mut self, size: u64) -> io::Result<()> {
        let records = pax::parse(&self.read_metadata(size)?)?;
        self.global.extend(records);
        let held: usize = self.global.iter().map(|(key, value)| key.len() + value.len()).sum();
        if held > self.limits.metadata {
            return Err(invalid("extended header too large"));
        }
        Ok(())
    }

    fn read_pax(&mut self, size: u64, extensions: &mut Extensions) -> io::Result<()> {
        let bytes = self.read_metadata(size)?;
        extensions.bytes += bytes.len();
        if extensions.bytes > self.limits.metadata {
            return Err(invalid("extended header too large"));
        }
        let mut list = Vec::new();
        for (key, value) in pax::parse(&bytes)? {
            if key == b"GNU.sparse.offset" || key == b"GNU.sparse.numbytes" {
                list.push(value);
            } else {
                extensions.records.insert(key, value);
            }
        }
        if !list.is_empty() {
            extensions.records.insert(b"GNU.sparse.map".to_vec(), list.join(&b','));
        }
        Ok(())
    }

    fn entry(&mut self, block: &[u8; BLOCK], extensions: Extensions) -> io::Result<Entry> {
        let header = Header(block);
        let mut records = self.global.clone();
        records.extend(extensions.records);
        let mut entry = basic_entry(&header, &records, extensions.path, extensions.link)?;
        let has_payload = matches!(entry.kind, Kind::File);
        self.remaining = if has_payload { entry.stored } else { 0 };
        self.padding = padding(self.remaining);
        if has_payload {
            self.read_sparse_map(&header, &records, &mut entry)?;
        }
        if entry.path.len() > self.limits.path || entry.link.len() > self.limits.path {
            return Err(invalid("path too long"));
        }
        if entry.path.contains(&0) || entry.link.contains(&0) {
            return Err(invalid("NUL in a path"));
        }
        Ok(entry)
    }

    fn read_sparse_map(
        &mut self,
        header: &Header<'_>,
        records: &Records,
        entry: &mut Entry,
    ) -> io::Result<()> {
        let map = if header.type_flag() == b'S' && header.is_gnu() {
            entry.size = header.number(483..495)?;
            self.read_gnu_map(header)?
        } else if records.get(b"GNU.sparse.major".as_slice()).is_some_and(|major| major == b"1") {
            self.read_payload_map()?
        } else if let Some(list) = records.get(b"GNU.sparse.map".as_slice()) {
            sparse::Map::from_list(list)?
        } else {
            return Ok(());
        };
        let (name, size) = sparse::real_name_and_size(records)?;
        if let Some(name) = name {
            entry.path.clone_from(name);
        }
        entry.size = size.unwrap_or(entry.size);
        entry.stored = self.remaining;
        map.verify(entry.size, entry.stored)?;
        entry.sparse = Some(map);
        Ok(())
    }

    fn read_gnu_map(&mut self, header: &Header<'_>) -> io::Result<sparse::Map> {
        let mut map = sparse::Map::default();
        map.push_gnu(&header.0[386..482])?;
        let mut more = header.0[482] != 0;
        while more {
            let mut block = [0; BLOCK];
            self.source.read_exact(&mut block).map_err(end_is_unexpected)?;
            self.sink.framing(&block)?;
            map.push_gnu(&block[..504])?;
            more = block[504] != 0;
        }
        Ok(map)
    }

    fn read_payload_map(&mut self) -> io::Result<sparse::Map> {
        let mut block = [0; BLOCK];
        let mut at = BLOCK;
        sparse::Map::from_lines(|| {
            let mut line = Vec::new();
            loop {
                if at == BLOCK {
                    self.remaining =
                        self.remaining.checked_sub(BLOCK as u64).ok_or_else(unexpected_end)?;
                    self.source.read_exact(&mut block).map_err(end_is_unexpected)?;
                    self.sink.framing(&block)?;
                    at = 0;
                }
                at += 1;
                match block[at - 1] {
                    b'\n' => return Ok(line),
                    byte if line.len() < 20 => line.push(byte),
                    _ => return Err(invalid("sparse map")),
                }
            }
        })
    }
}

fn basic_entry(
    header: &Header<'_>,
    records: &Records,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
) -> io::Result<Entry> {
    let record = |key: &str| records.get(key.as_bytes());
    let number = |key: &str, field: std::ops::Range<usize>| match record(key) {
        Some(text) => pax::integer(text),
        None => header.number(field),
    };
    let path = record("path").cloned().or(long_path).unwrap_or_else(|| header.path());
    let link = record("linkpath").cloned().or(long_link).unwrap_or_else(|| header.link());
    let mtime = match record("mtime") {
        Some(text) => pax::time(text)?,
        None => Time { seconds: header.signed(136..148)?, nanoseconds: 0 },
    };
    let (major, minor) = header.device()?;
    let size = number("size", 124..136)?;
    Ok(Entry {
        kind: kind(header.type_flag(), &path)?,
        link,
        mode: u32::try_from(header.number(100..108)? & 0o7777).map_err(|_| invalid("mode"))?,
        uid: id(number("uid", 108..116)?)?,
        gid: id(number("gid", 116..124)?)?,
        mtime,
        device: (device_number(major)?, device_number(minor)?),
        stored: size,
        size,
        xattrs: xattrs(records),
        sparse: None,
        path,
    })
}

fn kind(flag: u8, path: &[u8]) -> io::Result<Kind> {
    Ok(match flag {
        // Old archives mark directories by a slash alone.
        0 | b'0' if path.ends_with(b"/") => Kind::Directory,
        0 | b'0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharDevice,
        b'4' => Kind::BlockDevice,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        _ => return Err(invalid("unknown type of entry")),
    })
}

/// All ones means "leave the owner alone" to the kernel, so it is no id.
fn id(number: u64) -> io::Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or_else(|| invalid("user or group id"))
}

fn device_number(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| invalid("device number"))
}

fn xattrs(records: &Records) -> Vec<(Vec<u8>, Vec<u8>)> {
    const PREFIX: &[u8] = b"SCHILY.xattr.";
    records
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?.to_vec(), value.clone())))
        .collect()
}

fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn unexpected_end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF")
}

fn end_is_unexpected(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { unexpected_end() } else { error }
}
