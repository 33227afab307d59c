//! A context out of a git repository: `https://host/repo.git#ref:folder`. The work is git's own.

use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Failure, Result};

/// As Docker tells them from other places.
pub(super) fn is_repository(place: &str) -> bool {
    let address = place.split('#').next().unwrap_or_default();
    let is_web = address.starts_with("http://") || address.starts_with("https://");
    let starts = ["git://", "ssh://", "git@", "github.com/"];
    starts.iter().any(|start| address.starts_with(start)) || (is_web && address.ends_with(".git"))
}

#[derive(Debug, PartialEq)]
struct Place<'p> {
    address: String,
    /// Empty for what the repository itself points to.
    reference: &'p str,
    folder: &'p str,
}

impl<'p> Place<'p> {
    /// None of its parts is taken for an option, or for a way out of the repository.
    fn parse(text: &'p str) -> Result<Self> {
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (reference, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
        let wrong =
            |what: &str| Failure::new(format!("ERROR: invalid git repository {text:?}: {what}"));
        if reference.starts_with('-') || address.starts_with('-') {
            return Err(wrong("it begins with a dash"));
        }
        if reference.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err(wrong("its reference is none"));
        }
        let is_inside =
            |part| matches!(part, Component::Normal(_) | Component::RootDir | Component::CurDir);
        if !Path::new(folder).components().all(is_inside) {
            return Err(wrong("its folder is outside of it"));
        }
        let address = match address.starts_with("github.com/") {
            true => format!("https://{address}"),
            false => address.to_owned(),
        };
        Ok(Self { address, reference, folder: folder.trim_start_matches('/') })
    }
}

/// Fetches the one commit that is meant, and returns the folder with its files.
pub(super) fn fetch(place: &str, into: &Path) -> Result<PathBuf> {
    let place = Place::parse(place)?;
    let tree = into.join("tree");
    git(into, &["init", "--quiet", "--", "tree"])?;
    let reference = if place.reference.is_empty() { "HEAD" } else { place.reference };
    let shallow = ["fetch", "--quiet", "--depth=1", "--", &place.address, reference];
    git(&tree, &shallow)?;
    git(&tree, &["checkout", "--quiet", "--detach", "FETCH_HEAD"])?;
    git(&tree, &["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"])?;
    // The history is no part of what is built, as in BuildKit.
    let history = std::fs::remove_dir_all(tree.join(".git"));
    history.map_err(|error| Failure::new(format!("ERROR: {}: {error}", tree.display())))?;
    folder(&tree, place.folder)
}

/// Links of the repository lead nowhere (CVE-2026-33748).
fn folder(tree: &Path, folder: &str) -> Result<PathBuf> {
    let mut path = tree.to_owned();
    for part in Path::new(folder).components() {
        path.push(part);
        let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        if !is_folder {
            return Err(Failure::new(format!(
                "ERROR: {folder} is no folder of the git repository"
            )));
        }
    }
    Ok(path)
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    // Nothing that a repository names is run, and nobody is asked for a password that no one is there to type.
    command.args(["-c", "protocol.ext.allow=never", "-c", "protocol.file.allow=user"]);
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=true"]);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    command.env("GIT_TERMINAL_PROMPT", "0").env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    let ended = command.status().map_err(|error| {
        Failure::new(format!("ERROR: git is needed for a build of a repository: {error}"))
    })?;
    if ended.success() {
        return Ok(());
    }
    Err(Failure::new(format!("ERROR: unable to prepare context: git {} failed", arguments[0])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_other_places() {
        for place in [
            "https://h/x.git",
            "https://h/x.git#main:sub",
            "git@h:x",
            "git://h/x",
            "github.com/a/b",
            "ssh://h/x",
        ] {
            assert!(is_repository(place), "{place}");
        }
        for place in [".", "https://h/x.tar.gz", "/a/x.git", "x.git", "https://h/x#y.git"] {
            assert!(!is_repository(place), "{place}");
        }
    }

    #[test]
    fn cve_2019_13139_no_part_of_a_git_address_is_an_option_or_leads_out() {
        let place = Place::parse("github.com/a/b#v1:sub/folder").unwrap();
        let address = "https://github.com/a/b".to_owned();
        assert_eq!(place, Place { address, reference: "v1", folder: "sub/folder" });
        for bad in [
            "https://h/x.git#--upload-pack=x",
            "https://h/x.git#a:../..",
            "https://h/x.git#a b",
            "-x",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("sub")).unwrap();
        std::os::unix::fs::symlink("/etc", tree.path().join("link")).unwrap();
        assert!(folder(tree.path(), "sub").is_ok());
        assert!(folder(tree.path(), "").is_ok());
        assert!(folder(tree.path(), "link").is_err());
        assert!(folder(tree.path(), "none").is_err());
    }
}
