//! GET /info.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::system::{
    AddressPool, Commit, Firewall, Index, Info, Nondistributable, Plugins, RegistryConfig, Runtime,
    Swarm,
};

use super::limits::Limits;
use super::version::VERSION;
use super::{System, host, limits};
use crate::apparmor::{self, Confinement};
use crate::config::{Config, OWN_NAMES, OWN_RUNTIME, masked};
use crate::error::Result;

impl System {
    pub fn info(&self) -> Result<Info> {
        let config = self.config();
        let limits = limits::probe();
        let images = self.images.count()?;
        let distribution = host::distribution();
        let own = Commit { id: VERSION.into(), expected: Some(VERSION.into()) };
        let counts = self.containers.counts();
        Ok(Info {
            containers: counts.running + counts.paused + counts.stopped,
            containers_running: counts.running,
            containers_paused: counts.paused,
            containers_stopped: counts.stopped,
            id: self.id.clone(),
            images,
            driver: "overlay2".into(),
            driver_status: driver_status(&config),
            plugins: plugins(&config),
            memory_limit: limits.memory,
            swap_limit: limits.swap,
            kernel_memory_tcp: limits.kernel_memory_tcp,
            cpu_cfs_period: limits.cpu_quota,
            cpu_cfs_quota: limits.cpu_quota,
            cpu_shares: limits.cpu_shares,
            cpu_set: limits.cpuset,
            pids_limit: limits.pids,
            oom_kill_disable: limits.oom_kill_disable,
            ipv4_forwarding: host::sysctl("net/ipv4/ip_forward"),
            bridge_nf_iptables: Some(host::sysctl("net/bridge/bridge-nf-call-iptables")),
            bridge_nf_ip6tables: Some(host::sysctl("net/bridge/bridge-nf-call-ip6tables")),
            debug: config.debug,
            n_fd: entries("/proc/self/fd"),
            n_goroutines: entries("/proc/self/task"),
            system_time: jiff::Timestamp::now().to_string(),
            logging_driver: config.log_driver.clone(),
            cgroup_driver: cgroup_driver(&config, &limits).into(),
            cgroup_version: limits.version.to_string(),
            n_events_listener: self.events.listeners() as i64,
            kernel_version: host::kernel(),
            operating_system: distribution.name,
            os_version: distribution.version,
            os_type: "linux".into(),
            architecture: host::machine(),
            index_server_address: "https://index.docker.io/v1/".into(),
            registry_config: Some(registries(&config)),
            http_proxy: masked(&config.http_proxy),
            https_proxy: masked(&config.https_proxy),
            no_proxy: config.no_proxy.clone(),
            experimental_build: config.experimental,
            runtimes: runtimes(&config),
            default_runtime: config.default_runtime().into(),
            default_address_pools: Some(address_pools(&config)),
            ncpu: host::cpus() as i64,
            mem_total: host::memory() as i64,
            docker_root_dir: config.data_root.display().to_string(),
            name: host::name(),
            labels: Some(config.labels.clone()),
            server_version: VERSION.into(),
            live_restore_enabled: true,
            init_binary: OWN_RUNTIME.into(),
            containerd_commit: Commit { expected: Some(String::new()), ..Commit::default() },
            firewall_backend: Some(Firewall { driver: "nftables".into(), info: None }),
            runc_commit: own.clone(),
            init_commit: own,
            security_options: Some(security_options(&config, limits.version)),
            cdi_spec_dirs: Some(cdi_spec_dirs(&config)),
            swarm: Swarm { local_node_state: "inactive".into(), ..Swarm::default() },
            warnings: Some(warnings(&config, &limits)).filter(|warnings| !warnings.is_empty()),
            ..Info::default()
        })
    }
}

/// In Docker's words.
fn warnings(config: &Config, limits: &Limits) -> Vec<String> {
    let mut warnings = limits.warnings();
    if !host::sysctl("net/ipv4/ip_forward") {
        warnings.push("WARNING: IPv4 forwarding is disabled".to_owned());
    }
    let tcp = |host: &&String| !host.starts_with("unix://") && !host.starts_with("fd://");
    let open = match (config.tls.unwrap_or(false), config.tlsverify.unwrap_or(false)) {
        (_, true) => return warnings,
        (true, false) => ("https", "TLS client verification"),
        (false, false) => ("http", "encryption"),
    };
    for host in config.hosts.iter().filter(tcp) {
        let (scheme, missing) = open;
        warnings.push(format!(
            "WARNING: API is accessible on {scheme}://{} without {missing}.\n         Access to the remote API is \
             equivalent to root access on the host. Refer\n         to the 'Docker daemon attack surface' section in \
             the documentation for\n         more information: https://docs.docker.com/go/attack-surface/",
            host.trim_start_matches("tcp://")
        ));
    }
    warnings
}

