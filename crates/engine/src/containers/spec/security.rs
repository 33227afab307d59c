//! `--security-opt`, and with it the confinement of a container's processes.

use api::containers::HostConfig;

use crate::error::Error;

/// What `SecurityOpt` says, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityOptions {
    pub seccomp: Seccomp,
    pub no_new_privileges: bool,
    /// Empty: the engine's default where the kernel has AppArmor.
    pub apparmor: String,
    /// `label=...` values, for SELinux.
    pub labels: Vec<String>,
    /// `systempaths=unconfined`: nothing masked, nothing read-only.
    pub system_paths_unconfined: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seccomp {
    #[default]
    Builtin,
    Unconfined,
    /// A profile in Docker's JSON, whose text the client sent.
    Profile(String),
}

impl SecurityOptions {
    pub fn parse(options: &[String]) -> Result<Self, Error> {
        let mut parsed = Self::default();
        for option in options {
            parsed.add(option)?;
        }
        Ok(parsed)
    }

    fn add(&mut self, option: &str) -> Result<(), Error> {
        let invalid = || Error::invalid(format!("invalid --security-opt 1: {option:?}"));
        match option {
            "no-new-privileges" => {
                self.no_new_privileges = true;
                return Ok(());
            }
            // As old clients wrote it.
            "disable" => {
                self.labels.push(option.to_owned());
                return Ok(());
            }
            _ => {}
        }
        let (name, value) =
            option.split_once('=').or_else(|| option.split_once(':')).ok_or_else(invalid)?;
        match name {
            "label" => self.labels.push(value.to_owned()),
            "apparmor" => value.clone_into(&mut self.apparmor),
            "seccomp" => self.seccomp = seccomp(value),
            "no-new-privileges" => {
                self.no_new_privileges = boolean(value).ok_or_else(|| {
                    Error::invalid(format!("invalid --security-opt 2: {option:?}"))
                })?;
            }
            "systempaths" if value == "unconfined" => self.system_paths_unconfined = true,
            _ => return Err(Error::invalid(format!("invalid --security-opt 2: {option:?}"))),
        }
        Ok(())
    }
}

fn seccomp(value: &str) -> Seccomp {
    match value {
        "unconfined" => Seccomp::Unconfined,
        "" | "builtin" => Seccomp::Builtin,
        json => Seccomp::Profile(json.to_owned()),
    }
}

/// Go's booleans.
fn boolean(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Kernel interfaces that are hidden from containers. Docker 29's list: interrupts reveal what other
/// containers and the host do.
const MASKED_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Kernel interfaces that containers may read only.
const READONLY_PATHS: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What is hidden from the container; `None` where it is privileged and did not say.
pub fn masked_paths(host: &HostConfig) -> Option<Vec<String>> {
    asked_or_default(host, host.masked_paths.as_ref(), &MASKED_PATHS)
}

/// What the container may read only; as [`masked_paths`].
pub fn readonly_paths(host: &HostConfig) -> Option<Vec<String>> {
    asked_or_default(host, host.readonly_paths.as_ref(), &READONLY_PATHS)
}

/// An explicit list, an empty one included, is taken as it is. The defaults are not kept with each container: they are
/// the same for all of them.
fn asked_or_default(
    host: &HostConfig,
    asked: Option<&Vec<String>>,
    default: &[&str],
) -> Option<Vec<String>> {
    let default = || default.iter().map(|path| (*path).to_owned()).collect();
    match asked {
        Some(asked) => Some(asked.clone()),
        None if host.privileged => None,
        None => Some(default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[&str]) -> Result<SecurityOptions, String> {
        let owned: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        SecurityOptions::parse(&owned).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_docker_has() {
        let options = parse(&[
            "no-new-privileges",
            "seccomp=unconfined",
            "apparmor:web",
            "label=type:x",
            "systempaths=unconfined",
        ])
        .unwrap();
        assert!(options.no_new_privileges && options.system_paths_unconfined);
        assert_eq!(options.seccomp, Seccomp::Unconfined);
        assert_eq!(options.apparmor, "web");
        assert_eq!(options.labels, ["type:x"]);
        assert_eq!(parse(&["no-new-privileges=false"]).unwrap(), SecurityOptions::default());
        assert_eq!(parse(&["seccomp={}"]).unwrap().seccomp, Seccomp::Profile("{}".into()));
    }

    #[test]
    fn what_is_unknown_is_refused_as_docker_does() {
        assert_eq!(parse(&["foo=bar"]).unwrap_err(), "invalid --security-opt 2: \"foo=bar\"");
        assert_eq!(parse(&["foo"]).unwrap_err(), "invalid --security-opt 1: \"foo\"");
        assert!(parse(&["no-new-privileges=maybe"]).is_err());
        assert!(parse(&["systempaths=confined"]).is_err());
    }

    #[test]
    fn paths_are_hidden_unless_the_container_is_privileged_or_says_otherwise() {
        let host = HostConfig::default();
        assert_eq!(masked_paths(&host).unwrap(), MASKED_PATHS);
        assert_eq!(readonly_paths(&host).unwrap(), READONLY_PATHS);
        let privileged = HostConfig { privileged: true, ..HostConfig::default() };
        assert_eq!((masked_paths(&privileged), readonly_paths(&privileged)), (None, None));
        for privileged in [false, true] {
            let asked = HostConfig {
                privileged,
                masked_paths: Some(vec!["/x".into()]),
                readonly_paths: Some(Vec::new()),
                ..HostConfig::default()
            };
            assert_eq!(masked_paths(&asked).unwrap(), ["/x"]);
            assert_eq!(readonly_paths(&asked), Some(Vec::new()));
        }
    }

    #[test]
    fn what_leaks_the_host_is_masked() {
        for path in
            ["/proc/kcore", "/proc/interrupts", "/sys/firmware", "/sys/devices/virtual/powercap"]
        {
            assert!(MASKED_PATHS.contains(&path));
        }
    }
}
