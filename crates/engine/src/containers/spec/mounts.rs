//! The mounts of the runtime specification: kernel file systems, the engine's files, what the user asked for.

use std::path::Path;

use oci::runtime::Mount;
use runtime::{LOWER, SUBPATH, UPPER};

use crate::containers::mounts::{Kind, MountPoint};

/// Where a container's /dev/shm and its file systems come from.
#[derive(Clone, Debug)]
pub struct System<'a> {
    pub privileged: bool,
    pub shm: Shm<'a>,
}

#[derive(Clone, Debug)]
pub enum Shm<'a> {
    /// A tmpfs of its own, in bytes.
    Own(i64),
    /// The host's.
    Host,
    /// A directory that containers share.
    Shared(&'a Path),
    /// `--ipc none`.
    Absent,
}

/// What every container has, in the order it must be mounted.
pub fn system(system: &System<'_>) -> Vec<Mount> {
    let access: &[&str] = if system.privileged { &[] } else { &["ro"] };
    let sealed = ["nosuid", "noexec", "nodev"];
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &sealed),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/sys", "sysfs", "sysfs", &[&sealed, access].concat()),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &[access, &sealed].concat()),
        mount("/dev/mqueue", "mqueue", "mqueue", &sealed),
    ];
    match system.shm {
        Shm::Own(bytes) => {
            let size = format!("size={bytes}");
            let options = ["nosuid", "noexec", "nodev", "mode=1777", size.as_str()];
            mounts.push(mount("/dev/shm", "tmpfs", "shm", &options));
        }
        Shm::Host => mounts.push(bind(Path::new("/dev/shm"), "/dev/shm", &["rbind", "rprivate"])),
        Shm::Shared(path) => {
            let options = ["rbind", "rprivate", "nosuid", "noexec", "nodev"];
            mounts.push(bind(path, "/dev/shm", &options));
        }
        Shm::Absent => {}
    }
    mounts
}

/// What the user asked for. Sorted by depth, so that `/a/b` is mounted after `/a`.
pub fn asked_for(points: &[MountPoint]) -> Vec<Mount> {
    let mut sorted: Vec<&MountPoint> = points.iter().collect();
    sorted.sort_by_key(|point| point.destination.matches('/').count());
    sorted.into_iter().map(user_mount).collect()
}

/// The engine's files of a container, in /etc.
pub const FILES: [&str; 3] = ["resolv.conf", "hosts", "hostname"];

/// `read_only` follows the root.
pub fn files(
    directory: &Path,
    names: &[&str],
    taken: &[MountPoint],
    read_only: bool,
) -> Vec<Mount> {
    let options: &[&str] =
        if read_only { &["rbind", "ro", "rprivate"] } else { &["rbind", "rprivate"] };
    names
        .iter()
        .map(|name| (name, format!("/etc/{name}")))
        .filter(|(_, path)| taken.iter().all(|point| point.destination != *path))
        .map(|(name, path)| bind(&directory.join(name), &path, options))
        .collect()
}

/// How the container's root must propagate so that the asked-for propagations can work.
pub fn root_propagation(points: &[MountPoint]) -> &'static str {
    let any =
        |words: [&str; 2]| points.iter().any(|point| words.contains(&point.propagation.as_str()));
    if any(["shared", "rshared"]) {
        "shared"
    } else if any(["slave", "rslave"]) {
        "rslave"
    } else {
        ""
    }
}

/// `--init`'s program.
pub fn init(program: &Path) -> Mount {
    bind(program, "/sbin/docker-init", &["bind", "ro"])
}

