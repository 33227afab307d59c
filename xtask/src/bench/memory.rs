//! Memory of an engine's processes, each page shared by n processes counted as an n-th (PSS).

use std::fs;
use std::path::PathBuf;

/// How an engine's processes are told from everything else on the machine.
pub(super) enum Processes {
    Ours {
        engine: u32,
        exec_root: String,
    },
    /// By name, in the peers' mount namespace (the link's text, `mnt:[..]`).
    Theirs {
        namespace: String,
        engine: &'static [&'static str],
        helpers: &'static [&'static str],
    },
    None,
}

impl Processes {
    /// Megabytes of the engine itself; 0 for one without a daemon.
    pub(super) fn engine(&self) -> f64 {
        match self {
            Self::Ours { engine, .. } => pss(PathBuf::from(format!("/proc/{engine}"))),
            Self::Theirs { namespace, engine, .. } => {
                sum(|process| process.is_in(namespace) && engine.contains(&process.name.as_str()))
            }
            Self::None => 0.0,
        }
    }

    /// Megabytes of the processes that stand beside containers.
    pub(super) fn helpers(&self) -> f64 {
        sum(|process| self.is_helper(process))
    }

    /// How many of them there are.
    pub(super) fn count_helpers(&self) -> f64 {
        all().filter(|process| self.is_helper(process)).count() as f64
    }

    fn is_helper(&self, process: &Process) -> bool {
        match self {
            // Ours name themselves after what they do: gantry-runtime, gantry-proxy.
            Self::Ours { exec_root, .. } => {
                process.name.starts_with("gantry-") && process.command().contains(exec_root)
            }
            Self::Theirs { namespace, helpers, .. } => {
                process.is_in(namespace)
                    && helpers.iter().any(|helper| process.name.starts_with(helper))
            }
            Self::None => false,
        }
    }
}

struct Process {
    /// Cut by the kernel after 15 bytes.
    name: String,
    path: PathBuf,
}

impl Process {
    fn is_in(&self, mount_namespace: &str) -> bool {
        fs::read_link(self.path.join("ns/mnt"))
            .is_ok_and(|link| link.as_os_str() == mount_namespace)
    }

    fn command(&self) -> String {
        let command = fs::read(self.path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).into_owned()
    }
}

fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        Some(Process { name: name.trim_end().to_owned(), path: entry.path() })
    })
}

fn sum(wanted: impl Fn(&Process) -> bool) -> f64 {
    // The sum of nothing is -0.0.
    all().filter(wanted).map(|process| pss(process.path)).sum::<f64>() + 0.0
}

/// A process that ended meanwhile has none.
fn pss(process: PathBuf) -> f64 {
    let text = fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
