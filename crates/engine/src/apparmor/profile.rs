//! AppArmor: which profile a container's processes run under, and the text of the default one.

/// Under Docker's name, which its users look for. An engine of Docker's beside this one has loaded the like of it.
pub const DEFAULT: &str = "docker-default";

const UNCONFINED: &str = "unconfined";

/// Whether containers are confined unless they say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// The kernel has no AppArmor, or nothing is there that could load a profile.
    Absent,
    Enforced,
}

/// The profile of the specification. Without AppArmor a profile that is asked for by name goes to the runtime all the
/// same, which refuses it: who asks to be confined is not to run unconfined.
pub fn profile(asked: &str, privileged: bool, confinement: Confinement) -> &str {
    match (confinement, asked) {
        (Confinement::Absent, "" | UNCONFINED | DEFAULT) => "",
        (Confinement::Enforced, "") if privileged => UNCONFINED,
        (Confinement::Enforced, "") => DEFAULT,
        (_, asked) => asked,
    }
}

/// What a profile may lean on, where the distribution ships it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Includes {
    /// `tunables/global`, which defines `@{PROC}`.
    pub tunables: bool,
    /// `abstractions/base`: what every program does.
    pub base: bool,
}

/// The default profile: containers may use the network, their capabilities and their files; not the kernel's switches
/// in /proc and /sys, nor mounts. The rules are those of Docker's. `engine` is the profile that the engine itself is
/// under.
pub fn text(includes: Includes, engine: &str) -> String {
    let tunables = if includes.tunables { "#include <tunables/global>" } else { "@{PROC}=/proc/" };
    let base = if includes.base { "#include <abstractions/base>" } else { "" };
    let signals = ["unconfined", "runc", "crun", engine]
        .map(|peer| format!("  signal (receive) peer={peer},\n"))
        .concat();
    format!(
        "{tunables}\nprofile {DEFAULT} flags=(attach_disconnected,mediate_deleted) {{\n  {base}\n{signals}{RULES}}}\n"
    )
}

const RULES: &str = "  network,
  capability,
  file,
  umount,
  signal (send,receive) peer=docker-default,
  ptrace (trace,read,tracedby,readby) peer=docker-default,

  # Of /proc only the processes' own directories and /proc/sys/kernel/shm* can be written.
  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,

  deny mount,

  # Of /sys only /sys/fs/cgroup.
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_is_confined_unless_it_says_otherwise() {
        let on = Confinement::Enforced;
        assert_eq!(profile("", false, on), DEFAULT);
        assert_eq!(profile("", true, on), UNCONFINED);
        assert_eq!(profile("web", true, on), "web");
        assert_eq!(profile("web", false, on), "web");
        assert_eq!(profile(UNCONFINED, false, on), UNCONFINED);
    }

    #[test]
    fn a_kernel_without_apparmor_is_asked_for_nothing_but_what_was_named() {
        let off = Confinement::Absent;
        for asked in ["", UNCONFINED, DEFAULT] {
            assert_eq!(profile(asked, false, off), "");
            assert_eq!(profile(asked, true, off), "");
        }
        assert_eq!(profile("web", false, off), "web");
    }

    #[test]
    fn the_profile_leans_on_what_is_there() {
        let bare = text(Includes::default(), "unconfined");
        assert!(bare.starts_with("@{PROC}=/proc/\nprofile docker-default "), "{bare}");
        assert!(!bare.contains("#include"), "{bare}");
        let full = text(Includes { tunables: true, base: true }, "gantryd");
        assert!(full.starts_with("#include <tunables/global>\n"), "{full}");
        assert!(full.contains("  #include <abstractions/base>\n"), "{full}");
        assert!(full.contains("signal (receive) peer=gantryd,"), "{full}");
        assert!(!full.contains("@{PROC}="), "{full}");
    }

    #[test]
    fn what_leaks_or_changes_the_host_is_denied() {
        let text = text(Includes::default(), "unconfined");
        for rule in [
            "deny mount,",
            "deny @{PROC}/sysrq-trigger rwklx,",
            "deny @{PROC}/kcore rwklx,",
            "deny /sys/firmware/** rwklx,",
            "deny /sys/kernel/security/** rwklx,",
            "deny /sys/devices/virtual/powercap/** rwklx,",
        ] {
            assert!(text.contains(rule), "{rule}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