fn user_mount(point: &MountPoint) -> Mount {
    match point.kind {
        Kind::Tmpfs => {
            let options = tmpfs_options(&point.options);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            mount(&point.destination, "tmpfs", "tmpfs", &options)
        }
        Kind::Image => image_mount(point),
        Kind::Bind | Kind::Volume => {
            let mut options = vec![if point.non_recursive { "bind" } else { "rbind" }];
            if point.read_only {
                options.push(if point.read_only_non_recursive { "ro" } else { "rro" });
            }
            if !point.propagation.is_empty() {
                options.push(&point.propagation);
            }
            let subpath = format!("{SUBPATH}{}", point.subpath);
            if !point.subpath.is_empty() {
                options.push(&subpath);
            }
            bind(Path::new(&point.source), &point.destination, &options)
        }
    }
}

fn image_mount(point: &MountPoint) -> Mount {
    let layers = point.layers.iter().map(|layer| format!("{LOWER}{}", layer.display()));
    let mut options: Vec<String> = ["bind", "rprivate"].map(str::to_owned).into();
    options.extend(layers);
    match &point.upper {
        Some(upper) => options.push(format!("{UPPER}{}", upper.display())),
        None => options.push("ro".into()),
    }
    if !point.subpath.is_empty() {
        options.push(format!("{SUBPATH}{}", point.subpath));
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    bind(Path::new(&point.name), &point.destination, &options)
}

/// Docker's defaults, each of which a wish for the opposite takes away.
fn tmpfs_options(wishes: &str) -> Vec<String> {
    let wishes: Vec<&str> = wishes.split(',').filter(|wish| !wish.is_empty()).collect();
    let defaults = [("noexec", "exec"), ("nosuid", "suid"), ("nodev", "dev"), ("rprivate", "")];
    let kept = defaults
        .iter()
        .filter(|(default, opposite)| !wishes.contains(opposite) && !wishes.contains(default));
    kept.map(|(default, _)| *default).chain(wishes.iter().copied()).map(str::to_owned).collect()
}

fn bind(source: &Path, destination: &str, options: &[&str]) -> Mount {
    mount(destination, "bind", &source.to_string_lossy(), options)
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.into(),
        kind: kind.into(),
        source: source.into(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        ..Mount::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::mounts::parse_bind;

    #[test]
    fn tmpfs_wishes_replace_defaults() {
        assert_eq!(
            tmpfs_options("size=1m,exec"),
            ["nosuid", "nodev", "rprivate", "size=1m", "exec"]
        );
        assert_eq!(tmpfs_options(""), ["noexec", "nosuid", "nodev", "rprivate"]);
    }

    #[test]
    fn read_only_means_all_below_it_too() {
        let point = parse_bind("/tmp:/t:ro").unwrap();
        assert_eq!(asked_for(&[point])[0].options, ["rbind", "rro", "rprivate"]);
    }

    #[test]
    fn parents_are_mounted_before_what_is_below_them() {
        let points = ["/a:/x/y/z", "/b:/x"].map(|text| parse_bind(text).unwrap());
        let order: Vec<_> = asked_for(&points).into_iter().map(|m| m.destination).collect();
        assert_eq!(order, [Path::new("/x"), Path::new("/x/y/z")]);
    }

    #[test]
    fn only_a_privileged_container_writes_to_sys() {
        let of = |privileged| {
            let shm = Shm::Own(1);
            let mounts = system(&System { privileged, shm });
            mounts.iter().filter(|mount| mount.options.iter().any(|o| o == "ro")).count()
        };
        assert_eq!((of(false), of(true)), (2, 0));
    }

    #[test]
    fn the_engines_files_give_way_to_the_users() {
        let own = parse_bind("/my/hosts:/etc/hosts").unwrap();
        let files = files(Path::new("/data"), &FILES, &[own], false);
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn a_slave_mount_needs_a_root_that_listens() {
        let slave = parse_bind("/a:/x:rslave").unwrap();
        let shared = parse_bind("/a:/x:rshared").unwrap();
        assert_eq!(root_propagation(std::slice::from_ref(&slave)), "rslave");
        assert_eq!(root_propagation(&[slave, shared]), "shared");
        assert_eq!(root_propagation(&[]), "");
    }
}
