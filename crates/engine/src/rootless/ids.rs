//! The ids that a user may give to others: themselves as root, and what `/etc/subuid` and `/etc/subgid` lend them, by the
//! setuid programs `newuidmap` and `newgidmap`.

use std::path::PathBuf;
use std::process::Command;

use crate::error::{Error, Result};

/// Where the programs of the host are looked for, whatever the caller's PATH is.
pub(super) const PATH: [&str; 4] = ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin"];

pub(super) fn program(name: &str) -> Option<PathBuf> {
    PATH.iter().map(|folder| PathBuf::from(folder).join(name)).find(|path| path.is_file())
}

/// A run of ids on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u32,
    count: u32,
}

pub(super) struct Ids {
    uid: Map,
    gid: Map,
}

/// Inside, root is the user, and the lent ids follow from 1 on.
struct Map {
    tool: PathBuf,
    own: u32,
    lent: Vec<Range>,
}

impl Ids {
    pub(super) fn of_this_user() -> Result<Self> {
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let names: Vec<String> = name_of(&passwd, uid)
            .or_else(|| std::env::var("USER").ok())
            .into_iter()
            .chain([uid.to_string()])
            .collect();
        let map = |file: &str, tool: &str, own| {
            let lent = lent(&std::fs::read_to_string(file).unwrap_or_default(), &names);
            let tool = program(tool).ok_or_else(|| {
                Error::system(format!(
                    "{tool} is missing: install the package uidmap (shadow-utils)"
                ))
            })?;
            if lent.is_empty() {
                return Err(Error::system(format!(
                    "{file} has no ids for {0}: run as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {0}",
                    names[0]
                )));
            }
            Ok(Map { tool, own, lent })
        };
        Ok(Self {
            uid: map("/etc/subuid", "newuidmap", uid)?,
            gid: map("/etc/subgid", "newgidmap", gid)?,
        })
    }

    /// Maps them into the new user namespace of process `pid`.
    pub(super) fn map_into(&self, pid: i32) -> Result<()> {
        [&self.uid, &self.gid].into_iter().try_for_each(|map| map.write(pid))
    }
}

impl Map {
    fn write(&self, pid: i32) -> Result<()> {
        let tool = self.tool.display();
        let output = Command::new(&self.tool)
            .arg(pid.to_string())
            .args(self.arguments())
            .output()
            .map_err(|error| Error::system(format!("cannot run {tool}")).because(error))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        Err(Error::system(format!("{tool} refused this user's ids: {}", words.trim())))
    }

    fn arguments(&self) -> Vec<String> {
        let mut next = 1;
        let mut arguments = vec![[0, self.own, 1]];
        for range in &self.lent {
            arguments.push([next, range.start, range.count]);
            next += range.count;
        }
        arguments.into_iter().flatten().map(|number| number.to_string()).collect()
    }
}

fn name_of(passwd: &str, uid: u32) -> Option<String> {
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string()))?;
    line.split(':').next().map(str::to_owned)
}

/// Lines are `NAME:START:COUNT`, of names or of numbers. More than would fit into 32 bits is left out.
fn lent(file: &str, names: &[String]) -> Vec<Range> {
    let line = |line: &str| {
        let (name, range) = line.split_once(':')?;
        let (start, count) = range.split_once(':')?;
        let range = Range { start: start.trim().parse().ok()?, count: count.trim().parse().ok()? };
        (range.count > 0 && names.iter().any(|known| known == name)).then_some(range)
    };
    let mut total: u32 = 1;
    let fits = |range: &Range| {
        let sum = total.checked_add(range.count);
        sum.inspect(|sum| total = *sum).is_some()
    };
    file.lines().filter_map(line).filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_name_and_of_its_number_are_taken() {
        let file = "root:1:9\nann:100000:65536\n1000:300000:10\nann:x:1\nann:5\nbob:7:7\nann:8:0\nann:9:4294967295\n";
        let ranges = lent(file, &["ann".into(), "1000".into()]);
        let expected = [(100_000, 65_536), (300_000, 10)];
        assert_eq!(ranges, expected.map(|(start, count)| Range { start, count }));
        let map = Map { tool: PathBuf::new(), own: 1000, lent: ranges };
        assert_eq!(map.arguments().join(" "), "0 1000 1 1 100000 65536 65537 300000 10");
    }

    #[test]
    fn names_come_from_passwd() {
        let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(name_of(passwd, 1), None);
    }
}
