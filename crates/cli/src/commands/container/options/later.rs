//! Flags of Docker that this version cannot honour, and with what they come.

use crate::flags::Parsed;

const NETWORKS: &str = "come with the networks issue";
const VOLUMES: &str = "come with the volumes issue";
const HEALTH: &str = "come with the health checks issue";

const LATER: &[(&str, &str, &str)] = &[
    ("publish", "published ports", NETWORKS),
    ("publish-all", "published ports", NETWORKS),
    ("ip", "fixed addresses", NETWORKS),
    ("ip6", "fixed addresses", NETWORKS),
    ("link", "links", NETWORKS),
    ("link-local-ip", "link-local addresses", NETWORKS),
    ("mac-address", "fixed addresses", NETWORKS),
    ("net-alias", "network aliases", NETWORKS),
    ("network-alias", "network aliases", NETWORKS),
    ("volume-driver", "volumes", VOLUMES),
    ("volumes-from", "volumes", VOLUMES),
    ("gpus", "GPU devices", "come with the devices issue"),
    ("health-cmd", "health checks", HEALTH),
    ("health-interval", "health checks", HEALTH),
    ("health-retries", "health checks", HEALTH),
    ("health-start-interval", "health checks", HEALTH),
    ("health-start-period", "health checks", HEALTH),
    ("health-timeout", "health checks", HEALTH),
    (
        "kernel-memory",
        "limits of kernel memory",
        "come with no kernel any more: it was removed from cgroups",
    ),
    ("cpu-count", "limits for Windows", "come with no Linux engine"),
    ("cpu-percent", "limits for Windows", "come with no Linux engine"),
    ("io-maxbandwidth", "limits for Windows", "come with no Linux engine"),
    ("io-maxiops", "limits for Windows", "come with no Linux engine"),
];

pub(super) fn refuse(parsed: &Parsed) -> Result<(), String> {
    match LATER.iter().find(|(flag, ..)| parsed.is_set(flag)) {
        Some((flag, what, when)) => Err(format!("--{flag}: {what} {when}")),
        None => Ok(()),
    }
}
