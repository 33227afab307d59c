//! GET /info.

use api::containers::Status;
use api::system::{AddressPool, Commit, Info, Plugins, RegistryConfig, Runtime, Swarm};

use super::version::VERSION;
use super::{System, host, limits};
use crate::error::Result;

/// The name of our own runtime where a runtime is chosen by name.
const RUNTIME: &str = "gantry-runtime";

impl System {
    pub fn info(&self) -> Result<Info> {
        let limits = limits::probe();
        let images = self.images.count()?;
        let distribution = host::distribution();
        let own = Commit { id: VERSION.into(), expected: VERSION.into() };
        let mut info = Info {
            id: self.id.clone(),
            images,
            driver: "overlay2".into(),
            driver_status: self.driver_status(),
            plugins: plugins(),
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
            bridge_nf_iptables: host::sysctl("net/bridge/bridge-nf-call-iptables"),
            bridge_nf_ip6tables: host::sysctl("net/bridge/bridge-nf-call-ip6tables"),
            debug: self.config.debug,
            n_fd: entries("/proc/self/fd"),
            n_goroutines: entries("/proc/self/task"),
            system_time: jiff::Timestamp::now().to_string(),
            logging_driver: self.config.log_driver.clone(),
            cgroup_driver: self.cgroup_driver(limits.version).into(),
            cgroup_version: limits.version.to_string(),
            n_events_listener: self.events.listeners() as i64,
            kernel_version: host::kernel(),
            operating_system: distribution.name,
            os_version: distribution.version,
            os_type: "linux".into(),
            architecture: host::machine(),
            index_server_address: "https://index.docker.io/v1/".into(),
            registry_config: Some(RegistryConfig::default()),
            ncpu: host::cpus() as i64,
            mem_total: host::memory() as i64,
            docker_root_dir: self.config.data_root.display().to_string(),
            name: host::name(),
            labels: Some(self.labels()),
            server_version: VERSION.into(),
            live_restore_enabled: true,
            init_binary: RUNTIME.into(),
            containerd_commit: Commit::default(),
            runc_commit: own.clone(),
            init_commit: own,
            security_options: Some(self.security_options(limits.version)),
            cdi_spec_dirs: Some(Vec::new()),
            swarm: Swarm { local_node_state: "inactive".into(), ..Swarm::default() },
            warnings: Some(limits.warnings()).filter(|warnings| !warnings.is_empty()),
            ..Info::default()
        };
        self.count_containers(&mut info);
        self.add_runtimes(&mut info);
        self.add_pools(&mut info);
        Ok(info)
    }

    fn driver_status(&self) -> Vec<[String; 2]> {
        let pairs = [
            ("Backing Filesystem", host::file_system(&self.config.data_root)),
            ("Supports d_type", "true"),
            ("Using metacopy", "false"),
            ("Native Overlay Diff", "true"),
            ("userxattr", "false"),
        ];
        pairs.map(|(name, value)| [name.to_owned(), value.to_owned()]).into()
    }

    fn cgroup_driver(&self, version: u8) -> &str {
        let chosen = self
            .config
            .exec_opts
            .iter()
            .find_map(|option| option.strip_prefix("native.cgroupdriver="));
        let default = if version == 2 && sd_notify::booted().unwrap_or(false) {
            "systemd"
        } else {
            "cgroupfs"
        };
        chosen.unwrap_or(default)
    }

    fn security_options(&self, cgroup_version: u8) -> Vec<String> {
        let mut options = Vec::new();
        if host::has_apparmor() {
            options.push("name=apparmor".to_owned());
        }
        options.push(format!("name=seccomp,profile={}", self.config.seccomp_profile));
        if cgroup_version == 2 {
            options.push("name=cgroupns".to_owned());
        }
        if self.config.no_new_privileges {
            options.push("name=no-new-privileges".to_owned());
        }
        options
    }

    fn count_containers(&self, info: &mut Info) {
        for container in self.containers.index().all() {
            info.containers += 1;
            match container.record().state.status {
                Status::Running | Status::Restarting => info.containers_running += 1,
                Status::Paused => info.containers_paused += 1,
                _ => info.containers_stopped += 1,
            }
        }
    }

    fn add_runtimes(&self, info: &mut Info) {
        let own = Runtime { path: RUNTIME.into(), ..Runtime::default() };
        info.runtimes.insert(RUNTIME.into(), own);
        for (name, runtime) in &self.config.runtimes {
            let args = Some(runtime.args.clone()).filter(|args| !args.is_empty());
            let runtime = Runtime { path: runtime.path.clone(), args, ..Runtime::default() };
            info.runtimes.insert(name.clone(), runtime);
        }
        let default = self.config.default_runtime.as_str();
        info.default_runtime = if default.is_empty() { RUNTIME.into() } else { default.into() };
    }

    fn add_pools(&self, info: &mut Info) {
        let pools = self.config.default_address_pools.iter();
        let pools =
            pools.map(|pool| AddressPool { base: pool.base.clone(), size: pool.size.into() });
        info.default_address_pools = Some(pools.collect());
    }
}

fn plugins() -> Plugins {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    Plugins {
        volume: names(&["local"]),
        network: names(&["bridge", "host", "null"]),
        authorization: None,
        log: names(&["json-file", "local"]),
    }
}

fn entries(folder: &str) -> i64 {
    std::fs::read_dir(folder).map_or(0, |entries| entries.count() as i64)
}
