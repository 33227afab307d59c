//! From `USER` as somebody wrote it to numbers, with the container's own passwd and group files.
//!
//! The files belong to whoever made the image, so they are read as data with bounds (CVE-2026-47262): at most
//! [`MAX_BYTES`] of each, lines that make no sense skipped. A number is always that number, whatever the files say
//! (CVE-2016-3697), and one that does not fit is refused, not cut (CVE-2024-40635).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use crate::error::Error;

/// Of passwd and of group.
pub const MAX_BYTES: u64 = 1 << 20;
/// Docker's bound: ids above are refused.
const MAX_ID: u64 = (1 << 31) - 1;

/// Who a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    /// `/` where passwd does not know better.
    pub home: String,
}

/// The two files' text; what is missing is empty.
#[derive(Clone, Debug, Default)]
pub struct Files {
    passwd: String,
    group: String,
}

impl Files {
    /// Reads them below `root`, a container's root directory. Symbolic links stay inside; a FIFO, a device or a
    /// directory in their place counts as missing (CVE-2024-9676).
    pub fn read(root: BorrowedFd<'_>) -> Self {
        let text = |path| read_bounded(root, path).unwrap_or_default();
        Self { passwd: text("etc/passwd"), group: text("etc/group") }
    }
}

fn read_bounded(root: BorrowedFd<'_>, path: &str) -> Option<String> {
    let file = open_in_root(root, path).ok()?;
    let mut bytes = Vec::new();
    File::from(file).take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The file is looked at as a place and then opened through that very place: opening a device has effects, and a
/// running container may change what the name means. Files of procfs are none of the container's: to read
/// /proc/kmsg with the engine's rights would take the host's messages.
fn open_in_root(root: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    let place = sys::path::locate_in_root(root, Path::new(path))?;
    let is_file =
        FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode) == FileType::RegularFile;
    if !is_file || rustix::fs::fstatfs(&place)?.f_type == rustix::fs::PROC_SUPER_MAGIC {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::open(sys::path::by_descriptor(place.as_fd()), flags, Mode::empty())?)
}

/// Resolves `user[:group]`, each a name or a number, and `--group-add`. Empty is root.
pub fn resolve(wish: &str, group_add: &[String], files: &Files) -> Result<User, Error> {
    let (user, group) = match wish.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (wish, None),
    };
    let entry = find_user(if user.is_empty() { "0" } else { user }, files)?;
    let gid = match group {
        Some(group) => find_group(group, files)?,
        None => entry.gid,
    };
    // With a group of its own choice a user has that one only, as in Docker.
    let mut additional_gids = match (&group, &entry.name) {
        (None, Some(name)) => memberships(name, files),
        _ => Vec::new(),
    };
    if group.is_none() {
        additional_gids.insert(0, gid);
    } else {
        additional_gids.push(gid);
    }
    for wished in group_add {
        // Docker has two words for it.
        let capital = |error: Error| Error::invalid(error.what.replacen("unable", "Unable", 1));
        additional_gids.push(find_group(wished, files).map_err(capital)?);
    }
    dedup(&mut additional_gids);
    Ok(User { uid: entry.uid, gid, additional_gids, home: entry.home })
}

struct Entry {
    name: Option<String>,
    uid: u32,
    gid: u32,
    home: String,
}

fn find_user(wish: &str, files: &Files) -> Result<Entry, Error> {
    let lines = files.passwd.lines().filter_map(passwd_line);
    if let Some(uid) = number(wish)? {
        let mut by_id = lines.filter(|entry| entry.uid == uid);
        return Ok(by_id.next().unwrap_or(Entry { name: None, uid, gid: 0, home: "/".into() }));
    }
    let mut by_name = lines.filter(|entry| entry.name.as_deref() == Some(wish));
    by_name.next().ok_or_else(|| {
        Error::invalid(format!("unable to find user {wish}: no matching entries in passwd file"))
    })
}

fn passwd_line(line: &str) -> Option<Entry> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let _password = fields.next()?;
    let uid = in_range(fields.next()?)?;
    let gid = in_range(fields.next()?)?;
    let _comment = fields.next();
    let home = fields.next().filter(|home| !home.is_empty()).unwrap_or("/").to_owned();
    Some(Entry { name: Some(name), uid, gid, home })
}

fn find_group(wish: &str, files: &Files) -> Result<u32, Error> {
    if let Some(gid) = number(wish)? {
        return Ok(gid);
    }
    let mut by_name = files.group.lines().filter_map(group_line).filter(|(name, ..)| *name == wish);
    by_name.next().map(|(_, gid, _)| gid).ok_or_else(|| {
        Error::invalid(format!("unable to find group {wish}: no matching entries in group file"))
    })
}

fn memberships(name: &str, files: &Files) -> Vec<u32> {
    let groups = files.group.lines().filter_map(group_line);
    groups
        .filter(|(_, _, members)| members.split(',').any(|member| member == name))
        .map(|(_, gid, _)| gid)
        .collect()
}

