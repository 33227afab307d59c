//! What is built: the Dockerfile, and the folder that is its context.

use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use archive::Limits;
use archive::compression::{Compression, decompressed};
use archive::unpack::{Options, Owner, Target, unpack};
use builder::ignore::Ignore;

use super::git;
use crate::error::{Failure, Result, os_error};

/// A Dockerfile is small; what is not was meant for something else.
const LARGEST: u64 = 16 << 20;
const NAME: &str = "Dockerfile";
/// Enough to tell an archive from a text.
const BEGINNING: usize = 512;

pub(super) struct Source {
    /// As it is shown.
    pub(super) name: String,
    pub(super) text: String,
    /// None where there are no files.
    pub(super) context: Option<Folder>,
    pub(super) ignore: Option<Ignore>,
}

/// A folder of files, removed at the end where it was made for them.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    _temporary: Option<Temporary>,
}

impl Source {
    pub(super) fn find(place: &str, file: &str) -> Result<Self> {
        if place == "-" {
            return Self::from_stdin(file);
        }
        if git::is_repository(place) {
            let temporary = Temporary::make()?;
            let folder = git::fetch(place, &temporary.0)?;
            return Self::inside(Folder { path: folder, _temporary: Some(temporary) }, file);
        }
        if place.starts_with("http://") || place.starts_with("https://") {
            return Err(failure(&format!(
                "{place} is not fetched in this version: fetch it first, then build it from stdin (gantry build -)"
            )));
        }
        Self::of_folder(Path::new(place), file)
    }

    fn of_folder(directory: &Path, file: &str) -> Result<Self> {
        if !directory.is_dir() {
            return Err(failure(&format!(
                "unable to prepare context: path {:?} not found",
                directory.display().to_string()
            )));
        }
        let folder = Folder { path: directory.to_owned(), _temporary: None };
        if file == "-" {
            let text = text(io::stdin(), "-")?;
            let ignore = ignore(directory, None)?;
            return Ok(Self { name: NAME.into(), text, context: Some(folder), ignore });
        }
        let path = match file {
            "" => directory.join(NAME),
            file => PathBuf::from(file),
        };
        // Files that were named by the one and written by the other.
        let small = directory.join("dockerfile");
        let path = if file.is_empty() && !path.exists() && small.exists() { small } else { path };
        Self::read(folder, &path)
    }

    /// An archive of files that come from elsewhere: the Dockerfile is among them.
    fn inside(folder: Folder, file: &str) -> Result<Self> {
        let file = if file.is_empty() { NAME } else { file };
        let opened = File::open(&folder.path)?;
        let found = beneath(&opened, Path::new(file));
        let found = found.map_err(|error| unreadable(Path::new(file), &error))?;
        let name = shown(Path::new(file));
        let text = text(found, &name)?;
        // Its patterns are those of who packs, and it was packed.
        Ok(Self { name, text, context: Some(folder), ignore: None })
    }

    fn read(folder: Folder, path: &Path) -> Result<Self> {
        let opened = File::open(path).map_err(|error| unreadable(path, &error))?;
        let name = shown(path);
        let text = text(opened, &name)?;
        let ignore = ignore(&folder.path, Some(path))?;
        Ok(Self { name, text, context: Some(folder), ignore })
    }

    /// An archive with everything, or a Dockerfile alone.
    fn from_stdin(file: &str) -> Result<Self> {
        let mut stdin = io::stdin();
        let mut beginning = Vec::new();
        stdin.by_ref().take(BEGINNING as u64).read_to_end(&mut beginning)?;
        let is_archive = is_archive(&beginning);
        let whole = io::Cursor::new(beginning).chain(stdin);
        if file == "-" {
            return Err(failure(
                "invalid argument: can't use stdin for both build context and dockerfile",
            ));
        }
        if !is_archive {
            let text = text(whole, "-")?;
            return Ok(Self { name: NAME.into(), text, context: None, ignore: None });
        }
        let temporary = Temporary::make()?;
        let unpacked = unpack_to(whole, &temporary.0);
        unpacked.map_err(|error| failure(&format!("unable to prepare context: {error}")))?;
        let path = temporary.0.clone();
        Self::inside(Folder { path, _temporary: Some(temporary) }, file)
    }
}

fn failure(text: &str) -> Failure {
    Failure::new(format!("ERROR: {text}"))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    failure(&format!(
        "failed to solve: failed to read dockerfile: open {}: {}",
        path.display(),
        os_error(error)
    ))
}

