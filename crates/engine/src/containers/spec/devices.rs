//! Device nodes and who may use them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use api::containers::DeviceMapping;
use oci::runtime::{Device, DeviceRule};

use crate::error::Error;

/// Directories of /dev that hold no devices of the host, or a container's own.
const NOT_COPIED: [&str; 7] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"];
/// Deeper than any device directory.
const MAX_DEPTH: usize = 8;

/// Nodes to make and the rules that allow their use, beside those every container has.
#[derive(Debug, Default, PartialEq)]
pub struct Devices {
    pub nodes: Vec<Device>,
    pub rules: Vec<DeviceRule>,
}

/// The devices every container may use; the runtime makes their nodes.
pub fn default_rules() -> Vec<DeviceRule> {
    let character = |major, minor| DeviceRule {
        allow: true,
        kind: "c".into(),
        major: Some(major),
        minor: Some(minor),
        access: "rwm".into(),
    };
    let everything = DeviceRule { allow: false, access: "rwm".into(), ..DeviceRule::default() };
    let fuse = DeviceRule { allow: false, ..character(10, 229) };
    let known = [(1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1)].map(|(a, b)| character(a, b));
    [everything].into_iter().chain(known).chain([fuse]).collect()
}

/// A privileged container: every device of the host, and those under other names that it asked for.
pub fn privileged<'a>(mappings: impl Iterator<Item = &'a DeviceMapping>) -> Result<Devices, Error> {
    let mut nodes = Vec::new();
    collect(Path::new("/dev"), Path::new("/dev"), 0, &mut nodes);
    for mapping in mappings.filter(|mapping| has_another_name(mapping)) {
        let mapped = mapped(mapping)?.nodes;
        // As in Docker, the host's device stays what its name says.
        let is_new = |node: &Device| nodes.iter().all(|other| other.path != node.path);
        let new: Vec<_> = mapped.into_iter().filter(is_new).collect();
        nodes.extend(new);
    }
    let everything = DeviceRule { allow: true, access: "rwm".into(), ..DeviceRule::default() };
    Ok(Devices { nodes, rules: vec![everything] })
}

fn has_another_name(mapping: &DeviceMapping) -> bool {
    !mapping.path_in_container.is_empty() && mapping.path_in_container != mapping.path_on_host
}

/// `--device`: one node, or all nodes of a directory.
pub fn mapped(mapping: &DeviceMapping) -> Result<Devices, Error> {
    let source = Path::new(&mapping.path_on_host);
    let target = match mapping.path_in_container.as_str() {
        "" => source.to_owned(),
        path => PathBuf::from(path),
    };
    let failed = |cause: &dyn std::fmt::Display| {
        Error::system(format!(
            "error gathering device information while adding custom device {:?}: {cause}",
            mapping.path_on_host
        ))
    };
    let metadata = fs::metadata(source).map_err(|cause| failed(&reason(&cause)))?;
    let mut nodes = Vec::new();
    if metadata.is_dir() {
        collect(source, &target, 0, &mut nodes);
    } else {
        nodes.push(node(target, &metadata).ok_or_else(|| failed(&"not a device node"))?);
    }
    let access =
        if mapping.cgroup_permissions.is_empty() { "rwm" } else { &mapping.cgroup_permissions };
    let rules = nodes.iter().map(|node| rule(node, access)).collect();
    Ok(Devices { nodes, rules })
}

/// `--device-cgroup-rule`: `c 1:* rw`.
pub fn cgroup_rule(text: &str) -> Result<DeviceRule, Error> {
    let invalid = || Error::invalid(format!("invalid device cgroup rule format: '{text}'"));
    let mut words = text.split(' ');
    let (Some(kind), Some(numbers), Some(access), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(invalid());
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(invalid)?;
    let number = |text: &str| match text {
        "*" => Ok(Some(-1)),
        digits => {
            digits.parse::<u32>().map(|number| Some(i64::from(number))).map_err(|_| invalid())
        }
    };
    let known = matches!(kind, "a" | "b" | "c")
        && (1..=3).contains(&access.len())
        && access.bytes().all(|byte| b"rwm".contains(&byte));
    if !known {
        return Err(invalid());
    }
    Ok(DeviceRule {
        allow: true,
        kind: kind.into(),
        major: number(major)?,
        minor: number(minor)?,
        access: access.into(),
    })
}

fn collect(source: &Path, target: &Path, depth: usize, nodes: &mut Vec<Device>) {
    let Ok(entries) = fs::read_dir(source) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(metadata) = entry.metadata() else { continue };
        let skipped = depth == 0 && NOT_COPIED.iter().any(|skip| name == *skip);
        if metadata.is_dir() && depth < MAX_DEPTH && !skipped {
            collect(&entry.path(), &target.join(&name), depth + 1, nodes);
        } else if name != "console" {
            nodes.extend(node(target.join(&name), &metadata));
        }
    }
}

