//! Capability names and the five sets.

use oci::runtime::Capabilities;
use sys::credentials;

use crate::error::{Context, Result};

/// All that Linux knows, at the place of their number.
pub const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The sets as bits. Names that this kernel does not know are left out, as runc leaves them out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sets {
    bounding: u64,
    effective: u64,
    inheritable: u64,
    permitted: u64,
    ambient: u64,
}

impl Sets {
    pub(crate) fn new(capabilities: &Capabilities) -> Self {
        Self {
            bounding: bits(&capabilities.bounding),
            effective: bits(&capabilities.effective),
            inheritable: bits(&capabilities.inheritable),
            permitted: bits(&capabilities.permitted),
            ambient: bits(&capabilities.ambient),
        }
    }

    /// Limits what can ever be gained; while the process still may.
    pub(crate) fn apply_bounding(&self) -> Result<()> {
        let held = self.bounding;
        credentials::limit_bounding_set(held).context(|| "limit the capability bounding set")
    }

    /// Sets the rest, as the user that the program runs as.
    ///
    /// CVE-2016-8867, CVE-2022-24769, CVE-2022-29162: the inheritable and ambient sets are exactly what was
    /// asked for, which by default is nothing.
    pub(crate) fn apply(&self) -> Result<()> {
        let known = (1 << (credentials::last_capability() + 1)) - 1;
        let sets = credentials::Capabilities {
            effective: self.effective & known,
            permitted: self.permitted & known,
            inheritable: self.inheritable & known,
        };
        credentials::set_capabilities(sets).context(|| "unable to apply caps: capset")?;
        // The kernel admits only what is permitted and inheritable.
        let ambient = self.ambient & sets.permitted & sets.inheritable;
        credentials::set_ambient(ambient).context(|| "unable to apply caps: ambient set")
    }
}

fn bits(names: &[String]) -> u64 {
    names
        .iter()
        .filter_map(|name| NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)))
        .fold(0, |bits, position| bits | 1 << position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cve_2022_24769_inheritable_and_ambient_are_empty_unless_asked_for() {
        let sets = Sets::new(&Capabilities {
            bounding: vec!["CAP_CHOWN".into()],
            effective: vec!["CAP_CHOWN".into()],
            permitted: vec!["CAP_CHOWN".into()],
            ..Capabilities::default()
        });
        assert_eq!((sets.inheritable, sets.ambient), (0, 0));
        assert_eq!(sets.bounding, 1);
    }

    #[test]
    fn unknown_names_are_left_out() {
        assert_eq!(bits(&["CAP_NO_SUCH".into(), "CAP_KILL".into()]), 1 << 5);
    }
}
