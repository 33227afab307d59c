//! Compressing the rotated files of a log (`--log-opt compress=true`). The monitor rotates, which must not wait; the
//! engine compresses behind it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use runtime::monitor::log::rotate;
use rustix::fs::inotify;

use crate::readiness;

/// Compresses what there is, and what each rotation adds, for as long as it is polled.
pub async fn keep_compressed(log: PathBuf) -> io::Result<()> {
    let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let directory = log.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    inotify::add_watch(&changes, directory, inotify::WatchFlags::MOVED_TO)?;
    let changes = readiness::watch(changes)?;
    loop {
        let log = log.clone();
        tokio::task::spawn_blocking(move || compress_rotated(&log))
            .await
            .map_err(io::Error::other)??;
        let mut ready = changes.readable().await?;
        let mut events = [0; 4096];
        while matches!(rustix::io::read(changes.get_ref(), &mut events), Ok(read) if read > 0) {}
        ready.clear_ready();
    }
}

/// The oldest first: it is the next to go.
fn compress_rotated(log: &Path) -> io::Result<()> {
    let ages = (1..).take_while(|age| is_there(log, *age)).collect::<Vec<_>>();
    ages.into_iter()
        .rev()
        .map(|age| rotate::rotated(log, age))
        .filter(|file| file.exists())
        .try_for_each(|file| compress(log, &file))
}

fn is_there(log: &Path, age: u32) -> bool {
    let plain = rotate::rotated(log, age);
    compressed(&plain).exists() || plain.exists()
}

fn compressed(plain: &Path) -> PathBuf {
    let mut name = plain.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}

/// Writes the compressed file beside and puts it in place once whole, with the time of the last entry, by which readers
/// find their way.
fn compress(log: &Path, plain: &Path) -> io::Result<()> {
    let mut source = match File::open(plain) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        source => source?,
    };
    let metadata = source.metadata()?;
    let temporary = log.with_extension("compressing");
    let mut gzip = GzEncoder::new(File::create(&temporary)?, Compression::default());
    io::copy(&mut source, &mut gzip)?;
    gzip.finish()?.set_modified(metadata.modified()?)?;
    let unmoved =
        |_: &std::os::fd::OwnedFd| fs::metadata(plain).is_ok_and(|now| now.ino() == metadata.ino());
    match rotate::try_lock(log)?.filter(unmoved) {
        Some(_lock) => {
            fs::rename(&temporary, compressed(plain))?;
            fs::remove_file(plain)
        }
        // Rotated meanwhile: that is an event, and it is found under its new number.
        None => fs::remove_file(&temporary),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn rotated_files_are_compressed_and_the_current_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("c-json.log");
        for (name, text) in
            [("c-json.log", "now"), ("c-json.log.1", "old"), ("c-json.log.2", "older")]
        {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let written =
            fs::metadata(directory.path().join("c-json.log.2")).unwrap().modified().unwrap();
        compress_rotated(&log).unwrap();
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["c-json.log", "c-json.log.1.gz", "c-json.log.2.gz"]);
        let oldest = directory.path().join("c-json.log.2.gz");
        assert_eq!(fs::metadata(&oldest).unwrap().modified().unwrap(), written);
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(oldest).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "older");
    }
}
