//! GET /volumes/{name}.

use api::volumes::Volume;

use super::Volumes;
use crate::error::Result;

impl Volumes {
    pub fn inspect(&self, name: &str) -> Result<Volume> {
        Ok(self.shown(self.find(name)?))
    }
}
