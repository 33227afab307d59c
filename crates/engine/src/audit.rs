//! `--audit-log FILE`: who changed what, one JSON object a line. Beyond Docker.
//!
//! Written for every request that may change something, when it has been answered or refused, or when its client went
//! away before; never with bodies, queries or headers, which hold secrets. Files are rotated at a size, so that the log
//! is bounded. A line that cannot be written is told in the engine's log and holds nothing up.

use std::fs::{File, rename};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::error::{Error, Result};

/// Of one file, in bytes.
const MAX_SIZE: u64 = 16 << 20;
/// With the one that is written.
const MAX_FILES: u32 = 5;
/// Of a path or a name in a line; what a client sends is not copied at any length.
const MAX_TEXT: usize = 512;

#[derive(Clone)]
pub struct Audit(Arc<Shared>);

struct Shared {
    path: PathBuf,
    open: Mutex<Open>,
    max_size: u64,
}

struct Open {
    file: File,
    size: u64,
}

/// The other end of a connection, as far as the kernel or TLS vouches for it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Who {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The common name of a verified certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    who: &'a Who,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    object: &'a str,
    /// HTTP's; absent if the client went away before there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

impl Audit {
    /// # Errors
    /// The file cannot be appended to.
    pub fn open(path: &Path) -> Result<Self> {
        Self::with_limit(path, MAX_SIZE)
    }

    fn with_limit(path: &Path, max_size: u64) -> Result<Self> {
        let open = open(path).map_err(|error| {
            Error::system(format!("cannot write the audit log {}", path.display())).because(error)
        })?;
        Ok(Self(Arc::new(Shared { path: path.to_owned(), open: Mutex::new(open), max_size })))
    }

    /// A line that is written when what is returned is dropped.
    pub fn begin(&self, who: Who, method: &str, path: &str, object: &str) -> Entry {
        let short = |text: &str| text.chars().take(MAX_TEXT).collect();
        let method = method.to_owned();
        Entry {
            audit: self.clone(),
            who,
            method,
            path: short(path),
            object: short(object),
            status: None,
        }
    }
}

pub struct Entry {
    audit: Audit,
    who: Who,
    method: String,
    path: String,
    object: String,
    status: Option<u16>,
}

impl Entry {
    pub fn end(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let line = Line {
            time: jiff::Timestamp::now().to_string(),
            who: &self.who,
            method: &self.method,
            path: &self.path,
            object: &self.object,
            status: self.status,
        };
        let mut text = serde_json::to_vec(&line).expect("strings and numbers serialise");
        text.push(b'\n');
        if let Err(error) = self.audit.0.write(&text) {
            tracing::error!("cannot write the audit log: {error}");
        }
    }
}

impl Shared {
    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut current = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if current.size > 0 && current.size + line.len() as u64 > self.max_size {
            self.rotate()?;
            *current = open(&self.path)?;
        }
        current.size += line.len() as u64;
        // Whole lines, also where another process appends.
        current.file.write_all(line)
    }

    /// `audit.log` becomes `audit.log.1`, and so on; the oldest one goes.
    fn rotate(&self) -> io::Result<()> {
        let numbered = |number: u32| match number {
            0 => self.path.clone(),
            number => PathBuf::from(format!("{}.{number}", self.path.display())),
        };
        for number in (0..MAX_FILES - 1).rev() {
            match rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<Open> {
    let mut options = File::options();
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = options.create(true).append(true).mode(0o600).custom_flags(no_link).open(path)?;
    let size = file.metadata()?.len();
    Ok(Open { file, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_what_and_how_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let audit = Audit::open(&path).unwrap();
        let who = Who { uid: Some(0), gid: Some(5), pid: Some(7), ..Who::default() };
        audit.begin(who, "POST", "/containers/create", "web").end(201);
        let who = Who {
            subject: Some("ann".into()),
            address: Some("1.2.3.4:5".into()),
            ..Who::default()
        };
        drop(audit.begin(who, "DELETE", &"/x".repeat(10_000), ""));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once("\",").unwrap().1).collect();
        assert_eq!(
            lines[0],
            r#""uid":0,"gid":5,"pid":7,"method":"POST","path":"/containers/create","object":"web","status":201}"#
        );
        assert!(
            lines[1].starts_with(r#""address":"1.2.3.4:5","subject":"ann","method":"DELETE","#),
            "{text}"
        );
        assert!(lines[1].ends_with(r#"/x/x"}"#) && lines[1].len() < 700, "{text}");
    }

    #[test]
    fn it_is_rotated_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let audit = Audit::with_limit(&path, 1000).unwrap();
        for _ in 0..100 {
            audit.begin(Who::default(), "POST", "/containers/prune", "").end(200);
        }
        let mut sizes = Vec::new();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            sizes.push(entry.unwrap().metadata().unwrap().len());
        }
        assert_eq!(sizes.len(), 5);
        assert!(sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
        // The next engine goes on in the same file.
        let before = std::fs::metadata(&path).unwrap().len();
        drop(audit);
        Audit::with_limit(&path, 1000).unwrap().begin(Who::default(), "POST", "/x", "").end(200);
        assert_ne!(std::fs::metadata(&path).unwrap().len(), before);
    }
}
