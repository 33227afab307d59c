//! What a run of the tests may not leave behind. Two snapshots of the machine are compared, so that
//! whatever else lives on it is nobody's fault.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::shell;

/// Everything of ours that the machine shows right now, one line each.
pub(crate) struct Snapshot(BTreeSet<String>);

impl Snapshot {
    pub(crate) fn take() -> Self {
        let mut seen = BTreeSet::new();
        seen.extend(mounts());
        seen.extend(interfaces());
        seen.extend(network_namespaces());
        seen.extend(processes());
        seen.extend(nft_tables());
        cgroups(Path::new("/sys/fs/cgroup"), 0, &mut seen);
        Self(seen)
    }

    /// What is there now and was not there before.
    pub(crate) fn added_since(&self, before: &Self) -> Vec<String> {
        self.0.difference(&before.0).cloned().collect()
    }
}

fn mounts() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let field = |line: &str, n| line.split(' ').nth(n).unwrap_or_default().to_owned();
    table.lines().map(|line| format!("mount {}", field(line, 4))).collect()
}

fn interfaces() -> Vec<String> {
    let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    links.map(|link| format!("interface {}", link.file_name().to_string_lossy())).collect()
}

/// Named ones, and those that only a mount or a process of ours would hold.
fn network_namespaces() -> Vec<String> {
    let named = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    named.map(|ns| format!("network namespace {}", ns.file_name().to_string_lossy())).collect()
}

fn processes() -> Vec<String> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        name.starts_with("gantry").then(|| format!("process {pid} {}", name.trim()))
    })
    .collect()
}

fn nft_tables() -> Vec<String> {
    let list = shell::output(Command::new("nft").args(["list", "tables"])).unwrap_or_default();
    list.lines().map(|table| format!("nft {table}")).collect()
}

/// Directories of ours in any cgroup hierarchy; five levels reach the deepest that an engine makes.
fn cgroups(dir: &Path, depth: usize, seen: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if depth < 5 && entry.file_type().is_ok_and(|t| t.is_dir()) {
            if path.to_string_lossy().contains("gantry") {
                seen.insert(format!("cgroup {}", path.display()));
            }
            cgroups(&path, depth + 1, seen);
        }
    }
}
