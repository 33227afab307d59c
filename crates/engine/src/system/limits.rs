//! Which limits the host's cgroups can enforce.

use std::path::Path;

const ROOT: &str = "/sys/fs/cgroup";
const CGROUP2_MAGIC: u32 = 0x6367_7270;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// 1 or 2, as clients are told; a hybrid counts as 1.
    pub version: u8,
    /// Containers have cgroups at all.
    pub any: bool,
    pub memory: bool,
    pub swap: bool,
    pub kernel_memory_tcp: bool,
    pub cpu_quota: bool,
    pub cpu_shares: bool,
    pub cpuset: bool,
    pub pids: bool,
    pub oom_kill_disable: bool,
}

pub fn probe() -> Limits {
    let root = Path::new(ROOT);
    let found = match rustix::fs::statfs(root) {
        Ok(found) if found.f_type as u32 == CGROUP2_MAGIC => version_2(root),
        _ => version_1(root),
    };
    let none = Limits { version: found.version, ..Limits::default() };
    if runtime::cgroup::is_delegated() { found } else { none }
}

fn version_1(root: &Path) -> Limits {
    let has = |file: &str| root.join(file).exists();
    Limits {
        version: 1,
        any: true,
        memory: has("memory/memory.limit_in_bytes"),
        swap: has("memory/memory.memsw.limit_in_bytes"),
        kernel_memory_tcp: has("memory/memory.kmem.tcp.limit_in_bytes"),
        cpu_quota: has("cpu/cpu.cfs_quota_us"),
        cpu_shares: has("cpu/cpu.shares"),
        cpuset: has("cpuset/cpuset.cpus"),
        pids: has("pids"),
        oom_kill_disable: has("memory/memory.oom_control"),
    }
}

fn version_2(root: &Path) -> Limits {
    let controllers = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    let has = |name| controllers.split_whitespace().any(|controller| controller == name);
    Limits {
        version: 2,
        any: true,
        memory: has("memory"),
        swap: has("memory") && Path::new("/proc/swaps").exists(),
        kernel_memory_tcp: false,
        cpu_quota: has("cpu"),
        cpu_shares: has("cpu"),
        cpuset: has("cpuset"),
        pids: has("pids"),
        oom_kill_disable: false,
    }
}

impl Limits {
    /// What `info` warns of, in Docker's words.
    pub fn warnings(&self) -> Vec<String> {
        if !self.any {
            let need = match self.version {
                2 => "Systemd is required to enable cgroups in rootless-mode.",
                _ => {
                    "To enable cgroups in rootless-mode, you need to boot the system in cgroup v2 mode."
                }
            };
            return vec![format!("WARNING: Running in rootless-mode without cgroups. {need}")];
        }
        let missing = [
            (self.memory, "No memory limit support"),
            (self.swap, "No swap limit support"),
            (self.cpu_quota, "No cpu cfs quota support"),
            (self.cpu_shares, "No cpu shares support"),
            (self.cpuset, "No cpuset support"),
            (self.pids, "No pids limit support"),
        ];
        let missing = missing.iter().filter(|(there, _)| !there);
        missing.map(|(_, words)| format!("WARNING: {words}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_cgroups_one_warning_says_it_all() {
        let warnings = Limits { version: 1, ..Limits::default() }.warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].ends_with("you need to boot the system in cgroup v2 mode."));
    }

    #[test]
    fn version_2_is_read_from_its_list_of_controllers() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("cgroup.controllers"), "cpuset cpu pids\n").unwrap();
        let limits = version_2(root.path());
        assert!(limits.cpuset && limits.cpu_quota && limits.pids && !limits.memory);
        assert_eq!(
            limits.warnings(),
            ["WARNING: No memory limit support", "WARNING: No swap limit support"]
        );
    }

    #[test]
    fn version_1_is_read_from_its_files() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("memory")).unwrap();
        std::fs::write(root.path().join("memory/memory.limit_in_bytes"), "").unwrap();
        let limits = version_1(root.path());
        assert!(limits.memory && !limits.swap && limits.version == 1);
    }
}
