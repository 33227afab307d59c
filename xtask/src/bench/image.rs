//! The image that every engine gets: Debian's static busybox, this program (for traffic) and two files of 41 MB, one of lines as programs write
//! them, one of lines as short as they get.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::json;
use testkit::archive::{self, Image as Archive};

use crate::Result;

pub(super) const NAME: &str = "gantry-bench:latest";
/// This program, in the image.
pub(super) const TRAFFIC: &str = "/bin/traffic";
/// So many lines of 41 bytes.
const LINES: u32 = 1_000_000;
/// So many numbers, one a line, 7.8 bytes each: as many bytes.
const SHORT_LINES: u32 = 5_260_000;

pub(super) struct Image {
    /// The image's root directory, unpacked.
    pub(super) root: PathBuf,
    /// As `docker save` writes it.
    pub(super) archive: PathBuf,
}

pub(super) fn make(dir: &Path) -> Result<Image> {
    let image = Image { root: dir.join("root"), archive: dir.join("image.tar") };
    write(dir, &image).map_err(|e| format!("make the image: {e}"))?;
    Ok(image)
}

fn write(dir: &Path, image: &Image) -> io::Result<()> {
    write_root(&image.root)?;
    let layer = dir.join("layer.tar");
    let mut tar = tar::Builder::new(BufWriter::new(File::create(&layer)?));
    tar.follow_symlinks(false);
    tar.append_dir_all(".", &image.root)?;
    tar.into_inner()?.flush()?;
    let archive = Archive {
        tags: vec![NAME.into()],
        layers: vec![layer],
        config: json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] }),
        created: "2026-01-01T00:00:00Z".into(),
    };
    archive::write(&archive, &image.archive)
}

fn write_root(root: &Path) -> io::Result<()> {
    for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(directory))?;
    }
    let program =
        ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let program = program.ok_or_else(|| io::Error::other("busybox is not installed"))?;
    fs::copy(program, root.join("bin/busybox"))?;
    fs::copy(std::env::current_exe()?, root.join(TRAFFIC.trim_start_matches('/')))?;
    for applet in ["sh", "true", "cat", "sleep"] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    write_lines(&root.join("lines"), LINES, "a short line of a program, ", 13)?;
    write_lines(&root.join("short-lines"), SHORT_LINES, "", 0)
}

/// Each line has the words and its number, in as many digits at least.
fn write_lines(path: &Path, count: u32, words: &str, digits: usize) -> io::Result<()> {
    let mut lines = BufWriter::new(File::create(path)?);
    (1..=count).try_for_each(|number| writeln!(lines, "{words}{number:0digits$}"))?;
    lines.flush()
}
