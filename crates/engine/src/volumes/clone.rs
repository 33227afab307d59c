//! POST /volumes/{name}/clone, which Docker does not have: a new volume with a copy of the content, for which the file
//! system shares the blocks where it can.

use std::fs::File;
use std::os::fd::AsFd;

use store::volumes::{StagedVolume, Volume, copy};

use super::create::{check_name, new};
use super::options::Mount;
use super::{Volumes, no_such_volume};
use crate::error::{Error, Result};

impl Volumes {
    /// With the labels of the original. It may be in use: then each file is as it was at some moment meanwhile.
    pub fn clone_as(&self, name: &str, target: &str) -> Result<api::volumes::Volume> {
        let _holds = self.0.uses.hold_both(name, target);
        let labels = self.find(name)?.labels;
        Ok(self.shown(self.make_copy(name, target, labels)?))
    }

    /// Both names are held.
    pub(super) fn make_copy(
        &self,
        name: &str,
        target: &str,
        labels: Option<std::collections::BTreeMap<String, String>>,
    ) -> Result<Volume> {
        check_name(target)?;
        if self.records().get(target)?.is_some() {
            return Err(already_exists(target));
        }
        let volume = new(target.to_owned(), labels, None);
        let content = self.copied(name, &volume)?;
        self.records().create(&volume, Some(content))?;
        self.tell("create", target, []);
        Ok(volume)
    }

    /// A copy of the volume's content for `target` that nobody sees yet; its name is held.
    pub(super) fn copied(&self, name: &str, target: &Volume) -> Result<StagedVolume> {
        let volume = self.records().get(name)?.ok_or_else(|| no_such_volume(name))?;
        must_be_a_directory(&volume)?;
        let failed = |cause| Error::system(format!("cannot copy volume {name}")).because(cause);
        let staged = self.stage(target)?;
        let source = File::open(self.records().ensure(name)?).map_err(failed)?;
        let target = File::open(staged.data()).map_err(failed)?;
        copy::tree(source.as_fd(), target.as_fd()).map_err(failed)?;
        Ok(staged)
    }
}

pub(super) fn already_exists(name: &str) -> Error {
    Error::conflict(format!("volume {name} already exists"))
}

/// What is mounted from elsewhere is not the engine's to copy or to replace.
pub(super) fn must_be_a_directory(volume: &Volume) -> Result<()> {
    if Mount::of(volume).is_none() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "volume {} is mounted from elsewhere by its options: copy it in a container that has it",
        volume.name
    )))
}
