//! The volumes' part of GET /system/df.

use api::volumes::{UsageData, Volume};

use super::Volumes;
use super::options::Mount;
use crate::error::Result;

impl Volumes {
    /// Sizes are of files; what is mounted from elsewhere is none of ours. Blocks.
    pub fn disk_usage(&self) -> Result<Vec<Volume>> {
        let sized = |volume: store::volumes::Volume| {
            let size = if Mount::of(&volume).is_some() {
                Ok(0)
            } else {
                self.records().size(&volume.name)
            };
            let users = self.0.uses.containers(&volume.name).len();
            let mut shown = self.shown(volume);
            shown.usage_data = Some(UsageData {
                ref_count: i64::try_from(users).unwrap_or(i64::MAX),
                // One that is removed meanwhile has no size.
                size: size.ok().and_then(|size| i64::try_from(size).ok()).unwrap_or(-1),
            });
            shown
        };
        Ok(self.records().all()?.into_iter().map(sized).collect())
    }
}
