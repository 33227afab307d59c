//! Kernel parameters of a container's own namespaces.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;

use sys::namespace;

use crate::error::{Context, Error, Result};
use crate::mounts::proc;

/// Parameters of the IPC namespace outside `fs.mqueue`.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Refuses every parameter that is not of a namespace the container has for itself.
///
/// `own` is the set of `CLONE_NEW*` flags of the namespaces that are not the host's.
pub(crate) fn check(sysctls: &BTreeMap<String, String>, own: u64) -> Result<()> {
    for name in sysctls.keys() {
        let has = |namespace| own & namespace != 0;
        let dotted = dotted(name)?;
        let allowed = if IPC.contains(&dotted.as_str()) || dotted.starts_with("fs.mqueue.") {
            has(namespace::IPC)
        } else if dotted.starts_with("net.") {
            has(namespace::NETWORK)
        } else if dotted == "kernel.domainname" || dotted == "kernel.hostname" {
            has(namespace::UTS)
        } else {
            dotted.starts_with("user.") && has(namespace::USER)
        };
        if !allowed {
            return Err(Error::invalid(format!(
                "sysctl {name:?} is not in a separate kernel namespace"
            )));
        }
    }
    Ok(())
}

/// The name with dots between its parts, whichever separator it was written with.
///
/// CVE-2022-0811: a name is one path below `/proc/sys`, nothing that climbs, ends early or smuggles a second.
fn dotted(name: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/*@:".contains(c);
    let separator = name.find(['.', '/']).map(|at| &name[at..=at]);
    let swapped: String = match separator {
        // A slash first: dots are part of names, as in `net/ipv4/conf/eth0.1/forwarding`.
        Some("/") => name
            .chars()
            .map(|c| {
                if c == '/' {
                    '.'
                } else if c == '.' {
                    '/'
                } else {
                    c
                }
            })
            .collect(),
        _ => name.to_owned(),
    };
    let climbs = swapped.split('.').any(|part| part.is_empty());
    if name.is_empty() || climbs || !name.chars().all(plain) || name.contains("..") {
        return Err(Error::invalid(format!("invalid sysctl name {name:?}")));
    }
    Ok(swapped)
}

/// Writes the parameters, through a procfs that the container has not touched.
pub(crate) fn write(sysctls: &BTreeMap<String, String>) -> Result<()> {
    if sysctls.is_empty() {
        return Ok(());
    }
    let procfs = proc::private()?;
    for (name, value) in sysctls {
        let path: PathBuf = ["sys"].into_iter().map(str::to_owned).chain(parts(name)?).collect();
        proc::write(procfs.as_fd(), &path, value.as_bytes())
            .context(|| format!("write sysctl {name} = {value:?}"))?;
    }
    Ok(())
}

fn parts(name: &str) -> Result<Vec<String>> {
    Ok(dotted(name)?.split('.').map(|part| part.replace('/', ".")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), "1".to_owned())])
    }

    #[test]
    fn parameters_of_own_namespaces_are_allowed() {
        check(&one("net.ipv4.ip_forward"), namespace::NETWORK).unwrap();
        check(&one("net/ipv4/ip_forward"), namespace::NETWORK).unwrap();
        check(&one("kernel.shmmax"), namespace::IPC).unwrap();
        check(&one("fs.mqueue.msg_max"), namespace::IPC).unwrap();
    }

    #[test]
    fn parameters_of_the_host_are_refused() {
        assert!(check(&one("net.ipv4.ip_forward"), namespace::IPC).is_err());
        for name in ["kernel.core_pattern", "vm.overcommit_memory", "fs.file-max"] {
            assert!(check(&one(name), u64::MAX).is_err(), "{name}");
        }
    }

    #[test]
    fn cve_2022_0811_a_name_smuggles_nothing() {
        for name in [
            "net.ipv4.ip_forward=1+kernel.core_pattern",
            "net.ipv4/../../kernel/core_pattern",
            "net/../kernel/core_pattern",
            "net..core",
            "net.ipv4.x\nkernel.core_pattern",
            "net.ipv4.x kernel",
            "",
            "/net/x",
        ] {
            assert!(check(&one(name), u64::MAX).is_err(), "{name}");
        }
    }

    #[test]
    fn interface_names_may_have_dots() {
        assert_eq!(parts("net/ipv4/conf/eth0.1/forwarding").unwrap()[3], "eth0.1");
        assert_eq!(parts("net.ipv4.conf.eth0/1.forwarding").unwrap()[3], "eth0.1");
    }
}
