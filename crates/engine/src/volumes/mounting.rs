//! What a volume's options ask to be mounted, over its directory, in the host's mount table: it is there while a
//! container runs with it, whatever becomes of the engine, and the next one finds it there.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags};
use sys::mount::{self, Attributes, Depth, FileSystem};

use super::options::Mount;
use super::resolve;
use crate::error::{Error, Kind, Result};

/// Mounts over the directory `target`, unless something is mounted there.
pub fn mount(wanted: &Mount, target: &Path) -> Result<()> {
    if is_mounted(target).map_err(|cause| failed(target).because(cause))? {
        return Ok(());
    }
    let data = with_addresses(wanted).map_err(|why| {
        let what =
            format!("{}: error resolving passed in network volume address", failed(target).what);
        Error::system(what).because(why)
    })?;
    attach(wanted, &data, target).map_err(|cause| {
        let flags =
            if wanted.flags == 0 { String::new() } else { format!(", flags: {:#x}", wanted.flags) };
        let shown: Vec<&str> = data.iter().map(|word| without_secret(word)).collect();
        let said =
            if shown.is_empty() { String::new() } else { format!(", data: {}", shown.join(",")) };
        let device = &wanted.device;
        let what = format!(
            "{}: failed to mount local volume: mount {device}:{}{flags}{said}: {}",
            failed(target).what,
            target.display(),
            words(&cause)
        );
        Error::new(Kind::System, what)
    })
}

/// A password is told to the kernel alone (CVE-2019-13509), in Docker's form.
fn without_secret(word: &str) -> &str {
    match word.split_once('=') {
        Some(("password" | "pass" | "password2", _)) => "password=********",
        _ => word,
    }
}

fn failed(target: &Path) -> Error {
    Error::system(format!("error while mounting volume '{}'", target.display()))
}

/// Go's words for an error of the kernel.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    match text.split_at_checked(1) {
        Some((first, rest)) => format!("{}{rest}", first.to_lowercase()),
        None => text.to_owned(),
    }
}

fn attach(wanted: &Mount, data: &[String], target: &Path) -> io::Result<()> {
    let mounted = match wanted.bind {
        Some(depth) => bound(wanted, depth)?,
        None => file_system(wanted, data)?,
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = rustix::fs::openat(CWD, target, flags, Mode::empty())?;
    mount::attach(mounted.as_fd(), target.as_fd())?;
    let propagation = wanted.attributes.propagation;
    if propagation == 0 {
        return Ok(());
    }
    let change = Attributes { propagation, ..Attributes::default() };
    mount::set_attributes(mounted.as_fd(), change, Depth::Single)
}

fn bound(wanted: &Mount, depth: Depth) -> io::Result<OwnedFd> {
    let device = Path::new(&wanted.device);
    if !device.is_absolute() {
        // It would be looked for wherever the engine happens to have been started.
        return Err(io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error()));
    }
    let tree = mount::clone_tree(device, depth)?;
    let change = Attributes { propagation: 0, ..wanted.attributes };
    if !change.is_empty() {
        mount::set_attributes(tree.as_fd(), change, Depth::Single)?;
    }
    Ok(tree)
}

fn file_system(wanted: &Mount, data: &[String]) -> io::Result<OwnedFd> {
    let system = FileSystem::open(&wanted.kind)?;
    system.set("source", &wanted.device)?;
    // As of mount(2): the file system itself, not only its place, is not written to.
    if wanted.attributes.set & mount::RDONLY != 0 {
        system.set_flag("ro")?;
    }
    for word in data {
        match word.split_once('=') {
            Some((key, value)) => system.set(key, value)?,
            None => system.set_flag(word)?,
        }
    }
    system.mount(wanted.attributes.set)
}

/// The options with `addr=NAME` resolved, as mount.nfs and mount.cifs do, which the kernel does not.
fn with_addresses(wanted: &Mount) -> io::Result<Vec<String>> {
    if !matches!(wanted.kind.as_str(), "nfs" | "nfs4" | "cifs") {
        return Ok(wanted.data.clone());
    }
    let resolved = |word: &String| match word.strip_prefix("addr=") {
        Some(name) if name.parse::<std::net::IpAddr>().is_err() => {
            let found = resolve::address(name);
            let ip = found.map_err(|error| {
                io::Error::new(error.kind(), format!("lookup {name}: {}", words(&error)))
            })?;
            Ok(format!("addr={ip}"))
        }
        _ => Ok(word.clone()),
    };
    wanted.data.iter().map(resolved).collect()
}

/// Takes away whatever is mounted over the directory; running containers keep what they have of it.
pub fn unmount(target: &Path) -> io::Result<()> {
    while is_mounted(target)? {
        mount::detach(target)?;
    }
    Ok(())
}

pub fn is_mounted(path: &Path) -> io::Result<bool> {
    match rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()) {
        Ok(found) => Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_dockers_words() {
        let bind = Mount {
            kind: "none".into(),
            device: "/nosuch".into(),
            flags: 0x1000,
            bind: Some(Depth::Single),
            ..Mount::default()
        };
        let place = tempfile::tempdir().unwrap();
        let said = mount(&bind, place.path()).unwrap_err().to_string();
        let target = place.path().display();
        assert_eq!(
            said,
            format!(
                "error while mounting volume '{target}': failed to mount local volume: mount /nosuch:{target}, flags: 0x1000: no such file or directory"
            )
        );
    }

    #[test]
    fn a_password_is_not_said() {
        let options = ["username=u", "password=secret", "pass=secret", "password2=secret"];
        let shown = options.map(without_secret);
        assert!(
            shown[0] == "username=u" && shown[1..].iter().all(|word| *word == "password=********")
        );
    }

    #[test]
    fn a_file_system_for_reading_is_never_written_to() {
        let tmpfs = Mount {
            kind: "tmpfs".into(),
            device: "tmpfs".into(),
            attributes: Attributes { set: mount::RDONLY, ..Attributes::default() },
            ..Mount::default()
        };
        let place = tempfile::tempdir().unwrap();
        mount(&tmpfs, place.path()).unwrap();
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let line =
            table.lines().find(|line| line.contains(place.path().to_str().unwrap())).unwrap();
        unmount(place.path()).unwrap();
        let system = line.split(" - ").nth(1).unwrap();
        assert!(system.starts_with("tmpfs tmpfs ro"), "{line}");
    }

    #[test]
    fn a_file_system_is_mounted_once_and_taken_away() {
        let tmpfs = Mount {
            kind: "tmpfs".into(),
            device: "tmpfs".into(),
            data: vec!["size=1m".into()],
            ..Mount::default()
        };
        let place = tempfile::tempdir().unwrap();
        mount(&tmpfs, place.path()).unwrap();
        std::fs::write(place.path().join("file"), "").unwrap();
        mount(&tmpfs, place.path()).unwrap();
        assert!(place.path().join("file").exists());
        unmount(place.path()).unwrap();
        assert!(!place.path().join("file").exists() && !is_mounted(place.path()).unwrap());
    }
}
