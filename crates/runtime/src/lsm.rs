//! Labels of the kernel's security modules: the AppArmor profile and the SELinux label that a process
//! takes on at its next exec, and the SELinux label of what a mount holds.
//!
//! They are written below a procfs that the caller mounted itself and holds by descriptor: /proc in a
//! container's root is whatever its image made of it (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881).

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::mounts::proc;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("AppArmor profile {0:?}: AppArmor is not enabled on this host")]
    NoAppArmor(String),
    #[error("SELinux label {0:?}: SELinux is not enabled on this host")]
    NoSelinux(String),
    #[error("{module} label {label:?}: it has a line break, a NUL or a quote")]
    InvalidLabel { module: &'static str, label: String },
    #[error("set {module} label {label:?} for the next exec: {source}")]
    Write { module: &'static str, label: String, source: io::Error },
}

const APPARMOR: &str = "AppArmor";
const SELINUX: &str = "SELinux";
const UNCONFINED: &str = "unconfined";

pub fn apparmor_is_enabled() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled")
        .is_ok_and(|text| text.starts_with(b"Y"))
}

/// Compiled in is not enough: a policy must be loaded, which is done through selinuxfs.
pub fn selinux_is_enabled() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
        && std::fs::read("/sys/fs/selinux/policyvers").is_ok()
        && std::fs::read("/proc/self/attr/current").is_ok_and(|label| label != b"kernel\0")
}

/// The profile and the label for the calling thread's next exec; empty stands for none. `procfs` is
/// the root of a procfs that nobody else can change.
pub fn set_exec_labels(
    procfs: BorrowedFd<'_>,
    apparmor_profile: &str,
    selinux_label: &str,
) -> Result<(), Error> {
    set_apparmor_profile(procfs, apparmor_profile)?;
    set_selinux_label(procfs, selinux_label)
}

/// Mount options with the SELinux context of everything in the mount.
pub fn mount_data(options: &str, mount_label: &str) -> Result<String, Error> {
    if mount_label.is_empty() || !selinux_is_enabled() {
        return Ok(options.to_owned());
    }
    check(SELINUX, mount_label)?;
    let separator = if options.is_empty() { "" } else { "," };
    Ok(format!("{options}{separator}context=\"{mount_label}\""))
}

fn set_apparmor_profile(procfs: BorrowedFd<'_>, profile: &str) -> Result<(), Error> {
    if profile.is_empty() {
        return Ok(());
    }
    check(APPARMOR, profile)?;
    if !apparmor_is_enabled() {
        // Nothing confines where there is nothing to confine with.
        return if profile == UNCONFINED {
            Ok(())
        } else {
            Err(Error::NoAppArmor(profile.to_owned()))
        };
    }
    // Since Linux 5.1 each module has a directory; the shared file is whichever module came first's.
    let value = format!("exec {profile}");
    let write = |path| proc::write(procfs, Path::new(path), value.as_bytes());
    match write("thread-self/attr/apparmor/exec") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => write("thread-self/attr/exec"),
        result => result,
    }
    .map_err(|source| Error::Write { module: APPARMOR, label: profile.to_owned(), source })
}

fn set_selinux_label(procfs: BorrowedFd<'_>, label: &str) -> Result<(), Error> {
    if label.is_empty() {
        return Ok(());
    }
    check(SELINUX, label)?;
    if !selinux_is_enabled() {
        return Err(Error::NoSelinux(label.to_owned()));
    }
    proc::write(procfs, Path::new("thread-self/attr/exec"), label.as_bytes())
        .map_err(|source| Error::Write { module: SELINUX, label: label.to_owned(), source })
}

/// A quote would end the mount option, a line break or NUL the value.
fn check(module: &'static str, label: &str) -> Result<(), Error> {
    if label.contains(['\n', '\0', '"']) {
        return Err(Error::InvalidLabel { module, label: label.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn nothing_asked_for_writes_nothing() {
        let anything = File::open("/").unwrap();
        set_exec_labels(anything.as_fd(), "", "").unwrap();
        assert_eq!(mount_data("mode=755", "").unwrap(), "mode=755");
    }

    #[test]
    fn labels_that_would_smuggle_are_refused() {
        let anything = File::open("/").unwrap();
        for label in ["a\nb", "a\0b", "a\"b"] {
            assert!(set_exec_labels(anything.as_fd(), label, "").is_err(), "{label:?}");
            assert!(set_exec_labels(anything.as_fd(), "", label).is_err(), "{label:?}");
        }
    }

    #[test]
    fn a_profile_on_a_host_without_apparmor_is_an_error_not_ignored() {
        if apparmor_is_enabled() {
            return testkit::skip("profile without AppArmor", "this kernel has AppArmor");
        }
        let procfs = File::open("/proc").unwrap();
        set_exec_labels(procfs.as_fd(), UNCONFINED, "").unwrap();
        let error = set_exec_labels(procfs.as_fd(), "docker-default", "").unwrap_err();
        assert!(error.to_string().contains("not enabled"), "{error}");
    }

    #[test]
    fn cve_2019_16884_2019_19921_a_directory_posing_as_procfs_cannot_redirect_labels() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("target");
        std::fs::write(&target, "untouched").unwrap();
        std::fs::create_dir_all(root.path().join("proc/thread-self/attr")).unwrap();
        let exec = root.path().join("proc/thread-self/attr/exec");
        let fake = File::open(root.path().join("proc")).unwrap();
        let attempt = || proc::write(fake.as_fd(), Path::new("thread-self/attr/exec"), b"exec x");
        std::fs::hard_link(&target, &exec).unwrap();
        assert!(attempt().is_err(), "a plain file");
        std::fs::remove_file(&exec).unwrap();
        std::os::unix::fs::symlink("/proc/self/attr/exec", &exec).unwrap();
        assert!(attempt().is_err(), "a link to another file of the real one");
        assert_eq!(std::fs::read_to_string(target).unwrap(), "untouched");
    }
}
