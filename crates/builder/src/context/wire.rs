//! A listing as bytes, for who sends it from where the files are.
//!
//! `1`, whether something was ignored (1 byte), the entries, 0. An entry: 1 + how many bytes of the path before it begins
//! with, how many others follow, those; kind (1 byte), mode, modified (zigzag), how many attributes, each with length and
//! bytes of name and value; of a file size and SHA-256, of a link length and bytes of its target. Numbers are LEB128.
//! There are no owners: what is sent belongs to root.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oci::Digest;

use super::{Entry, Kind, Listing};

const VERSION: u8 = 1;
const MOST_ENTRIES: usize = 4_000_000;
const LONGEST_PATH: usize = 4096;
const LONGEST_VALUE: usize = 64 << 10;
const MOST_XATTRS: u64 = 256;

const DIRECTORY: u8 = 0;
const FILE: u8 = 1;
const LINK: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid list of files: {0}")]
pub struct Invalid(&'static str);

/// Makes the bytes entry by entry, so that they need not be held.
#[derive(Debug, Default)]
pub struct Encoder {
    last: Vec<u8>,
}

impl Encoder {
    pub fn begin(ignored: bool, out: &mut Vec<u8>) -> Self {
        out.extend([VERSION, u8::from(ignored)]);
        Self::default()
    }

    /// What is neither directory, file with its digest, nor link is left out.
    pub fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let (kind, size) = match &entry.kind {
            Kind::Directory => (DIRECTORY, 0),
            Kind::File { size, digest: Some(_) } => (FILE, *size),
            Kind::Symlink { .. } => (LINK, 0),
            Kind::File { digest: None, .. } | Kind::Special { .. } => return,
        };
        let path = entry.path.as_os_str().as_bytes();
        let common = self.last.iter().zip(path).take_while(|(a, b)| a == b).count();
        number(1 + common as u64, out);
        text(&path[common..], out);
        self.last.truncate(common);
        self.last.extend_from_slice(&path[common..]);
        out.push(kind);
        number(u64::from(entry.mode), out);
        number(((entry.modified << 1) ^ (entry.modified >> 63)).cast_unsigned(), out);
        number(entry.xattrs.len() as u64, out);
        for (name, value) in &entry.xattrs {
            text(name.as_bytes(), out);
            text(value, out);
        }
        match &entry.kind {
            Kind::File { digest: Some(digest), .. } => {
                number(size, out);
                out.extend(raw(digest));
            }
            Kind::Symlink { target } => text(target.as_os_str().as_bytes(), out),
            _ => {}
        }
    }

    pub fn finish(self, out: &mut Vec<u8>) {
        out.push(0);
    }
}

/// # Errors
/// What is wrong with bytes that may be anybody's.
pub fn decode(bytes: &[u8]) -> Result<Listing, Invalid> {
    let mut input = Input(bytes);
    if input.byte()? != VERSION {
        return Err(Invalid("an unknown version"));
    }
    let mut listing = Listing { entries: Vec::new(), ignored: input.byte()? != 0 };
    let mut last: Vec<u8> = Vec::new();
    let mut open = Vec::new();
    loop {
        let common = match input.number()? {
            0 if input.0.is_empty() => return Ok(listing),
            0 => return Err(Invalid("more after its end")),
            common => usize::try_from(common - 1).unwrap_or(usize::MAX),
        };
        if common > last.len() || listing.entries.len() >= MOST_ENTRIES {
            return Err(Invalid("too much"));
        }
        last.truncate(common);
        last.extend_from_slice(input.text(LONGEST_PATH)?);
        let path = path(&last)?;
        check_place(&listing, &mut open, &path)?;
        let entry = input.entry(path)?;
        if entry.kind == Kind::Directory {
            open.push(listing.entries.len());
        }
        listing.entries.push(entry);
    }
}

/// Sorted, and every folder before what is in it. `open` are the places of the folders above the last entry, it included.
fn check_place(listing: &Listing, open: &mut Vec<usize>, path: &Path) -> Result<(), Invalid> {
    if let Some(before) = listing.entries.last()
        && !is_before(before.path.as_os_str().as_bytes(), path.as_os_str().as_bytes())
    {
        return Err(Invalid("not in order"));
    }
    let parent = path.parent().map_or(&b""[..], |parent| parent.as_os_str().as_bytes());
    while let Some(place) = open.last() {
        if listing.entries[*place].path.as_os_str().as_bytes() == parent {
            return Ok(());
        }
        open.pop();
    }
    if parent.is_empty() { Ok(()) } else { Err(Invalid("an entry without its folder")) }
}

