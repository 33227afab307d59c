//! `load`.

use std::io::Read;

use api::progress::{Message, ProgressDetail};
use oci::Platform;
use store::images::{LoadEvent, Loaded};

use super::Images;
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
            LoadEvent::Layer { id, current, total } => report(layer(id, current, total)),
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

fn layer(id: String, current: u64, total: u64) -> Message {
    let (current, total) = (current as i64, total as i64);
    let detail = ProgressDetail { current, total, ..ProgressDetail::default() };
    Message {
        status: "Loading layer".to_owned(),
        progress_detail: Some(detail),
        progress: bar(current, total),
        id,
        ..Message::default()
    }
}

/// The bar that clients without one of their own print.
fn bar(current: i64, total: i64) -> String {
    const WIDTH: usize = 50;
    if total <= 0 {
        return size(current);
    }
    let done = usize::try_from(current.clamp(0, total) * WIDTH as i64 / total).unwrap_or(WIDTH);
    let left = " ".repeat(WIDTH - done);
    format!("[{}>{left}] {:>8}/{}", "=".repeat(done), size(current), size(total))
}

/// Four digits and a decimal unit, without zeros at the end.
fn size(bytes: i64) -> String {
    let mut size = bytes as f64;
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    let decimals = match size {
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    let number = format!("{size:.decimals$}");
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_with_the_bytes() {
        assert_eq!(
            bar(512, 1024),
            "[=========================>                         ]     512B/1.024kB"
        );
        assert_eq!(
            bar(2_000_000, 2_000_000),
            "[==================================================>]      2MB/2MB"
        );
        assert_eq!(bar(123_456_789, 0), "123.5MB");
    }
}
