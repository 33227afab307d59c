//! Writes tar entries in PAX form, extended headers only where ustar cannot say it.

use std::io::{self, Write};

use super::{BLOCK, Entry, Kind, pax};

const NAME: usize = 100;
const MAX_OCTAL_11: u64 = 0o77_777_777_777;
const MAX_OCTAL_7: u32 = 0o7_777_777;

/// Writes an entry's headers. The caller writes `entry.size` bytes of payload, then [`pad`].
pub fn write_header(out: &mut dyn Write, entry: &Entry) -> io::Result<()> {
    let records = extended(entry);
    if !records.is_empty() {
        let name = b"PaxHeaders.0/entry".to_vec();
        out.write_all(&block(&name, &[], b'x', &plain(records.len() as u64)))?;
        out.write_all(&records)?;
        pad(out, records.len() as u64)?;
    }
    out.write_all(&block(&entry.path, &entry.link, flag(entry.kind), entry))
}

pub fn pad(out: &mut dyn Write, size: u64) -> io::Result<()> {
    let over = (size % BLOCK as u64) as usize;
    if over > 0 {
        out.write_all(&[0; BLOCK][over..])?;
    }
    Ok(())
}

pub fn finish(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// A regular file with plain metadata, for archives of ours.
pub fn plain(size: u64) -> Entry {
    Entry {
        kind: Kind::File,
        path: Vec::new(),
        link: Vec::new(),
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: super::Time::default(),
        device: (0, 0),
        stored: size,
        size,
        xattrs: Vec::new(),
        sparse: None,
    }
}

fn extended(entry: &Entry) -> Vec<u8> {
    let mut records = Vec::new();
    for (key, value) in &entry.xattrs {
        pax::append(&mut records, &[b"SCHILY.xattr.", key.as_slice()].concat(), value);
    }
    if entry.gid > MAX_OCTAL_7 {
        pax::append(&mut records, b"gid", entry.gid.to_string().as_bytes());
    }
    if entry.link.len() > NAME || !entry.link.is_ascii() {
        pax::append(&mut records, b"linkpath", &entry.link);
    }
    if entry.mtime.nanoseconds > 0 || u64::try_from(entry.mtime.seconds).is_err() {
        pax::append(&mut records, b"mtime", time_text(entry.mtime).as_bytes());
    }
    if entry.path.len() > NAME || !entry.path.is_ascii() {
        pax::append(&mut records, b"path", &entry.path);
    }
    if entry.size > MAX_OCTAL_11 {
        pax::append(&mut records, b"size", entry.size.to_string().as_bytes());
    }
    if entry.uid > MAX_OCTAL_7 {
        pax::append(&mut records, b"uid", entry.uid.to_string().as_bytes());
    }
    records
}

fn time_text(time: super::Time) -> String {
    let total = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    let sign = if total < 0 { "-" } else { "" };
    let total = total.unsigned_abs();
    let fraction = format!("{:09}", total % 1_000_000_000);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{}", total / 1_000_000_000),
        fraction => format!("{sign}{}.{fraction}", total / 1_000_000_000),
    }
}

fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::CharDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

fn block(path: &[u8], link: &[u8], flag: u8, entry: &Entry) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block[..NAME], path);
    put_octal(&mut block[100..108], u64::from(entry.mode));
    put_octal(&mut block[108..116], u64::from(if entry.uid > MAX_OCTAL_7 { 0 } else { entry.uid }));
    put_octal(&mut block[116..124], u64::from(if entry.gid > MAX_OCTAL_7 { 0 } else { entry.gid }));
    put_octal(&mut block[124..136], if entry.size > MAX_OCTAL_11 { 0 } else { entry.size });
    put_octal(
        &mut block[136..148],
        u64::try_from(entry.mtime.seconds).unwrap_or(0).min(MAX_OCTAL_11),
    );
    block[156] = flag;
    put(&mut block[157..257], link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    put_octal(&mut block[329..337], u64::from(entry.device.0));
    put_octal(&mut block[337..345], u64::from(entry.device.1));
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn put(field: &mut [u8], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

fn put_octal(field: &mut [u8], value: u64) {
    let width = field.len() - 1;
    put(field, format!("{value:0width$o}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::reader::{Forget, Reader};
    use super::super::{Limits, Time};
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(
            path in "[a-zä]{1,150}", uid in 0..u32::MAX, gid in 0..u32::MAX, mode in 0u32..0o10000,
            seconds in -5_000_000_000i64..5_000_000_000, nanoseconds in 0u32..1_000_000_000, size in 0u64..3000,
            xattr in proptest::collection::vec(0u8.., 0..40),
        ) {
            let mut entry = plain(size);
            entry.path = path.into_bytes();
            (entry.uid, entry.gid, entry.mode) = (uid, gid, mode);
            entry.mtime = Time { seconds, nanoseconds };
            entry.xattrs = vec![(b"user.x".to_vec(), xattr)];
            let mut bytes = Vec::new();
            write_header(&mut bytes, &entry).unwrap();
            bytes.extend(vec![7; size as usize]);
            pad(&mut bytes, size).unwrap();
            finish(&mut bytes).unwrap();
            let mut reader = Reader::new(bytes.as_slice(), Forget, Limits::default());
            proptest::prop_assert_eq!(reader.next_entry().unwrap(), Some(entry));
            proptest::prop_assert_eq!(reader.next_entry().unwrap(), None);
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(0u8.., 0..2048)) {
            let mut reader = Reader::new(bytes.as_slice(), Forget, Limits::default());
            while let Ok(Some(_)) = reader.next_entry() {}
        }
    }
}