/// [`order`](super::order) of paths that are clean: a slash comes before every other byte.
fn is_before(a: &[u8], b: &[u8]) -> bool {
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 };
    a.iter().map(rank).lt(b.iter().map(rank))
}

/// Written in one way only, so that equal paths are equal bytes.
fn path(bytes: &[u8]) -> Result<PathBuf, Invalid> {
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    if bytes.len() > LONGEST_PATH || !bytes.split(|byte| *byte == b'/').all(is_name) {
        return Err(Invalid("a path that is none"));
    }
    Ok(PathBuf::from(OsStr::from_bytes(bytes)))
}

struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    fn byte(&mut self) -> Result<u8, Invalid> {
        let (first, rest) = self.0.split_first().ok_or(Invalid("cut off"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, Invalid> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Invalid("a number that is too large"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Invalid("a number that is too long"))
    }

    fn bytes(&mut self, count: usize) -> Result<&'i [u8], Invalid> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Invalid("cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn text(&mut self, longest: usize) -> Result<&'i [u8], Invalid> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > longest {
            return Err(Invalid("too long"));
        }
        self.bytes(length)
    }

    fn entry(&mut self, path: PathBuf) -> Result<Entry, Invalid> {
        let kind = self.byte()?;
        let mode = u32::try_from(self.number()?).ok().filter(|mode| *mode <= 0o7777);
        let mode = mode.ok_or(Invalid("a mode that is none"))?;
        let modified = self.number()?;
        let modified = (modified >> 1).cast_signed() ^ -(modified & 1).cast_signed();
        let count = self.number()?;
        if count > MOST_XATTRS {
            return Err(Invalid("too many attributes"));
        }
        let mut xattrs: Vec<(String, Vec<u8>)> = Vec::new();
        for _ in 0..count {
            let name = std::str::from_utf8(self.text(255)?)
                .map_err(|_| Invalid("a name of an attribute"))?;
            if xattrs.last().is_some_and(|(last, _)| last.as_str() >= name) {
                return Err(Invalid("attributes not in order"));
            }
            xattrs.push((name.to_owned(), self.text(LONGEST_VALUE)?.to_vec()));
        }
        let kind = self.kind(kind)?;
        Ok(Entry { path, kind, mode, uid: 0, gid: 0, modified, xattrs })
    }

    fn kind(&mut self, kind: u8) -> Result<Kind, Invalid> {
        match kind {
            DIRECTORY => Ok(Kind::Directory),
            FILE => {
                let size = self.number()?;
                let hash = self.bytes(32)?.try_into().map_err(|_| Invalid("cut off"))?;
                Ok(Kind::File { size, digest: Some(Digest::from_sha256(hash)) })
            }
            LINK => {
                let target = self.text(LONGEST_PATH)?;
                if target.is_empty() || target.contains(&0) {
                    return Err(Invalid("a link that leads nowhere"));
                }
                Ok(Kind::Symlink { target: PathBuf::from(OsStr::from_bytes(target)) })
            }
            _ => Err(Invalid("an unknown kind of file")),
        }
    }
}