fn cdi_spec_dirs(config: &Config) -> Vec<String> {
    config.cdi_spec_dirs.iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

fn driver_status(config: &Config) -> Vec<[String; 2]> {
    let pairs = [
        ("Backing Filesystem", host::file_system(&config.data_root)),
        ("Supports d_type", "true"),
        ("Using metacopy", "false"),
        ("Native Overlay Diff", "true"),
        ("userxattr", "false"),
    ];
    pairs.map(|(name, value)| [name.to_owned(), value.to_owned()]).into()
}

fn cgroup_driver<'a>(config: &'a Config, limits: &Limits) -> &'a str {
    if !limits.any {
        return "none";
    }
    let chosen =
        config.exec_opts.iter().find_map(|option| option.strip_prefix("native.cgroupdriver="));
    let systemd = limits.version == 2 && sd_notify::booted().unwrap_or(false);
    chosen.unwrap_or(if systemd { "systemd" } else { "cgroupfs" })
}

fn security_options(config: &Config, cgroup_version: u8) -> Vec<String> {
    let mut options = Vec::new();
    if apparmor::confinement() == Confinement::Enforced {
        options.push("name=apparmor".to_owned());
    }
    options.push(format!("name=seccomp,profile={}", config.seccomp_profile));
    if sys::namespace::is_in_user_namespace() {
        options.push("name=rootless".to_owned());
    }
    if cgroup_version == 2 {
        options.push("name=cgroupns".to_owned());
    }
    if config.no_new_privileges {
        options.push("name=no-new-privileges".to_owned());
    }
    options
}

fn runtimes(config: &Config) -> BTreeMap<String, Runtime> {
    let own = || Runtime { path: OWN_RUNTIME.into(), ..Runtime::default() };
    let mut runtimes = BTreeMap::from(OWN_NAMES.map(|name| (name.to_owned(), own())));
    for (name, runtime) in &config.runtimes {
        let args = Some(runtime.args.clone()).filter(|args| !args.is_empty());
        let runtime = Runtime { path: runtime.path.clone(), args, ..Runtime::default() };
        runtimes.insert(name.clone(), runtime);
    }
    runtimes
}

fn address_pools(config: &Config) -> Vec<AddressPool> {
    let pools = config.default_address_pools.iter();
    pools.map(|pool| AddressPool { base: pool.base.clone(), size: pool.size.into() }).collect()
}

/// What is configured of registries, in Docker's form: the loopback is insecure, Docker Hub is always there.
fn registries(config: &Config) -> RegistryConfig {
    let (cidrs, hosts) = split_cidrs(&config.insecure_registries);
    let mirrors: Vec<_> = config.registry_mirrors.iter().map(|mirror| with_slash(mirror)).collect();
    let hub =
        Index { name: HUB.into(), mirrors: Some(mirrors.clone()), secure: true, official: true };
    let insecure = |name: String| {
        let index = Index { name: name.clone(), mirrors: Some(Vec::new()), ..Index::default() };
        (name, index)
    };
    let mut index_configs: BTreeMap<_, _> = hosts.into_iter().map(insecure).collect();
    index_configs.insert(HUB.into(), hub);
    let insecure_cidrs = cidrs.into_iter().chain(["127.0.0.0/8".to_owned()]).collect();
    let (cidrs, hosts) = split_cidrs(&config.allow_nondistributable_artifacts);
    let given = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    RegistryConfig {
        nondistributable: Some(Nondistributable { cidrs: given(cidrs), hostnames: given(hosts) }),
        insecure_registry_cidrs: Some(insecure_cidrs),
        index_configs,
        mirrors: given(mirrors),
    }
}

const HUB: &str = "docker.io";

fn split_cidrs(list: &[String]) -> (Vec<String>, Vec<String>) {
    let is_cidr = |text: &String| {
        text.split_once('/').is_some_and(|(address, prefix)| {
            address.parse::<IpAddr>().is_ok() && prefix.parse::<u8>().is_ok()
        })
    };
    list.iter().cloned().partition(is_cidr)
}

fn with_slash(mirror: &str) -> String {
    if mirror.ends_with('/') { mirror.to_owned() } else { format!("{mirror}/") }
}

fn plugins(config: &Config) -> Plugins {
    let authorization = Some(config.authorization_plugins.clone());
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    Plugins {
        volume: names(&["local"]),
        network: names(&["bridge", "host", "ipvlan", "macvlan", "null"]),
        authorization: authorization.filter(|plugins| !plugins.is_empty()),
        log: names(&["fluentd", "gelf", "journald", "json-file", "local", "syslog"]),
    }
}

fn entries(folder: &str) -> i64 {
    std::fs::read_dir(folder).map_or(0, |entries| entries.count() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As dockerd 26 tells of the same configuration.
    #[test]
    fn registries_have_dockers_form() {
        let list = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let config = Config {
            insecure_registries: list(&["10.0.0.0/8", "reg:5000"]),
            registry_mirrors: list(&["https://m.example"]),
            ..Config::default()
        };
        let text = serde_json::to_string(&registries(&config)).unwrap();
        assert_eq!(
            text,
            r#"{"AllowNondistributableArtifactsCIDRs":null,"AllowNondistributableArtifactsHostnames":null,"InsecureRegistryCIDRs":["10.0.0.0/8","127.0.0.0/8"],"IndexConfigs":{"docker.io":{"Name":"docker.io","Mirrors":["https://m.example/"],"Secure":true,"Official":true},"reg:5000":{"Name":"reg:5000","Mirrors":[],"Secure":false,"Official":false}},"Mirrors":["https://m.example/"]}"#
        );
    }
}
