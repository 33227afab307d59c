//! `linux.cgroupsPath`, which a client chooses: checked before it becomes a path of the host.

use super::{Driver, Error, Result};

/// Longest `cgroupsPath` taken, in bytes; the kernel's PATH_MAX less the mount point's share.
pub const MAX_PATH: usize = 3072;
const MAX_COMPONENT: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupPath {
    relative: String,
    unit: Option<Unit>,
}

/// A systemd scope and the slice it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) slice: String,
}

impl CgroupPath {
    /// cgroupfs: a path, absolute or not, below the root of each hierarchy. systemd:
    /// `slice:prefix:name`, with runc's defaults (`system.slice`, prefix `gantry`).
    pub fn parse(driver: Driver, cgroups_path: &str, id: &str) -> Result<Self> {
        let fail = |reason| Error::InvalidPath { path: cgroups_path.to_owned(), reason };
        check(cgroups_path).map_err(fail)?;
        check(id).map_err(fail)?;
        match driver {
            Driver::Cgroupfs => {
                let relative = cgroups_path.split('/').filter(|c| !matches!(*c, "" | "."));
                let relative = relative.collect::<Vec<_>>().join("/");
                if relative.is_empty() && !cgroups_path.is_empty() {
                    return Err(fail("it is the root of the hierarchy"));
                }
                let relative = if relative.is_empty() { format!("gantry/{id}") } else { relative };
                Ok(Self { relative, unit: None })
            }
            Driver::Systemd => {
                let unit = parse_unit(cgroups_path, id).map_err(fail)?;
                let relative = format!("{}/{}", slice_path(&unit.slice).map_err(fail)?, unit.name);
                Ok(Self { relative, unit: Some(unit) })
            }
        }
    }

    pub(super) fn relative(&self) -> &str {
        &self.relative
    }

    pub(super) fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }
}

fn check(path: &str) -> std::result::Result<(), &'static str> {
    if path.len() > MAX_PATH {
        return Err("it is too long");
    }
    path.split('/').filter(|c| !c.is_empty()).try_for_each(check_component)
}

fn check_component(component: &str) -> std::result::Result<(), &'static str> {
    match component {
        ".." => Err("it climbs with .."),
        c if c.len() > MAX_COMPONENT => Err("a name in it is longer than 255 bytes"),
        // A line break would smuggle a second line into whatever reads /proc/PID/cgroup.
        c if c.contains(|c: char| c.is_control()) => Err("it has control characters"),
        _ => Ok(()),
    }
}

fn parse_unit(cgroups_path: &str, id: &str) -> std::result::Result<Unit, &'static str> {
    if cgroups_path.contains('/') {
        return Err("the systemd driver takes slice:prefix:name");
    }
    let (slice, prefix, name) = match cgroups_path.split(':').collect::<Vec<_>>()[..] {
        [""] => ("", "gantry", id),
        [slice, prefix, name] if !name.is_empty() => (slice, prefix, name),
        _ => return Err("the systemd driver takes slice:prefix:name"),
    };
    let slice = if slice.is_empty() { "system.slice" } else { slice };
    let name = match (name.ends_with(".slice"), prefix) {
        (true, _) => return Err("a container's unit is a scope, not a slice"),
        (false, "") => format!("{name}.scope"),
        (false, prefix) => format!("{prefix}-{name}.scope"),
    };
    if name.len() > MAX_COMPONENT {
        return Err("a name in it is longer than 255 bytes");
    }
    Ok(Unit { name, slice: slice.to_owned() })
}

/// systemd nests slices by the dashes of their names: `a-b.slice` is `a.slice/a-b.slice`.
fn slice_path(slice: &str) -> std::result::Result<String, &'static str> {
    let stem = slice.strip_suffix(".slice").ok_or("its first part is no slice")?;
    if stem == "-" {
        return Ok(String::from("."));
    }
    if stem.is_empty() || stem.split('-').any(str::is_empty) {
        return Err("its slice has an empty part");
    }
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    Ok(ends.map(|end| format!("{}.slice", &stem[..end])).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cgroupfs(path: &str) -> Result<String> {
        CgroupPath::parse(Driver::Cgroupfs, path, "id1").map(|p| p.relative)
    }

    fn systemd(path: &str) -> Result<(String, String)> {
        let path = CgroupPath::parse(Driver::Systemd, path, "id1")?;
        Ok((path.relative, path.unit.expect("the systemd driver names a unit").slice))
    }

    #[test]
    fn a_path_is_taken_below_the_root_absolute_or_not() {
        assert_eq!(cgroupfs("/docker/x").unwrap(), "docker/x");
        assert_eq!(cgroupfs("docker//x/.").unwrap(), "docker/x");
        assert_eq!(cgroupfs("").unwrap(), "gantry/id1");
        assert!(cgroupfs("/").is_err(), "limits on the root would be limits on the host");
    }

    #[test]
    fn cgroup_parents_with_dots_nul_and_300_characters_are_refused() {
        for path in ["/../x", "a/../../b", "..", "/a\0b", "/a\nb"] {
            assert!(cgroupfs(path).is_err(), "{path:?}");
        }
        assert!(cgroupfs(&"x".repeat(300)).is_err());
        assert!(cgroupfs(&"x/".repeat(2000)).is_err());
        assert!(CgroupPath::parse(Driver::Cgroupfs, "", "..").is_err());
        assert!(systemd("system.slice:gantry:../../x").is_err());
        assert!(systemd(&format!("system.slice:gantry:{}", "x".repeat(252))).is_err());
    }

    #[test]
    fn systemd_paths() {
        let scope = |relative: &str, slice: &str| (relative.to_owned(), slice.to_owned());
        assert_eq!(systemd("").unwrap(), scope("system.slice/gantry-id1.scope", "system.slice"));
        assert_eq!(
            systemd("a-b-c.slice:docker:x").unwrap(),
            scope("a.slice/a-b.slice/a-b-c.slice/docker-x.scope", "a-b-c.slice")
        );
        assert_eq!(systemd(":p:x").unwrap(), scope("system.slice/p-x.scope", "system.slice"));
        assert_eq!(systemd("-.slice::x").unwrap(), scope("./x.scope", "-.slice"));
        for path in ["/docker/x", "a:b", "x:y:", "nota:slice:x", "a--b.slice:p:x"] {
            assert!(systemd(path).is_err(), "{path:?}");
        }
    }
}
