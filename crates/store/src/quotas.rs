//! How much containers and volumes may write, where the data root's file system has project quotas.
//!
//! The file system knows all that there is to know: a directory's project, and how many files a project has. A project
//! without files is free, whoever had it before. So nothing has to be kept, and a crash loses nothing.

use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sys::quota;

use crate::Store;
use crate::error::{Error, Result};

/// Far from the numbers that people and other engines give.
const FIRST_PROJECT: u32 = 0x4741_0000;

#[derive(Default)]
pub(crate) struct Quotas {
    /// Projects that were given since the store was opened; held until a project has its first directory.
    given: Mutex<u32>,
}

impl Store {
    /// Whether sizes can be limited here.
    pub fn has_quotas(&self) -> bool {
        let root = File::open(self.root.path());
        root.and_then(quota::is_enforced).unwrap_or(false)
    }

    /// Holds empty directories, all of them together, to a size. Those that are held to one already get the new one.
    pub(crate) fn confine(&self, directories: &[&Path], bytes: u64) -> Result<()> {
        let failed = |error| Error::io("set the quota", error);
        let open = |path: &&Path| File::open(path).map_err(failed);
        let directories = directories.iter().map(open).collect::<Result<Vec<_>>>()?;
        let Some(first) = directories.first() else { return Ok(()) };
        match quota::project(first).map_err(failed)? {
            0 => {
                let mut given = self.quotas.given.lock().unwrap_or_else(PoisonError::into_inner);
                let project = loop {
                    let project = FIRST_PROJECT.wrapping_add(*given);
                    *given = given.wrapping_add(1);
                    if project != 0 && quota::inodes(first, project).map_err(failed)? == 0 {
                        break project;
                    }
                };
                quota::limit(first, project, bytes).map_err(failed)?;
                directories
                    .iter()
                    .try_for_each(|directory| quota::set_project(directory, project))
                    .map_err(failed)
            }
            project => quota::limit(first, project, bytes).map_err(failed),
        }
    }
}
