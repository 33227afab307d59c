//! `import`.

use std::io::Read;

use oci::Platform;

use super::{Images, changes, oci_config, target};
use crate::error::{Error, Result};

/// What an imported archive becomes.
pub struct Import {
    pub repository: String,
    pub tag: String,
    pub message: String,
    /// Instructions of a Dockerfile.
    pub changes: Vec<String>,
    /// `os/architecture/variant`; empty for the host's.
    pub platform: String,
}

impl Images {
    /// The new image's id.
    pub fn import(&self, mut archive: impl Read, import: Import) -> Result<String> {
        let mut config = api::containers::Config::default();
        changes::apply(&mut config, &import.changes)?;
        let reference = target(&import.repository, &import.tag)?;
        let name = reference.as_ref().map(oci::Reference::familiar);
        let wanted = store::images::Import {
            config: oci_config(&config)?,
            message: if import.message.is_empty() {
                "Imported from -".to_owned()
            } else {
                import.message
            },
            platform: platform(&import.platform)?,
            reference,
        };
        let id = self.store.images().import(&mut archive, wanted, &mut |_| ())?;
        if let Some(name) = name {
            self.publish("tag", &id, &name);
        }
        self.publish("import", &id, id.as_str());
        Ok(id.to_string())
    }
}

fn platform(text: &str) -> Result<Option<Platform>> {
    if text.is_empty() {
        return Ok(None);
    }
    match Platform::parse(text).map_err(|error| Error::invalid(error.to_string()))? {
        linux if linux.os == "linux" => Ok(Some(linux)),
        _ => Err(Error::invalid("operating system is not supported")),
    }
}
