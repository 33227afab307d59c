//! `rmi`, by Docker's rules: a name is taken away first, the image goes with its last one. Containers stand in the
//! way: running ones always, stopped ones unless forced.

use std::collections::BTreeMap;

use oci::{Digest, Reference};
use rusqlite::Connection;

use super::{Image, Images, list, names_of};
use crate::database::Durability;
use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy, Default)]
pub struct Removal {
    pub force: bool,
    /// Removes parents that nobody else needs, too.
    pub prune: bool,
}

/// A container and the image it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub container: String,
    pub image: Digest,
    pub running: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    Name(RemovedName),
    /// By its ID.
    Image(Digest),
    /// By its chain ID.
    Layer(Digest),
}

/// A name that was taken from an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedName {
    /// The familiar form.
    pub name: String,
    pub image: Digest,
    /// The image's, which may be gone by now.
    pub labels: BTreeMap<String, String>,
}

impl RemovedName {
    fn of(image: &Image, name: &Reference) -> Self {
        let config = image.config.config.as_ref();
        let labels = config.and_then(|config| config.labels.clone()).unwrap_or_default();
        Self { name: name.familiar(), image: image.id.clone(), labels }
    }
}

/// Why an image cannot go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Conflict {
    hard: bool,
    used: bool,
    message: String,
}

