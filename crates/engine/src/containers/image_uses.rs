//! Which containers were made from which images, or have them mounted: what keeps an image from being removed.

use std::collections::BTreeSet;

use oci::Digest;
use store::images::Use;

use super::Containers;
use super::state::is_up;

impl Containers {
    pub fn image_uses(&self) -> Vec<Use> {
        let containers = self.0.index.all();
        let used = containers.iter().flat_map(|container| {
            let record = container.record();
            let running = is_up(record.state.status);
            let mounted = record.mounts.iter().map(|point| point.image.as_str());
            let images: BTreeSet<&str> = mounted.chain([record.image.as_str()]).collect();
            // A container without an image uses none, nor does a mount of something else.
            let of_record = images.into_iter().filter_map(|image| {
                let image = Digest::parse(image).ok()?;
                Some(Use { container: record.id.clone(), image, running })
            });
            of_record.collect::<Vec<_>>()
        });
        used.collect()
    }
}
