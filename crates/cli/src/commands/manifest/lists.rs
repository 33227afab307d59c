//! Lists that are being made: Docker's files, a folder for each list in the configuration's `manifests`, with a file for
//! each manifest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oci::Reference;

use super::entry::Entry;
use super::missing;
use crate::context::Context;
use crate::error::{Failure, Result};

pub(super) struct Lists(PathBuf);

impl Lists {
    pub(super) fn of(context: &Context) -> Self {
        Self(context.config_directory().join("manifests"))
    }

    pub(super) fn has(&self, list: &Reference) -> bool {
        self.folder(list).is_dir()
    }

    /// Its manifests, by their files' names.
    pub(super) fn all(&self, list: &Reference) -> Result<Vec<Entry>> {
        let folder = match fs::read_dir(self.folder(list)) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing(list)),
            Err(error) => return Err(error.into()),
        };
        let mut files = folder.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        files.sort();
        files.iter().map(|file| read(file)).collect()
    }

    pub(super) fn get(&self, list: &Reference, manifest: &Reference) -> Result<Option<Entry>> {
        let file = self.folder(list).join(file_name(manifest));
        if file.is_file() { read(&file).map(Some) } else { Ok(None) }
    }

    pub(super) fn keep(&self, list: &Reference, entry: &Entry) -> Result<()> {
        let folder = self.folder(list);
        fs::create_dir_all(&folder)?;
        let name = file_name(&entry.name);
        // Beside the lists: whoever reads one finds whole files in it.
        let new = self.0.join(format!(".{name}.{}", std::process::id()));
        let text = entry.document()?.compact();
        let kept = fs::write(&new, text).and_then(|()| fs::rename(&new, folder.join(name)));
        if kept.is_err() {
            let _ = fs::remove_file(&new);
        }
        Ok(kept?)
    }

    pub(super) fn remove(&self, list: &Reference) -> Result<()> {
        if !self.has(list) {
            return Err(missing(list));
        }
        Ok(fs::remove_dir_all(self.folder(list))?)
    }

    fn folder(&self, list: &Reference) -> PathBuf {
        self.0.join(file_name(list))
    }
}

/// A name has no character that leads elsewhere.
fn file_name(name: &Reference) -> String {
    name.to_string().replace(':', "-").replace('/', "_")
}

fn read(file: &Path) -> Result<Entry> {
    Entry::read(&fs::read(file)?).map_err(|why| Failure::new(format!("{}: {why}", file.display())))
}