fn number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn text(bytes: &[u8], out: &mut Vec<u8>) {
    number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn raw(digest: &Digest) -> impl Iterator<Item = u8> {
    let value = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    digest.hex().as_bytes().chunks(2).map(move |pair| (value(pair[0]) << 4) | value(pair[1]))
}

/// Places in a listing, ascending or not: how many, and each as the distance from the one before (zigzag).
pub fn encode_places(places: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    number(places.len() as u64, &mut out);
    let mut last = 0_i64;
    for place in places {
        let place = i64::try_from(*place).unwrap_or(i64::MAX);
        let step = place.wrapping_sub(last);
        number(((step << 1) ^ (step >> 63)).cast_unsigned(), &mut out);
        last = place;
    }
    out
}

/// # Errors
/// What is wrong with the bytes.
pub fn decode_places(bytes: &[u8]) -> Result<Vec<usize>, Invalid> {
    let mut input = Input(bytes);
    let count = input.number()?;
    if count > bytes.len() as u64 {
        return Err(Invalid("cut off"));
    }
    let mut last = 0_i64;
    let mut places = Vec::new();
    for _ in 0..count {
        let step = input.number()?;
        last = last.wrapping_add((step >> 1).cast_signed() ^ -(step & 1).cast_signed());
        places.push(usize::try_from(last).map_err(|_| Invalid("a place that is none"))?);
    }
    if input.0.is_empty() { Ok(places) } else { Err(Invalid("more after its end")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: Kind) -> Entry {
        let xattrs = vec![("user.a".to_owned(), vec![1, 0]), ("user.b".to_owned(), Vec::new())];
        let path = PathBuf::from(path);
        Entry { path, kind, mode: 0o4755, uid: 0, gid: 0, modified: -1_500_000_000, xattrs }
    }

    fn listing() -> Listing {
        let file = |size| Kind::File { size, digest: Some(Digest::from_sha256([0xa7; 32])) };
        let entries = vec![
            entry("a", Kind::Directory),
            entry("a/b", file(u64::MAX)),
            entry("a/link", Kind::Symlink { target: "../x".into() }),
            entry("a-b", file(0)),
        ];
        Listing { entries, ignored: true }
    }

    fn encode(listing: &Listing) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(listing.ignored, &mut out);
        listing.entries.iter().for_each(|entry| encoder.entry(entry, &mut out));
        encoder.finish(&mut out);
        out
    }

    #[test]
    fn what_is_encoded_is_decoded_and_every_cut_is_seen() {
        let bytes = encode(&listing());
        assert_eq!(decode(&bytes), Ok(listing()));
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
        assert_eq!(decode(&[bytes, vec![0]].concat()), Err(Invalid("more after its end")));
    }

    #[test]
    fn hostile_lists_are_refused() {
        let with = |entries: Vec<Entry>| decode(&encode(&Listing { entries, ignored: false }));
        for path in ["", "/a", "a/", "a//b", "./a", "..", "a/../b", "a/.", "a\0b"] {
            assert_eq!(
                with(vec![entry(path, Kind::Directory)]),
                Err(Invalid("a path that is none")),
                "{path:?}"
            );
        }
        let link = || Kind::Symlink { target: "/etc".into() };
        let orphan = Err(Invalid("an entry without its folder"));
        assert_eq!(with(vec![entry("a/b", Kind::Directory)]), orphan);
        assert_eq!(with(vec![entry("a", link()), entry("a/b", Kind::Directory)]), orphan);
        let twice = vec![entry("a", Kind::Directory), entry("a", link())];
        assert_eq!(with(twice), Err(Invalid("not in order")));
        let huge = [&[VERSION, 0, 1][..], &[0xff; 9], &[1]].concat();
        assert_eq!(decode(&huge), Err(Invalid("too long")));
        assert_eq!(decode(&[VERSION, 0, 0xff]), Err(Invalid("cut off")));
        assert!(decode(&[2, 0, 0]).is_err());
    }

    #[test]
    fn a_folder_that_was_left_is_no_folder_of_what_follows() {
        let folder = |path: &str| entry(path, Kind::Directory);
        let deep = vec![
            folder("a"),
            folder("a/b"),
            folder("a/b/c"),
            folder("a/d"),
            folder("b"),
            folder("b/x"),
        ];
        let listing = Listing { entries: deep, ignored: false };
        assert_eq!(decode(&encode(&listing)).as_ref(), Ok(&listing));
        let orphan = vec![folder("a"), folder("a/b"), folder("b"), folder("c/d")];
        let said = decode(&encode(&Listing { entries: orphan, ignored: false }));
        assert_eq!(said, Err(Invalid("an entry without its folder")));
    }

    proptest::proptest! {
        #[test]
        fn order_is_that_of_listings(a in "[a./-]{1,6}", b in "[a./-]{1,6}") {
            if let (Ok(a), Ok(b)) = (path(a.as_bytes()), path(b.as_bytes())) {
                let expected = super::super::order(&a, &b).is_lt();
                let found = is_before(a.as_os_str().as_bytes(), b.as_os_str().as_bytes());
                proptest::prop_assert_eq!(found, expected, "{:?} {:?}", a, b);
            }
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(0u8.., 0..512)) {
            let _ = decode(&[&[VERSION, 0], bytes.as_slice()].concat());
            let _ = decode_places(&bytes);
        }

        #[test]
        fn places_come_back(places in proptest::collection::vec(0usize..5_000_000, 0..200)) {
            proptest::prop_assert_eq!(decode_places(&encode_places(&places)), Ok(places));
        }
    }
}