fn shown(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The patterns of that very Dockerfile go before those of the context.
fn ignore(directory: &Path, dockerfile: Option<&Path>) -> Result<Option<Ignore>> {
    let own = dockerfile.map(|path| {
        let mut own = path.as_os_str().to_owned();
        own.push(".dockerignore");
        PathBuf::from(own)
    });
    for path in own.into_iter().chain([directory.join(".dockerignore")]) {
        if let Some(ignore) = patterns(&path)? {
            return Ok(Some(ignore));
        }
    }
    Ok(None)
}

/// None where there is no such file.
pub(super) fn patterns(path: &Path) -> Result<Option<Ignore>> {
    let Ok(file) = File::open(path) else { return Ok(None) };
    let text = text(file, &path.display().to_string())?;
    let invalid = |why: String| failure(&format!("{}: {why}", path.display()));
    Ignore::parse(&text).map(Some).map_err(invalid)
}

fn text(from: impl Read, name: &str) -> Result<String> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::new(format!("{name} is larger than {LARGEST} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new(format!("{name} is not UTF-8 text")))
}

/// A file of a folder that somebody else filled: its links lead nowhere outside.
fn beneath(folder: &File, path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = rustix::fs::openat2(folder.as_fd(), path, flags, Mode::empty(), resolve)?;
    let file = File::from(file);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// As Docker tells: a compressed stream, or one that begins with a tar's header.
fn is_archive(beginning: &[u8]) -> bool {
    let is_compressed = Compression::detect(beginning) != Compression::None;
    is_compressed
        || beginning
            .first_chunk()
            .is_some_and(|block| archive::header::Header(block).verify().is_ok())
}

fn unpack_to(tar: impl Read, folder: &Path) -> io::Result<()> {
    let opened = File::open(folder)?;
    let target = Target { root: opened.as_fd(), directory: Path::new(""), shown: Path::new("") };
    let options = Options {
        owner: Owner::Caller,
        replace_directories: true,
        limits: Limits::default(),
        rename: None,
    };
    unpack(decompressed(tar)?, target, options)
}

/// A folder for this command alone.
pub(super) struct Temporary(pub(super) PathBuf);

impl Temporary {
    fn make() -> Result<Self> {
        for attempt in 0..100 {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let name = format!("gantry-build-{}-{attempt}", now.unwrap_or_default().as_nanos());
            let path = std::env::temp_dir().join(name);
            // Never one that is there already: it may be anybody's.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failure(&format!("{}: {error}", path.display()))),
            }
        }
        Err(failure("no folder can be made for the build's files"))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It lies where such things are removed at the latest by the next start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(path: &str, text: &str) -> Vec<u8> {
        let mut tar = Vec::new();
        let mut entry = archive::writer::plain(text.len() as u64);
        entry.path = path.as_bytes().to_vec();
        archive::writer::write_header(&mut tar, &entry).unwrap();
        tar.extend_from_slice(text.as_bytes());
        archive::writer::pad(&mut tar, text.len() as u64).unwrap();
        archive::writer::finish(&mut tar).unwrap();
        tar
    }

    #[test]
    fn archives_are_told_from_dockerfiles() {
        assert!(is_archive(&tar("Dockerfile", "FROM x")[..512]));
        assert!(is_archive(&[0x1f, 0x8b, 8, 0]));
        assert!(!is_archive(b"FROM busybox\n"));
        assert!(!is_archive(b""));
        assert!(!is_archive(&[0; 512]));
    }

    #[test]
    fn a_dockerfile_of_an_archive_is_one_of_its_files() {
        let temporary = Temporary::make().unwrap();
        let path = temporary.0.clone();
        unpack_to(tar("sub/Dockerfile", "FROM x").as_slice(), &path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path.join("Dockerfile")).unwrap();
        let folder = |path: &Path| Folder { path: path.to_owned(), _temporary: None };
        let source = Source::inside(folder(&path), "sub/Dockerfile").unwrap();
        assert_eq!((source.name.as_str(), source.text.as_str()), ("Dockerfile", "FROM x"));
        let said = Source::inside(folder(&path), "").err().unwrap().message;
        assert!(said.contains("failed to read dockerfile: open Dockerfile: "), "{said}");
        drop(temporary);
        assert!(!path.exists());
    }
}
