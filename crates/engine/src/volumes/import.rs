//! POST /volumes/import, which Docker does not have: a new volume out of a tar.

use std::collections::BTreeMap;
use std::io::Read;

use super::Volumes;
use super::clone::already_exists;
use super::create::{check_name, new};
use crate::error::Result;

impl Volumes {
    pub fn import(
        &self,
        name: &str,
        labels: BTreeMap<String, String>,
        source: &mut dyn Read,
    ) -> Result<api::volumes::Volume> {
        check_name(name)?;
        // Unpacked before the name is held, so that a slow client keeps nobody waiting.
        let content = self.records().import(source)?;
        let _hold = self.0.uses.hold(name);
        if self.records().get(name)?.is_some() {
            return Err(already_exists(name));
        }
        let labels = Some(labels).filter(|labels| !labels.is_empty());
        let volume = new(name.to_owned(), labels, None);
        self.records().create(&volume, Some(content))?;
        self.tell("create", name, []);
        Ok(self.shown(volume))
    }
}
