//! Which capabilities a container's processes hold. Permitted, effective and bounding are the same set; the
//! inheritable and ambient sets stay empty (CVE-2016-8867, CVE-2022-24769).

use oci::runtime::Capabilities;
use runtime::capability;

use crate::error::Error;

/// What a container has without asking, in Docker's order.
const DEFAULT: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// What is asked for, checked: unknown names are refused at create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    add: Vec<String>,
    drop: Vec<String>,
}

impl Wishes {
    pub fn parse(add: &[String], drop: &[String]) -> Result<Self, Error> {
        Ok(Self { add: names(add, "CapAdd")?, drop: names(drop, "CapDrop")? })
    }

    /// The set that follows. `held` is the engine's own bounding set by capability number: what the engine has not
    /// got it cannot give to a privileged container.
    pub fn set(&self, privileged: bool, held: u64) -> Vec<String> {
        let everything = || {
            let held = capability::NAMES
                .iter()
                .enumerate()
                .filter(|(number, _)| held & (1 << number) != 0);
            held.map(|(_, name)| (*name).to_owned()).collect::<Vec<_>>()
        };
        if privileged {
            return everything();
        }
        let adds_all = self.add.iter().any(|name| name == "ALL");
        let drops_all = self.drop.iter().any(|name| name == "ALL");
        let base = match (adds_all, drops_all) {
            (true, _) => everything(),
            (false, true) => Vec::new(),
            (false, false) => DEFAULT.map(str::to_owned).to_vec(),
        };
        let mut set: Vec<String> =
            base.into_iter().filter(|name| !self.drop.contains(name)).collect();
        for name in self.add.iter().filter(|name| *name != "ALL") {
            if !set.contains(name) {
                set.push(name.clone());
            }
        }
        set
    }
}

/// The five sets of a process that may use `set`.
pub fn sets(set: Vec<String>) -> Capabilities {
    Capabilities {
        bounding: set.clone(),
        effective: set.clone(),
        permitted: set,
        inheritable: Vec::new(),
        ambient: Vec::new(),
    }
}

fn names(wished: &[String], field: &str) -> Result<Vec<String>, Error> {
    wished.iter().map(|name| known(name, field)).collect()
}

fn known(wished: &str, field: &str) -> Result<String, Error> {
    let upper = wished.to_ascii_uppercase();
    if upper == "ALL" {
        return Ok(upper);
    }
    let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    if capability::NAMES.contains(&full.as_str()) {
        return Ok(full);
    }
    Err(Error::invalid(format!("invalid {field}: unknown capability: \"{full}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: u64 = u64::MAX;

    fn set(add: &[&str], drop: &[&str]) -> Vec<String> {
        let owned =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Wishes::parse(&owned(add), &owned(drop)).unwrap().set(false, HELD)
    }

    #[test]
    fn without_wishes_the_default_set() {
        assert_eq!(set(&[], &[]), DEFAULT);
    }

    #[test]
    fn all_and_its_exceptions() {
        assert_eq!(set(&["net_bind_service"], &["ALL"]), ["CAP_NET_BIND_SERVICE"]);
        assert_eq!(set(&["ALL"], &[]).len(), capability::NAMES.len());
        assert!(!set(&["all"], &["CAP_SYS_ADMIN"]).contains(&"CAP_SYS_ADMIN".to_owned()));
        assert!(set(&[], &["all"]).is_empty());
    }

    #[test]
    fn single_ones_come_and_go() {
        let capabilities = set(&["SYS_TIME", "CAP_CHOWN"], &["MKNOD"]);
        assert!(capabilities.contains(&"CAP_SYS_TIME".to_owned()));
        assert!(!capabilities.contains(&"CAP_MKNOD".to_owned()));
        assert_eq!(capabilities.iter().filter(|name| *name == "CAP_CHOWN").count(), 1);
    }

    #[test]
    fn the_engine_gives_no_more_than_it_has() {
        let all = Wishes::default().set(true, HELD & !(1 << 24));
        assert!(!all.contains(&"CAP_SYS_RESOURCE".to_owned()));
        assert_eq!(all.len(), capability::NAMES.len() - 1);
    }

    #[test]
    fn unknown_names_are_refused_as_docker_does() {
        let error = Wishes::parse(&["foo".into()], &[]).unwrap_err();
        assert_eq!(error.to_string(), "invalid CapAdd: unknown capability: \"CAP_FOO\"");
    }

    #[test]
    fn cve_2016_8867_cve_2022_24769_ambient_and_inheritable_stay_empty() {
        let five = sets(set(&["ALL"], &[]));
        assert!(five.ambient.is_empty() && five.inheritable.is_empty());
        assert_eq!(five.bounding, five.effective);
    }
}
