//! `load`.

use std::io::Read;

use api::progress::Message;
use oci::Platform;
use store::images::{LoadEvent, Loaded};

use super::{Images, progress};
use crate::error::Result;

impl Images {
    /// Reads an archive and tells what it does, in Docker's lines.
    pub fn load(
        &self,
        mut archive: impl Read,
        platform: &Platform,
        quiet: bool,
        report: &mut dyn FnMut(Message),
    ) -> Result<()> {
        let mut event = |event: LoadEvent| match event {
            LoadEvent::Layer { .. } if quiet => {}
            LoadEvent::Layer { id, current, total } => {
                report(progress::moving(&id, "Loading layer", current, total))
            }
            LoadEvent::Renamed { reference, old } => report(Message::stream(format!(
                "The image {} already exists, renaming the old one with ID {old} to empty string\n",
                reference.familiar()
            ))),
        };
        let loaded = self.store.images().load_platform(&mut archive, platform, &mut event)?;
        for image in &loaded {
            self.publish("load", &image.id, image.id.as_str());
            names(image).into_iter().for_each(|text| report(Message::stream(text)));
        }
        Ok(())
    }
}

fn names(image: &Loaded) -> Vec<String> {
    if image.references.is_empty() {
        return vec![format!("Loaded image ID: {}\n", image.id)];
    }
    let loaded = image.references.iter().map(|name| format!("Loaded image: {}\n", name.familiar()));
    loaded.collect()
}
