//! `tag`.

use super::{Images, target};
use crate::error::Result;

impl Images {
    /// Without a repository there is nothing to do, as in Docker.
    pub fn tag(&self, name: &str, repository: &str, tag: &str) -> Result<()> {
        let Some(target) = target(repository, tag)? else { return Ok(()) };
        let images = self.store.images();
        let id = images.resolve(name)?;
        images.tag(name, &target)?;
        self.publish("tag", &id, &target.familiar());
        Ok(())
    }
}