impl Images<'_> {
    pub fn remove(&self, name: &str, removal: Removal, uses: &[Use]) -> Result<Vec<Removed>> {
        let image = self.get(name)?;
        let mut removed = Vec::new();
        let by_id = is_id_prefix(&image.id, name);
        if by_id {
            if is_single_reference(&image) {
                if let Some(conflict) = self.conflict(&image, removal.force, false, uses)? {
                    return Err(conflict.error(&image.id));
                }
                self.untag_all(&image, &mut removed)?;
            }
        } else {
            let others = self.of_other_platforms(name, &image)?;
            self.remove_name(&image, name, removal, uses, &mut removed)?;
            for other in &others {
                if self.by_id(other).is_ok_and(|other| other.is_dangling()) {
                    self.delete(other, removal, uses, true, &mut removed)?;
                }
            }
            if !self.by_id(&image.id)?.is_dangling() {
                if !others.is_empty() {
                    self.store.collect_garbage()?;
                }
                return Ok(removed);
            }
        }
        self.delete(&image.id, removal, uses, !by_id, &mut removed)?;
        self.store.collect_garbage()?;
        Ok(removed)
    }

    fn remove_name(
        &self,
        image: &Image,
        name: &str,
        removal: Removal,
        uses: &[Use],
        removed: &mut Vec<Removed>,
    ) -> Result<()> {
        let user = uses.iter().find(|one| one.image == image.id);
        if let (false, true, Some(user)) = (removal.force, is_single_reference(image), user) {
            return Err(Error::conflict(format!(
                "conflict: unable to remove repository reference {name:?} (must force) - container {} is using its referenced image {}",
                short(&user.container),
                image.id.short()
            )));
        }
        let reference = Reference::parse(name)?.tag_default();
        self.untag(image, &reference, removed)?;
        let same_repository = |other: &&Reference| other.name() == reference.name();
        let other_tags = image.tags.iter().filter(same_repository).any(|tag| *tag != reference);
        if reference.digest().is_none() && !other_tags {
            for digest in image.digests.iter().filter(same_repository) {
                self.untag(image, digest, removed)?;
            }
        }
        Ok(())
    }

    fn delete(
        &self,
        id: &Digest,
        removal: Removal,
        uses: &[Use],
        quiet: bool,
        removed: &mut Vec<Removed>,
    ) -> Result<()> {
        let (image, shared) = loop {
            let image = self.by_id(id)?;
            if let Some(conflict) = self.conflict(&image, removal.force, true, uses)? {
                if quiet && (!image.is_dangling() || conflict.used || conflict.hard) {
                    return Ok(());
                }
                return Err(conflict.error(id));
            }
            let shared = self.shared_with_others(id)?;
            if self.delete_record(&image, removed)? {
                break (image, shared);
            }
        };
        removed.push(Removed::Image(id.clone()));
        let chains = image.chain_ids().into_iter().skip(shared).rev();
        removed.extend(chains.map(Removed::Layer));
        match image.parent {
            Some(parent) if removal.prune && self.by_id(&parent).is_ok() => {
                let unforced = Removal { force: false, prune: true };
                self.delete(&parent, unforced, uses, true, removed)
            }
            _ => Ok(()),
        }
    }

    /// Its names, its rows, and the documents that nothing else names: all, or nothing where it has got a name or a
    /// child since it was read.
    fn delete_record(&self, image: &Image, removed: &mut Vec<Removed>) -> Result<bool> {
        let _documents = self.store.hold_documents();
        let attached = self.attached(&image.roots)?;
        let untagged = self.store.write(Durability::PowerLoss, |transaction| {
            let names = names_of(transaction, image.id.as_str())?;
            let is_known = |name| image.tags.contains(name) || image.digests.contains(name);
            if !names.iter().all(is_known) || has_children(transaction, &image.id)? {
                return Ok(None);
            }
            for name in &names {
                delete_name(transaction, name)?;
            }
            transaction.execute("DELETE FROM images WHERE id = ?1", [image.id.as_str()])?;
            Ok(Some(names))
        })?;
        let Some(untagged) = untagged else { return Ok(false) };
        removed.extend(untagged.iter().map(|name| Removed::Name(RemovedName::of(image, name))));
        self.store.remove_unknown_blobs(image.roots.iter().chain(&attached).chain([&image.id]))?;
        Ok(true)
    }

    fn conflict(
        &self,
        image: &Image,
        force: bool,
        names_matter: bool,
        uses: &[Use],
    ) -> Result<Option<Conflict>> {
        let mut users = uses.iter().filter(|one| one.image == image.id);
        if self.store.database.read(|db| has_children(db, &image.id))? {
            let message = "image has dependent child images".to_owned();
            return Ok(Some(Conflict { hard: true, used: false, message }));
        }
        if let Some(user) = users.clone().find(|user| user.running) {
            let message =
                format!("image is being used by running container {}", short(&user.container));
            return Ok(Some(Conflict { hard: true, used: true, message }));
        }
        if force {
            return Ok(None);
        }
        if names_matter && !image.is_dangling() {
            let message = "image is referenced in multiple repositories".to_owned();
            return Ok(Some(Conflict { hard: false, used: false, message }));
        }
        Ok(users.next().map(|user| Conflict {
            hard: false,
            used: true,
            message: format!("image is being used by stopped container {}", short(&user.container)),
        }))
    }

    fn untag_all(&self, image: &Image, removed: &mut Vec<Removed>) -> Result<()> {
        image
            .tags
            .iter()
            .chain(&image.digests)
            .try_for_each(|name| self.untag(image, name, removed))
    }

    fn untag(&self, image: &Image, name: &Reference, removed: &mut Vec<Removed>) -> Result<()> {
        let was_there = self
            .store
            .write(Durability::PowerLoss, |transaction| delete_name(transaction, name))?;
        if was_there {
            removed.push(Removed::Name(RemovedName::of(image, name)));
        }
        Ok(())
    }

    /// How many of the image's layers, from the bottom, another image has in the same place.
    fn shared_with_others(&self, id: &Digest) -> Result<usize> {
        let mut layers = self.store.database.read(list::layers)?;
        let own = layers.remove(id.as_str()).unwrap_or_default();
        let shared = |other: Vec<_>| own.iter().zip(&other).take_while(|(a, b)| a == b).count();
        Ok(layers.into_values().map(shared).max().unwrap_or(0))
    }
}

impl Conflict {
    fn error(&self, id: &Digest) -> Error {
        let force = if self.hard { "cannot be forced" } else { "must be forced" };
        Error::conflict(format!(
            "conflict: unable to delete {} ({force}) - {}",
            id.short(),
            self.message
        ))
    }
}

fn delete_name(db: &Connection, name: &Reference) -> Result<bool> {
    Ok(db.execute("DELETE FROM refs WHERE name = ?1", [name.to_string()])? > 0)
}

fn has_children(db: &Connection, id: &Digest) -> Result<bool> {
    let mut statement = db.prepare_cached("SELECT 1 FROM images WHERE parent = ?1")?;
    Ok(statement.exists([id.as_str()])?)
}

fn is_id_prefix(id: &Digest, name: &str) -> bool {
    id.as_str().starts_with(name) || id.hex().starts_with(name)
}

/// At most one tag, and all names in one repository.
fn is_single_reference(image: &Image) -> bool {
    let mut names = image.tags.iter().chain(&image.digests).map(Reference::name);
    let first = names.next();
    image.tags.len() <= 1 && names.all(|name| Some(&name) == first.as_ref())
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
