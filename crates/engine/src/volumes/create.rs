//! POST /volumes/create, and what containers' mounts ask for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use store::volumes::{ANONYMOUS, Volume};

use super::{DRIVER, Volumes, options};
use crate::containers::name::random_id;
use crate::error::{Error, Result};

/// A volume as asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    /// Empty for one of the engine's choice: the volume is anonymous.
    pub name: String,
    /// Empty for the local one.
    pub driver: String,
    pub labels: Option<BTreeMap<String, String>>,
    pub options: Option<BTreeMap<String, String>>,
}

/// A volume that a container has from now on.
pub struct Claimed {
    pub volume: Volume,
    /// It was made for the container, and is to be recorded with it.
    pub is_new: bool,
}

impl Volumes {
    /// The volume of that name, made unless it is there.
    pub fn create(&self, wish: Wish) -> Result<api::volumes::Volume> {
        let wish = named(wish);
        let _hold = self.0.uses.hold(&wish.name);
        Ok(self.shown(self.find_or_make(wish)?))
    }

    /// As `create`, for a container, which keeps it from being removed until it lets go of it. Of one without a name
    /// there is the directory only.
    pub fn claim(&self, wish: Wish, container: &str) -> Result<Claimed> {
        let is_new = wish.name.is_empty();
        let wish = named(wish);
        let _hold = self.0.uses.hold(&wish.name);
        let volume = if is_new {
            let volume = self.checked(wish)?;
            self.directory(&volume)?;
            volume
        } else {
            self.find_or_make(wish)?
        };
        self.0.uses.claim(&volume.name, container);
        Ok(Claimed { volume, is_new })
    }

    /// One that was claimed is recorded now.
    pub fn tell_new(&self, name: &str) {
        self.tell("create", name, []);
    }

    /// One that was claimed is not wanted after all, and has no record.
    pub fn give_up(&self, name: &str) -> Result<()> {
        let _hold = self.0.uses.hold(name);
        self.unmount_unless_running(name);
        Ok(self.records().discard(name)?)
    }

    fn find_or_make(&self, wish: Wish) -> Result<Volume> {
        check_driver(&wish).and_then(|()| check_name(&wish.name)).map_err(in_create(&wish.name))?;
        if let Some(volume) = self.records().get(&wish.name)? {
            return Ok(volume);
        }
        let volume = self.checked(wish)?;
        self.records().create(&volume, None)?;
        self.directory(&volume)?;
        self.tell_new(&volume.name);
        Ok(volume)
    }

    /// The volume that is wished for, where it can be made.
    fn checked(&self, wish: Wish) -> Result<Volume> {
        check_driver(&wish)
            .and_then(|()| check_name(&wish.name))
            .and_then(|()| {
                options::check(wish.options.iter().flatten(), || self.0.store.has_quotas())
            })
            .map_err(in_create(&wish.name))?;
        Ok(new(wish.name, wish.labels, wish.options))
    }
}

fn check_driver(wish: &Wish) -> Result<()> {
    match wish.driver.as_str() {
        "" | DRIVER => Ok(()),
        driver => Err(Error::not_found(format!(
            "error looking up volume plugin {driver}: plugin \"{driver}\" not found"
        ))),
    }
}

fn in_create(name: &str) -> impl Fn(Error) -> Error {
    move |error| Error { what: format!("create {name}: {}", error.what), ..error }
}

/// Made now.
pub fn new(
    name: String,
    labels: Option<BTreeMap<String, String>>,
    options: Option<BTreeMap<String, String>>,
) -> Volume {
    Volume { name, created: Timestamp::now().as_second(), labels, options }
}

fn named(mut wish: Wish) -> Wish {
    if wish.name.is_empty() {
        wish.name = random_id();
        wish.labels.get_or_insert_default().insert(ANONYMOUS.into(), String::new());
    }
    wish
}

/// Names never lead out of the volumes' directory.
pub fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if name.len() == 1 && plain {
        return Err(Error::invalid(
            "volume name is too short, names should be at least two alphanumeric characters",
        ));
    }
    if !plain || !name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) {
        return Err(Error::invalid(format!(
            "{name:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        )));
    }
    if name.len() > 255 {
        return Err(Error::invalid("file name too long"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_a_path() {
        for name in ["../etc", "a/b", "..", ".x", "", "/", "-x", "a b", "a\0b", "ä"] {
            let said = check_name(name).unwrap_err().to_string();
            assert!(said.contains("local volume name"), "{name}: {said}");
        }
        assert!(check_name("a").unwrap_err().to_string().contains("too short"));
        assert!(check_name(&"a".repeat(256)).is_err());
        check_name("a.b_c-1").unwrap();
    }

    #[test]
    fn a_volume_nobody_named_is_marked() {
        let wish = named(Wish::default());
        assert_eq!(wish.name.len(), 64);
        assert!(wish.labels.unwrap().contains_key(ANONYMOUS));
        let wish = named(Wish { name: "data".into(), ..Wish::default() });
        assert_eq!((wish.name.as_str(), wish.labels), ("data", None));
    }
}