fn group_line(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    Some((name, in_range(fields.next()?)?, fields.next().unwrap_or("").trim_end()))
}

/// `None` for what is a name. All digits, or a sign and digits, is a number, in range or refused.
fn number(text: &str) -> Result<Option<u32>, Error> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    in_range(text)
        .map(Some)
        .ok_or_else(|| Error::invalid(format!("uids and gids must be in range 0-{MAX_ID}")))
}

fn in_range(text: &str) -> Option<u32> {
    let value: u64 = text.parse().ok()?;
    if value <= MAX_ID { u32::try_from(value).ok() } else { None }
}

fn dedup(gids: &mut Vec<u32>) {
    let mut seen = std::collections::HashSet::new();
    gids.retain(|gid| seen.insert(*gid));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files {
            passwd: "root:x:0:0:root:/root:/bin/sh\nbad line\n1000:x:0:0::/evil:\nweb:x:33:34:Web:/srv:/bin/sh\nbig:x:4294967296:0::/:\n".into(),
            group: "root:x:0:\nbin:x:2:root,web\n77:x:5:\nstaff:x:50:web\nweb:x:34:\n".into(),
        }
    }

    fn user(wish: &str) -> Result<User, String> {
        resolve(wish, &[], &files()).map_err(|error| error.to_string())
    }

    fn is(uid: u32, gid: u32, additional_gids: &[u32], home: &str) -> Result<User, String> {
        Ok(User { uid, gid, additional_gids: additional_gids.to_vec(), home: home.into() })
    }

    #[test]
    fn names_numbers_and_groups() {
        assert_eq!(user(""), is(0, 0, &[0, 2], "/root"));
        assert_eq!(user("web"), is(33, 34, &[34, 2, 50], "/srv"));
        assert_eq!(user("33"), is(33, 34, &[34, 2, 50], "/srv"));
        assert_eq!(user("web:staff"), is(33, 50, &[50], "/srv"));
        assert_eq!(user("7:8"), is(7, 8, &[8], "/"));
        assert_eq!(user(":50"), is(0, 50, &[50], "/root"));
        let added = resolve("7", &["staff".into(), "9".into()], &files()).unwrap();
        assert_eq!(added.additional_gids, [0, 50, 9]);
    }

    #[test]
    fn unknown_names_are_refused_as_docker_does() {
        assert_eq!(
            user("ghost").unwrap_err(),
            "unable to find user ghost: no matching entries in passwd file"
        );
        assert_eq!(
            user("web:ghost").unwrap_err(),
            "unable to find group ghost: no matching entries in group file"
        );
    }

    #[test]
    fn cve_2016_3697_a_number_is_never_looked_up_as_a_name() {
        assert_eq!(user("1000"), is(1000, 0, &[0], "/"));
        assert_eq!(user("7:77").unwrap().gid, 77);
    }

    #[test]
    fn cve_2024_40635_ids_out_of_range_are_refused() {
        for wish in [
            "4294967296",
            "2147483648",
            "-1",
            "+1x:4294967296",
            "0:4294967296",
            "99999999999999999999",
        ] {
            let said = user(wish).unwrap_err();
            assert!(
                said == "uids and gids must be in range 0-2147483647"
                    || said.contains("unable to find"),
                "{wish}: {said}"
            );
        }
        assert!(user("big").is_err(), "an entry out of range is no entry");
    }

    #[test]
    fn cve_2026_30892_what_does_not_parse_is_nobody() {
        for wish in ["web:", "root ", " 0", "0x0", "web:34:0", "٣"] {
            match user(wish) {
                Ok(user) => assert_eq!((wish, user.uid), ("web:", 33)),
                Err(said) => assert!(said.starts_with("unable to find"), "{wish}: {said}"),
            }
        }
    }

    #[test]
    fn cve_2026_47262_a_giant_passwd_is_read_to_the_bound_only() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let giant = File::create(root.path().join("etc/passwd")).unwrap();
        giant.set_len(1 << 40).unwrap();
        let directory = File::open(root.path()).unwrap();
        assert_eq!(Files::read(directory.as_fd()).passwd.len() as u64, MAX_BYTES);
    }

    #[test]
    fn cve_2024_9676_a_fifo_or_a_link_out_of_the_root_is_no_passwd() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            etc.join("passwd"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        std::os::unix::fs::symlink("/../../etc/group", etc.join("group")).unwrap();
        let directory = File::open(root.path()).unwrap();
        let files = Files::read(directory.as_fd());
        assert_eq!((files.passwd.as_str(), files.group.as_str()), ("", ""));
    }
    #[test]
    fn cve_2024_9676_a_file_of_procfs_is_no_passwd() {
        // As a running container's root is seen: with a procfs in it.
        let root = File::open("/").unwrap();
        assert!(read_bounded(root.as_fd(), "proc/version").is_none());
        assert!(read_bounded(root.as_fd(), "etc/passwd").is_some());
    }
}
