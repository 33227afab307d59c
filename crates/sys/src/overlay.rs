//! Overlay mounts that nobody else sees.

mod classic;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::mount::{self, Attributes, Depth, FileSystem};
use crate::path;

/// The kernel copies a value of at most this many bytes, its end included.
const VALUE_MAX: usize = 256;

/// The attribute of a directory that hides what is below it. Root of a user namespace may not set the usual one.
pub fn opaque_attribute() -> &'static str {
    if needs_user_attributes() { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
}

fn needs_user_attributes() -> bool {
    static NEEDS: OnceLock<bool> = OnceLock::new();
    *NEEDS.get_or_init(crate::namespace::is_in_user_namespace)
}

/// An overlay of directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// Top first.
    pub lower: Vec<PathBuf>,
    /// With `work`: makes it writable.
    pub upper: Option<PathBuf>,
    pub work: Option<PathBuf>,
    /// Never syncs; what was written is lost if the host crashes.
    pub volatile: bool,
}

impl Overlay {
    /// Mounts it detached: it is in no mount table, and goes with the last descriptor on it.
    pub fn mount(&self) -> io::Result<OwnedFd> {
        if let ([only], None) = (&self.lower[..], &self.upper) {
            return read_only(only);
        }
        match self.mount_by_layers() {
            // The kernel does not know `lowerdir+`: it is older than 6.5.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => classic::mount(self),
            result => result,
        }
    }

    /// As [`mount`](Self::mount), what lies at `part` inside alone: resolved as if the overlay were `/`.
    pub fn mount_part(&self, part: &Path) -> io::Result<OwnedFd> {
        let whole = self.mount()?;
        let located = path::locate_in_root(whole.as_fd(), part)?;
        match mount::clone_fd(located.as_fd(), Depth::Single) {
            // Before 6.15 the kernel copies only what is attached somewhere.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                classic::part_of(&whole, part)
            }
            result => result,
        }
    }

    fn mount_by_layers(&self) -> io::Result<OwnedFd> {
        let overlay = FileSystem::open("overlay")?;
        let mut held = Vec::new();
        for lower in &self.lower {
            overlay.set("lowerdir+", &value(lower, &mut held)?)?;
        }
        for (key, path) in self.writable() {
            overlay.set(key, &value(path, &mut held)?)?;
        }
        for (key, setting) in self.settings() {
            overlay.set(key, setting)?;
        }
        for flag in self.flags() {
            overlay.set_flag(flag)?;
        }
        overlay.mount(0)
    }

    fn flags(&self) -> impl Iterator<Item = &'static str> {
        let flags = [("volatile", self.volatile), ("userxattr", needs_user_attributes())];
        flags.into_iter().filter(|(_, wanted)| *wanted).map(|(flag, _)| flag)
    }

    /// A writable layer is one of an image one day: no directory of it may name another, no file may lack its content,
    /// whatever the host's defaults are. By `userxattr` the kernel sees to that itself.
    fn settings(&self) -> &'static [(&'static str, &'static str)] {
        match self.upper {
            Some(_) if !needs_user_attributes() => {
                &[("redirect_dir", "off"), ("metacopy", "off"), ("index", "off")]
            }
            _ => &[],
        }
    }

    /// The options that make it writable, by their names.
    fn writable(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let both = self.upper.as_deref().zip(self.work.as_deref());
        both.into_iter().flat_map(|(upper, work)| [("upperdir", upper), ("workdir", work)])
    }
}

/// One directory is no overlay to the kernel: a read-only bind mount shows the same.
fn read_only(directory: &Path) -> io::Result<OwnedFd> {
    let mount = mount::clone_tree(directory, Depth::Single)?;
    let change = Attributes { set: mount::RDONLY, clear: 0, propagation: mount::PRIVATE };
    mount::set_attributes(mount.as_fd(), change, Depth::Single)?;
    Ok(mount)
}

