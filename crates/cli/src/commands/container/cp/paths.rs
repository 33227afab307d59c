//! What paths of `cp` mean, by Docker's rules, which are lexical: a path that ends in a slash or a dot is a directory,
//! with a dot its content is meant; where the destination is not there yet it is the new name.

use crate::error::{Failure, Result};

pub(super) const GO_DIRECTORY: u32 = 1 << 31;
pub(super) const GO_SYMLINK: u32 = 1 << 27;
const GO_DEVICE: u32 = 1 << 26;
const GO_IRREGULAR: u32 = 1 << 19;

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) path: String,
    pub(super) exists: bool,
    pub(super) is_dir: bool,
    /// What the last name is to be called, where a link was followed; empty for itself.
    pub(super) rebase: String,
}

/// Where an archive is unpacked, and what the thing in it is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) directory: String,
    pub(super) name: String,
}

/// `CONTAINER:PATH`; no container for a path of this machine.
pub(crate) fn split_argument(argument: &str) -> (&str, &str) {
    match argument.split_once(':') {
        Some((container, path)) if !argument.starts_with('/') && !container.starts_with('.') => {
            (container, path)
        }
        _ => ("", argument),
    }
}

/// How `source` comes to be `destination`.
pub(super) fn plan(source: &Info, destination: &Info) -> Result<Plan> {
    let (_, base) = split_entry(&source.path);
    let own = if source.rebase.is_empty() { base } else { source.rebase.clone() };
    if destination.exists && destination.is_dir {
        return Ok(Plan { directory: destination.path.clone(), name: own });
    }
    if destination.exists && source.is_dir {
        return Err(Failure::new("cannot copy directory"));
    }
    if !destination.exists && !source.is_dir && asserts_directory(&destination.path) {
        return Err(Failure::new("no such directory"));
    }
    let (directory, name) = split_entry(&destination.path);
    Ok(Plan { directory, name })
}

/// An absolute path that ends as the given one does.
pub(super) fn here(path: &str) -> Result<String> {
    let absolute = if path.starts_with('/') {
        clean(path)
    } else {
        let directory = std::env::current_dir()?;
        clean(&format!("{}/{path}", directory.display()))
    };
    Ok(keep_end(absolute, path))
}

/// Where a link at `path` leads.
pub(super) fn link_target(path: &str, target: &str) -> String {
    if target.starts_with('/') {
        return target.to_owned();
    }
    clean(&format!("{}/{target}", split_entry(path).0))
}

/// `resolved`, ending as `path` does, and the name that `path` gives it where that is another one.
pub(super) fn with_rebase(path: &str, resolved: &str) -> (String, String) {
    let mut resolved = resolved.to_owned();
    if base(path) == "." && base(&resolved) != "." {
        resolved.push_str("/.");
    }
    if path.ends_with('/') && !resolved.ends_with('/') {
        resolved.push('/');
    }
    let differs = base(path) != base(&resolved);
    (resolved, if differs { base(path).to_owned() } else { String::new() })
}

/// Why something of this mode cannot be copied onto.
pub(super) fn unfit(mode: u32) -> Option<&'static str> {
    if mode & GO_DEVICE != 0 {
        return Some("got a device");
    }
    (mode & GO_IRREGULAR != 0).then_some("got an irregular file")
}

/// Directory and last name, which is a dot where the path ends with one.
pub(super) fn split_entry(path: &str) -> (String, String) {
    let cleaned = clean(path);
    if base(path) == "." {
        return (cleaned, ".".to_owned());
    }
    (directory(&cleaned), base(&cleaned).to_owned())
}

pub(super) fn asserts_directory(path: &str) -> bool {
    path.ends_with('/') || base(path) == "."
}

fn keep_end(mut cleaned: String, original: &str) -> String {
    if base(original) == "." && base(&cleaned) != "." {
        if !cleaned.ends_with('/') {
            cleaned.push('/');
        }
        cleaned.push('.');
    }
    if original.ends_with('/') && !cleaned.ends_with('/') {
        cleaned.push('/');
    }
    cleaned
}

