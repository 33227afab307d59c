//! Which containers were made from which images: what keeps an image from being removed.

use oci::Digest;
use store::images::Use;

use super::Containers;
use super::state::is_up;

impl Containers {
    pub fn image_uses(&self) -> Vec<Use> {
        let containers = self.0.index.all();
        let used = containers.iter().filter_map(|container| {
            let record = container.record();
            // A container without an image uses none.
            let image = Digest::parse(&record.image).ok()?;
            let running = is_up(record.state.status);
            Some(Use { container: record.id.clone(), image, running })
        });
        used.collect()
    }
}