/// A path as an option's value: itself, or by way of a descriptor where the kernel would cut it or take a character of it
/// for one of its own.
fn value(path: &Path, held: &mut Vec<File>) -> io::Result<String> {
    match path.to_str() {
        Some(text) if text.len() < VALUE_MAX && !text.contains([':', ',', '\\']) => {
            Ok(text.to_owned())
        }
        _ => {
            let directory = File::open(path)?;
            let text = format!("/proc/self/fd/{}", directory.as_raw_fd());
            held.push(directory);
            Ok(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn layers(root: &Path, names: &[&str]) -> Vec<PathBuf> {
        names
            .iter()
            .map(|name| {
                let layer = root.join(name);
                fs::create_dir_all(&layer).unwrap();
                fs::write(layer.join("who"), name).unwrap();
                layer
            })
            .collect()
    }

    fn read(mount: &OwnedFd, name: &str) -> String {
        fs::read_to_string(format!("/proc/self/fd/{}/{name}", mount.as_raw_fd())).unwrap()
    }

    #[test]
    fn the_first_lower_directory_is_the_top_and_the_host_sees_no_mount() {
        let root = tempfile::tempdir().unwrap();
        let lower = layers(root.path(), &["top", "bottom"]);
        let mount = Overlay { lower, ..Overlay::default() }.mount().unwrap();
        assert_eq!(read(&mount, "who"), "top");
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!table.contains(root.path().to_str().unwrap()));
    }

    #[test]
    fn a_part_of_an_overlay_is_mounted_alone_and_links_lead_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let lower = layers(root.path(), &["top", "bottom"]);
        for (layer, text) in lower.iter().zip(["1", "2"]) {
            fs::create_dir_all(layer.join("deep/er")).unwrap();
            fs::write(layer.join("deep/er").join(text), text).unwrap();
        }
        std::os::unix::fs::symlink("/", lower[0].join("up")).unwrap();
        let overlay = Overlay { lower, ..Overlay::default() };
        let whole = overlay.mount().unwrap();
        let part = Path::new("up/deep/er");
        let parts = [overlay.mount_part(part).unwrap(), classic::part_of(&whole, part).unwrap()];
        for mount in parts {
            assert_eq!((read(&mount, "1"), read(&mount, "2")), ("1".into(), "2".into()));
        }
        let file = overlay.mount_part(Path::new("who")).unwrap();
        let text = fs::read_to_string(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        assert_eq!(text, "top");
        let missing = overlay.mount_part(Path::new("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn writes_go_to_the_upper_directory() {
        let root = tempfile::tempdir().unwrap();
        let lower = layers(root.path(), &["base"]);
        let (upper, work) = (root.path().join("upper"), root.path().join("work"));
        fs::create_dir(&upper).unwrap();
        fs::create_dir(&work).unwrap();
        let overlay =
            Overlay { lower, upper: Some(upper.clone()), work: Some(work), volatile: true };
        let mount = overlay.mount().unwrap();
        let file = rustix::fs::openat(
            mount.as_fd(),
            "new",
            rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY,
            0o600.into(),
        )
        .unwrap();
        drop(file);
        assert!(upper.join("new").exists());
    }

    #[test]
    fn names_longer_than_an_option_s_value_are_mounted_too() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(200)).join("e".repeat(200));
        let lower = layers(&deep, &["long", "longer"]);
        let mount = Overlay { lower, ..Overlay::default() }.mount().unwrap();
        assert_eq!(read(&mount, "who"), "long");
    }

    #[test]
    fn three_hundred_layers_are_mounted() {
        let root = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..300).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let lower = layers(root.path(), &names);
        let mount = Overlay { lower, ..Overlay::default() }.mount().unwrap();
        assert_eq!(read(&mount, "who"), "0");
    }

    #[test]
    fn one_layer_is_shown_read_only() {
        let root = tempfile::tempdir().unwrap();
        let lower = layers(root.path(), &["only"]);
        let mount = Overlay { lower, ..Overlay::default() }.mount().unwrap();
        assert_eq!(read(&mount, "who"), "only");
        let path = format!("/proc/self/fd/{}/who", mount.as_raw_fd());
        let error = fs::write(path, "no").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
    }

    #[test]
    fn a_missing_layer_is_an_error() {
        let overlay = Overlay { lower: vec!["/nonexistent/layer".into()], ..Overlay::default() };
        assert_eq!(overlay.mount().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
