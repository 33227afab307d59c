//! The text of the files that tell a container who and where it is. Pure: the engine writes them, in place,
//! because they are bind-mounted.

mod hosts;
mod resolv_conf;

pub use hosts::{HostEntry, hosts, replaced_hosts, with_hosts, without_hosts};
pub(crate) use resolv_conf::host_nameservers;
pub use resolv_conf::{
    DnsOptions, FALLBACK_NAMESERVERS, HOST_RESOLV_CONF, Resolver, completes_names,
    host_resolv_conf, own_host_servers, resolv_conf,
};

/// /etc/hostname.
pub fn hostname(name: &str) -> String {
    format!("{name}\n")
}