/// Go's filepath.Base.
pub(super) fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    match path.trim_end_matches('/').rsplit('/').next() {
        Some("") | None => "/",
        Some(name) => name,
    }
}

/// Go's filepath.Dir of a clean path.
pub(super) fn directory(cleaned: &str) -> String {
    match cleaned.rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((directory, _)) => directory.to_owned(),
        None => ".".to_owned(),
    }
}

/// Go's filepath.Clean.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(path: &str, exists: bool, is_dir: bool) -> Info {
        Info { path: path.to_owned(), exists, is_dir, rebase: String::new() }
    }

    fn planned(source: &Info, destination: &Info) -> (String, String) {
        let plan = plan(source, destination).unwrap();
        (plan.directory, plan.name)
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn a_colon_after_a_plain_word_names_a_container() {
        for (argument, container, path) in [
            ("web:/etc", "web", "/etc"),
            ("web:", "web", ""),
            ("./a:b", "", "./a:b"),
            ("/a:b", "", "/a:b"),
            ("file", "", "file"),
            ("-", "", "-"),
        ] {
            assert_eq!(split_argument(argument), (container, path));
        }
    }

    #[test]
    fn into_a_directory_under_the_own_name() {
        let there = info("/to", true, true);
        assert_eq!(planned(&info("/a/f", true, false), &there), pair("/to", "f"));
        assert_eq!(planned(&info("/a/d", true, true), &there), pair("/to", "d"));
        assert_eq!(planned(&info("/a/d/.", true, true), &there), pair("/to", "."));
        let renamed = Info { rebase: "link".into(), ..info("/a/d", true, true) };
        assert_eq!(planned(&renamed, &there), pair("/to", "link"));
    }

    #[test]
    fn under_a_new_name_where_nothing_is() {
        let new = info("/to/new", false, false);
        assert_eq!(planned(&info("/a/f", true, false), &new), pair("/to", "new"));
        assert_eq!(planned(&info("/a/d", true, true), &new), pair("/to", "new"));
        assert_eq!(planned(&info("/a/d/.", true, true), &new), pair("/to", "new"));
        assert_eq!(
            planned(&info("/a/f", true, false), &info("/to/f", true, false)),
            pair("/to", "f")
        );
        let slash = info("/to/new/", false, false);
        assert_eq!(planned(&info("/a/d", true, true), &slash), pair("/to", "new"));
    }

    #[test]
    fn what_cannot_be_is_refused_in_dockers_words() {
        let said =
            |source: &Info, destination: &Info| plan(source, destination).unwrap_err().message;
        let (file, directory) = (info("/a/f", true, false), info("/a/d", true, true));
        assert_eq!(said(&directory, &info("/to/f", true, false)), "cannot copy directory");
        assert_eq!(said(&file, &info("/to/new/", false, false)), "no such directory");
        assert_eq!(said(&file, &info("", false, false)), "no such directory");
    }

    #[test]
    fn paths_are_gos() {
        for (path, cleaned) in
            [("", "."), ("a/../..", ".."), ("/..", "/"), ("a//b/.", "a/b"), ("../a", "../a")]
        {
            assert_eq!(clean(path), cleaned, "{path}");
        }
        assert_eq!(split_entry("/a/b/"), pair("/a", "b"));
        assert_eq!(split_entry("/a/b/."), pair("/a/b", "."));
        assert_eq!(split_entry("f"), pair(".", "f"));
        assert_eq!(keep_end("/a".into(), "a/."), "/a/.");
        assert_eq!(keep_end("/a".into(), "a/"), "/a/");
        assert_eq!(link_target("/a/l", "b"), "/a/b");
        assert_eq!(with_rebase("/a/l", "/b/f"), pair("/b/f", "l"));
        assert_eq!(with_rebase("/a/l/", "/b/l"), pair("/b/l/", ""));
    }
}
