//! The container's `/etc/passwd`, which is data from an image: read within bounds, from inside.

use std::io::{BufRead, BufReader, Read};

use rustix::fs::{Mode, OFlags};

/// CVE-2026-47262: no honest file is longer.
const FILE_MAX: u64 = 4 << 20;

/// The home directory of a user id, read below the calling process's root.
pub(crate) fn home_of(uid: u32) -> Option<String> {
    // CVE-2024-9676: a FIFO of that name must not hold anybody up.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = std::fs::File::from(rustix::fs::open(c"/etc/passwd", flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    find_home(file.take(FILE_MAX), uid)
}

fn find_home(passwd: impl Read, uid: u32) -> Option<String> {
    let lines = BufReader::new(passwd).lines();
    lines.map_while(Result::ok).find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let matches = fields.get(2)?.parse() == Ok(uid);
        matches
            .then(|| fields.get(5).copied())
            .flatten()
            .filter(|home| !home.is_empty())
            .map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbad line\n1000:x:7:7::/seven:/bin/sh\n";

    #[test]
    fn the_home_is_found_by_the_user_id_alone() {
        assert_eq!(find_home(PASSWD.as_bytes(), 0).as_deref(), Some("/root"));
        assert_eq!(find_home(PASSWD.as_bytes(), 7).as_deref(), Some("/seven"));
        assert_eq!(find_home(PASSWD.as_bytes(), 1000), None);
    }

    #[test]
    fn cve_2016_3697_an_id_that_overflows_is_nobody_s() {
        let wrapping = "evil:x:4294967296:0::/evil:/bin/sh\n";
        assert_eq!(find_home(wrapping.as_bytes(), 0), None);
    }
}
