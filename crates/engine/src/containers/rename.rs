//! `rename`.

use super::Containers;
use super::actor::Actor;
use super::index::Reservation;
use super::name;
use super::request::Request;
use crate::error::{Error, Result};

impl Containers {
    pub async fn rename(&self, wanted: &str, new_name: &str) -> Result<()> {
        if wanted.is_empty() || new_name.is_empty() {
            return Err(Error::invalid("Neither old nor new names may be empty"));
        }
        let handle = self.find(wanted)?;
        let record = handle.record();
        // As Docker, which puts the slash before it first, and so shows it.
        let new_name = format!("/{}", new_name.strip_prefix('/').unwrap_or(new_name));
        let checked = name::checked(&new_name).map_err(|error| {
            Error::invalid(format!("Error when allocating new name: {}", error.what))
        })?;
        if record.name == checked {
            return Err(Error::invalid(
                "Renaming a container with the same name as its current name",
            ));
        }
        let name = self.0.index.reserve(checked, &record.id).map_err(|error| {
            Error::new(error.kind, format!("Error when allocating new name: {}", error.what))
        })?;
        handle.ask(|reply| Request::Rename { name, reply }).await
    }
}

impl Actor {
    pub async fn rename(&mut self, new: Reservation) -> Result<()> {
        let old = std::mem::replace(&mut self.record.name, new.name.clone());
        self.name_endpoints();
        if let Err(error) = self.save().await {
            self.record.name = old;
            self.name_endpoints();
            return Err(error);
        }
        new.keep();
        self.shared.index.release_name(&old);
        self.tell("rename", [("oldName", format!("/{old}"))]);
        Ok(())
    }
}