fn node(path: PathBuf, metadata: &fs::Metadata) -> Option<Device> {
    let kind = if metadata.file_type().is_char_device() {
        "c"
    } else if metadata.file_type().is_block_device() {
        "b"
    } else {
        return None;
    };
    Some(Device {
        path,
        kind: kind.into(),
        major: rustix::fs::major(metadata.rdev()).into(),
        minor: rustix::fs::minor(metadata.rdev()).into(),
        file_mode: Some(metadata.mode() & 0o7777),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
    })
}

fn rule(node: &Device, access: &str) -> DeviceRule {
    DeviceRule {
        allow: true,
        kind: node.kind.clone(),
        major: Some(node.major),
        minor: Some(node.minor),
        access: access.into(),
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(path: &str) -> DeviceMapping {
        DeviceMapping { path_on_host: path.into(), ..DeviceMapping::default() }
    }

    #[test]
    fn one_device_and_its_rule() {
        let mut mapping = map("/dev/null");
        mapping.path_in_container = "/dev/nothing".into();
        mapping.cgroup_permissions = "r".into();
        let devices = mapped(&mapping).unwrap();
        assert_eq!(devices.nodes[0].path, Path::new("/dev/nothing"));
        assert_eq!((devices.rules[0].major, devices.rules[0].minor), (Some(1), Some(3)));
        assert_eq!(devices.rules[0].access, "r");
    }

    #[test]
    fn what_is_no_device_is_refused_as_docker_does() {
        let said = |path| mapped(&map(path)).unwrap_err().to_string();
        let start = "error gathering device information while adding custom device";
        assert_eq!(said("/nodev"), format!("{start} \"/nodev\": no such file or directory"));
        assert_eq!(said("/etc/passwd"), format!("{start} \"/etc/passwd\": not a device node"));
    }

    #[test]
    fn rules_by_number() {
        let rule = cgroup_rule("c 1:* rw").unwrap();
        assert_eq!((rule.major, rule.minor, rule.access.as_str()), (Some(1), Some(-1), "rw"));
        for bad in ["", "foo", "x 1:1 r", "c 1 r", "c 1:1 q", "c 1:1 rwmr", "c 1:1 r x", "c -1:1 r"]
        {
            assert!(cgroup_rule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_privileged_container_sees_the_hosts_devices_but_not_its_terminals() {
        let devices = privileged(std::iter::empty()).unwrap();
        assert!(devices.nodes.iter().any(|node| node.path == Path::new("/dev/null")));
        assert!(devices.nodes.iter().all(|node| !node.path.starts_with("/dev/pts")));
    }

    #[test]
    fn a_privileged_container_has_devices_under_other_names_too() {
        let mapping = |from, to: &str| DeviceMapping { path_in_container: to.into(), ..map(from) };
        let mappings = [
            mapping("/dev/null", "/dev/mynull"),
            mapping("/dev/null", "/dev/zero"),
            mapping("/nodev", "/nodev"),
            map("/nodev"),
        ];
        let devices = privileged(mappings.iter()).unwrap();
        let minors = |path: &str| {
            let named = devices.nodes.iter().filter(|node| node.path == Path::new(path));
            named.map(|node| node.minor).collect::<Vec<_>>()
        };
        assert_eq!((minors("/dev/mynull"), minors("/dev/zero")), (vec![3], vec![5]));
        assert!(privileged([mapping("/nodev", "/dev/x")].iter()).is_err());
    }
}
