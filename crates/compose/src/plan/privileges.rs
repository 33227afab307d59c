//! What a container may do to its host, in words: so that one sees what a change asks for before it is made.

use std::collections::{BTreeMap, BTreeSet};

use api::containers::HostConfig;

use crate::create;
use crate::model::{Project, Service};

/// What a service asks for.
pub fn asked(project: &Project, service: &Service) -> Result<BTreeSet<String>, String> {
    Ok(granted(&create::host_config(project, service, &BTreeMap::new())?))
}

/// What a container has.
pub fn granted(host: &HostConfig) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    if host.privileged {
        all.insert("privileged".to_owned());
    }
    all.extend(host.cap_add.iter().flatten().map(|name| capability(name)));
    let namespaces = [
        ("network", &host.network_mode),
        ("processes", &host.pid_mode),
        ("IPC", &host.ipc_mode),
        ("users", &host.userns_mode),
        ("hostname", &host.uts_mode),
        ("cgroups", &host.cgroupns_mode),
    ];
    let shared = namespaces.into_iter().filter(|(_, mode)| *mode == "host");
    all.extend(shared.map(|(kind, _)| format!("the host's {kind}")));
    let devices = host.resources.devices.iter().flatten();
    all.extend(devices.map(|device| format!("device {}", device.path_on_host)));
    let rules = host.resources.device_cgroup_rules.iter().flatten();
    all.extend(rules.map(|rule| format!("devices {rule}")));
    let requests = host.resources.device_requests.iter().flatten();
    all.extend(requests.map(|request| format!("devices of {}", request.driver)));
    let lifted = |option: &&String| option.ends_with("unconfined") || option.ends_with("disable");
    let options = host.security_opt.iter().flatten().filter(lifted);
    all.extend(options.map(|option| format!("security option {option}")));
    all.extend(host.binds.iter().flatten().filter_map(|bind| host_path(bind)));
    for mount in host.mounts.iter().flatten().filter(|mount| mount.kind == "bind") {
        all.insert(access(&mount.source, mount.read_only));
    }
    all
}

/// With and without its prefix it is one.
fn capability(name: &str) -> String {
    let name = name.to_uppercase();
    format!("capability {}", name.strip_prefix("CAP_").unwrap_or(&name))
}

/// Of `SOURCE:TARGET[:OPTIONS]`; a source that is a name is a volume's.
fn host_path(bind: &str) -> Option<String> {
    let mut parts = bind.splitn(3, ':');
    let source = parts.next().filter(|source| source.starts_with('/'))?;
    let options = parts.nth(1).unwrap_or_default();
    Some(access(source, options.split(',').any(|option| option == "ro")))
}

fn access(path: &str, read_only: bool) -> String {
    format!("host path {path}, {}", if read_only { "read-only" } else { "writable" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_reaches_the_host_is_named() {
        let host = HostConfig {
            privileged: true,
            cap_add: Some(vec!["CAP_SYS_ADMIN".to_owned(), "net_raw".to_owned()]),
            network_mode: "host".to_owned(),
            pid_mode: "host".to_owned(),
            ipc_mode: "private".to_owned(),
            security_opt: Some(vec![
                "seccomp=unconfined".to_owned(),
                "no-new-privileges:true".to_owned(),
            ]),
            binds: Some(vec!["/etc:/e:ro".to_owned(), "/run:/r".to_owned(), "v:/v".to_owned()]),
            ..HostConfig::default()
        };
        assert_eq!(
            granted(&host).into_iter().collect::<Vec<_>>(),
            [
                "capability NET_RAW",
                "capability SYS_ADMIN",
                "host path /etc, read-only",
                "host path /run, writable",
                "privileged",
                "security option seccomp=unconfined",
                "the host's network",
                "the host's processes",
            ]
        );
        assert_eq!(granted(&HostConfig::default()), BTreeSet::new());
    }
}
