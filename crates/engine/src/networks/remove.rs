//! DELETE /networks/{name}.

use super::Networks;
use super::record::Record;
use crate::error::{Error, Kind, Result};

impl Networks {
    pub fn remove(&self, wanted: &str) -> Result<()> {
        let record = self.directory.find(wanted)?;
        if record.is_builtin {
            let why = format!("{} is a pre-defined network and cannot be removed", record.name);
            return Err(Error::new(Kind::Forbidden, why));
        }
        self.remove_unused(&record)
    }

    /// The kernel's part goes first: a record without a bridge is made whole by the next engine.
    pub(super) fn remove_unused(&self, record: &Record) -> Result<()> {
        if self.gives_configuration(record) {
            let why = format!("configuration network {:?} is in use", record.name);
            return Err(Error::new(
                Kind::Forbidden,
                format!("error while removing network: {why}"),
            ));
        }
        match self.network.remove(&record.id) {
            Ok(()) => {}
            // A configuration, or one that somebody else is removing.
            Err(network::Error::NoSuchNetwork(_)) if record.is_config_only() => {}
            Err(network::Error::NoSuchNetwork(_)) => {
                return Err(Error::not_found(format!("network {} not found", record.name)));
            }
            Err(error @ network::Error::InUse { .. }) => {
                let why = format!("error while removing network: {error}");
                return Err(Error::new(Kind::Forbidden, why));
            }
            Err(error) => tracing::warn!(network = record.id, "something of it is left: {error}"),
        }
        self.store.networks().delete(&record.id)?;
        self.directory.remove(record);
        self.tell(record, "destroy");
        Ok(())
    }

    fn gives_configuration(&self, record: &Record) -> bool {
        let takes = |other: &Record| {
            !other.config_from.is_empty()
                && (other.config_from == record.name || other.config_from == record.id)
        };
        record.is_config_only() && self.directory.all().iter().any(|other| takes(other))
    }
}
