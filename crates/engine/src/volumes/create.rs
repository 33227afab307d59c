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
    /// It was not there before.
    pub made: bool,
}

impl Volumes {
    /// The volume of that name, made unless it is there.
    pub fn create(&self, wish: Wish) -> Result<api::volumes::Volume> {
        let wish = named(wish);
        let _hold = self.0.uses.hold(&wish.name);
        Ok(self.shown(self.find_or_make(wish)?.volume))
    }

    /// As `create`, for a container, which keeps it from being removed until it lets go of it.
    pub fn claim(&self, wish: Wish, container: &str) -> Result<Claimed> {
        let wish = named(wish);
        let _hold = self.0.uses.hold(&wish.name);
        let claimed = self.find_or_make(wish)?;
        self.0.uses.claim(&claimed.volume.name, container);
        Ok(claimed)
    }

    fn find_or_make(&self, wish: Wish) -> Result<Claimed> {
        let failed =
            |error: Error| Error { what: format!("create {}: {}", wish.name, error.what), ..error };
        if !matches!(wish.driver.as_str(), "" | DRIVER) {
            let driver = &wish.driver;
            return Err(failed(Error::not_found(format!(
                "error looking up volume plugin {driver}: plugin \"{driver}\" not found"
            ))));
        }
        check_name(&wish.name).map_err(failed)?;
        if let Some(volume) = self.records().get(&wish.name)? {
            return Ok(Claimed { volume, made: false });
        }
        options::check(wish.options.iter().flatten()).map_err(failed)?;
        let volume = new(wish.name, wish.labels, wish.options);
        self.records().create(&volume, None)?;
        self.tell("create", &volume.name, []);
        Ok(Claimed { volume, made: true })
    }
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
