//! The zone of this machine, found as Go finds it: by the variable TZ, which names a file or a zone, else by
//! `/etc/localtime`; UTC where there is nothing of the kind.
//!
//! jiff's own way begins with a walk through all zones that there are, which takes longer than the rest of a `ps`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};
use std::sync::OnceLock;

use jiff::tz::TimeZone;

const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// No description of a zone is near that.
const LONGEST: u64 = 1 << 20;

/// Looked for once.
pub(crate) fn local() -> TimeZone {
    static LOCAL: OnceLock<TimeZone> = OnceLock::new();
    LOCAL.get_or_init(|| find(std::env::var_os("TZ").as_deref(), &FOLDERS)).clone()
}

fn find(variable: Option<&OsStr>, folders: &[impl AsRef<Path>]) -> TimeZone {
    let zone = match variable.map(OsStr::to_string_lossy) {
        None => read(Path::new("/etc/localtime"), "Local"),
        Some(name) => match name.strip_prefix(':').unwrap_or(&name) {
            "" => None,
            path if path.starts_with('/') => read(Path::new(path), path),
            name => named(name, folders),
        },
    };
    zone.unwrap_or(TimeZone::UTC)
}

fn named(name: &str, folders: &[impl AsRef<Path>]) -> Option<TimeZone> {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !Path::new(name).components().all(is_plain) {
        return None;
    }
    folders.iter().find_map(|folder| read(&folder.as_ref().join(name), name))
}

fn read(path: &Path, name: &str) -> Option<TimeZone> {
    let mut data = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut data).ok()?;
    TimeZone::tzif(name, &data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9636: a zone nine hours ahead that never changes.
    fn ahead() -> Vec<u8> {
        let header = |version: u8| {
            let counts = [0_u32, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat();
            [b"TZif", &[version][..], &[0; 15], &counts].concat()
        };
        let block = [&32400_i32.to_be_bytes()[..], &[0, 0], b"JST\0"].concat();
        [&header(b'2')[..], &block, &header(b'2'), &block, b"\nJST-9\n"].concat()
    }

    fn shown(variable: &str, folder: &Path) -> String {
        let zone = find(Some(OsStr::new(variable)), &[folder]);
        jiff::Timestamp::UNIX_EPOCH.to_zoned(zone).strftime("%z %Z").to_string()
    }

    #[test]
    fn a_variable_names_a_zone_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("Asia/Tokyo");
        std::fs::create_dir(folder.path().join("Asia")).unwrap();
        std::fs::write(&file, ahead()).unwrap();
        let file = file.to_str().unwrap();
        for variable in ["Asia/Tokyo", ":Asia/Tokyo", file, &format!(":{file}")] {
            assert_eq!(shown(variable, folder.path()), "+0900 JST", "{variable}");
        }
    }

    #[test]
    fn what_names_no_zone_is_utc() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(folder.path().join("outside"), ahead()).unwrap();
        std::fs::write(inside.join("nonsense"), "TZif").unwrap();
        for variable in ["", ":", "absent", "nonsense", "../outside", ".", "/", "/nowhere"] {
            assert_eq!(shown(variable, &inside), "+0000 UTC", "{variable:?}");
        }
    }
}
