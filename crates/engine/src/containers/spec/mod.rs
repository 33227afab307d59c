//! From what Docker's API says about a container to the OCI runtime specification that the monitor starts.
//!
//! Everything here is data in, data out, but for two looks at the host: device numbers of `--device` and the block
//! devices that limits name. Nothing that an image says reaches a hook, a device or a path of the host: those come
//! from the HostConfig alone, and labels and annotations are carried as data.

pub mod capabilities;
pub mod cdi;
pub mod devices;
pub mod environment;
pub mod mounts;
pub mod resources;
pub mod security;
pub mod ulimits;
pub mod user;

use std::path::{Path, PathBuf};

use api::containers::{Config, HostConfig};
use oci::runtime::{
    Capabilities, ConsoleSize, DeviceRule, Linux, Namespace, NamespaceKind, Process, Root, Seccomp,
    Spec,
};

use self::mounts::Shm;
use self::security::SecurityOptions;
use self::user::User;
use super::mounts::MountPoint;
use crate::apparmor::{self, Confinement};
use crate::error::Error;

/// What a specification is made of.
#[derive(Debug)]
pub struct Input<'a> {
    /// With the image's defaults merged in.
    pub config: &'a Config,
    /// With the engine's defaults applied.
    pub host: &'a HostConfig,
    /// Entrypoint and command.
    pub args: Vec<String>,
    pub user: &'a User,
    /// With the volumes' directories as sources.
    pub mounts: &'a [MountPoint],
    /// The engine's directory of the container, with its hosts, hostname and resolv.conf.
    pub files: &'a Path,
    /// The program of `--init`, if wished.
    pub init: Option<&'a Path>,
    pub cgroup_path: String,
    pub namespaces: Namespaces,
    pub shm: Shm<'a>,
    pub security: &'a SecurityOptions,
    /// Where the kernel has AppArmor.
    pub confinement: Confinement,
    pub seccomp: Option<Seccomp>,
    /// Capability names.
    pub capabilities: Vec<String>,
    /// Those from 0 to this one are there.
    pub last_group: u32,
    /// Variables that links bring.
    pub linked: Vec<String>,
    /// For a step of a build.
    pub is_step: bool,
}

/// Which namespaces are a container's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    pub pid: Space,
    pub ipc: Space,
    pub uts: Space,
    pub cgroup: Space,
    /// `Own` also for a namespace that the engine made or found, and hands to the monitor.
    pub network: Space,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Space {
    #[default]
    Own,
    Host,
    /// Another container's, as `/proc/<pid>/ns/<kind>`.
    Path(PathBuf),
}

/// The specification of a container that is about to start.
pub fn build(input: &Input<'_>) -> Result<Spec, Error> {
    let host = input.host;
    let uts_is_hosts = input.namespaces.uts == Space::Host;
    Ok(Spec {
        version: oci::runtime::VERSION.into(),
        process: Some(process(input)?),
        root: Some(Root { path: "rootfs".into(), readonly: host.readonly_rootfs }),
        hostname: if uts_is_hosts { String::new() } else { input.config.hostname.clone() },
        domainname: if uts_is_hosts { String::new() } else { input.config.domainname.clone() },
        mounts: all_mounts(input),
        hooks: None,
        annotations: host.annotations.clone().unwrap_or_default(),
        linux: Some(linux(input)?),
    })
}

fn process(input: &Input<'_>) -> Result<Process, Error> {
    let config = input.config;
    let (asked, privileged) = (&input.security.apparmor, input.host.privileged);
    let apparmor = apparmor::profile(asked, privileged, input.confinement);
    let [height, width] = input.host.console_size.map(|side| u16::try_from(side).unwrap_or(0));
    let mut args = input.args.clone();
    if input.init.is_some() {
        args.splice(0..0, ["/sbin/docker-init".to_owned(), "--".to_owned()]);
    }
    Ok(Process {
        terminal: config.tty,
        console_size: (config.tty && height > 0).then_some(ConsoleSize { height, width }),
        user: runtime_user(input.user),
        args,
        env: match input.is_step {
            true => environment::of_step(config, input.user),
            false => environment::environment(config, input.user, input.linked.clone()),
        },
        cwd: working_directory(config),
        capabilities: Some(process_capabilities(input)),
        rlimits: ulimits::rlimits(input.host.resources.ulimits.iter().flatten())?,
        no_new_privileges: input.security.no_new_privileges,
        apparmor_profile: apparmor.to_owned(),
        oom_score_adj: i32::try_from(input.host.oom_score_adj).ok().filter(|score| *score != 0),
        ..Process::default()
    })
}

/// The process of `docker exec`: like the container's own but for what was asked for.
pub fn runtime_user(user: &User) -> oci::runtime::User {
    oci::runtime::User {
        uid: user.uid,
        gid: user.gid,
        additional_gids: user.additional_gids.clone(),
        ..oci::runtime::User::default()
    }
}

/// A process that is not root has none in its effective and permitted sets; they come back with a set-uid program,
/// up to the bounding set.
fn process_capabilities(input: &Input<'_>) -> Capabilities {
    capabilities_of(input.user, input.capabilities.clone())
}

pub fn capabilities_of(user: &User, set: Vec<String>) -> Capabilities {
    let mut sets = capabilities::sets(set);
    if user.uid != 0 {
        sets.effective.clear();
        sets.permitted.clear();
    }
    sets
}

fn working_directory(config: &Config) -> PathBuf {
    let path = config.working_dir.as_str();
    PathBuf::from(if path.is_empty() { "/" } else { path })
}

fn all_mounts(input: &Input<'_>) -> Vec<oci::runtime::Mount> {
    let system = mounts::System { privileged: input.host.privileged, shm: input.shm.clone() };
    let user = mounts::asked_for(input.mounts);
    let replaced =
        |mount: &oci::runtime::Mount| user.iter().any(|wish| wish.destination == mount.destination);
    let mut all: Vec<_> =
        mounts::system(&system).into_iter().filter(|mount| !replaced(mount)).collect();
    all.extend(input.init.map(mounts::init));
    all.extend(user);
    // Last: they lie in /etc, which may be a mount itself.
    let names = match input.is_step {
        // As in BuildKit, which keeps steps from writing to them, too.
        true => &mounts::FILES[..2],
        false => &mounts::FILES,
    };
    let read_only = input.host.readonly_rootfs || input.is_step;
    all.extend(mounts::files(input.files, names, input.mounts, read_only));
    all
}

fn linux(input: &Input<'_>) -> Result<Linux, Error> {
    let host = input.host;
    let mut resources = resources::resources(&host.resources)?;
    let devices = all_devices(input)?;
    resources.devices = devices.rules;
    Ok(Linux {
        sysctl: sysctls(input)?,
        resources: Some(resources),
        cgroups_path: input.cgroup_path.clone(),
        namespaces: namespaces(&input.namespaces),
        devices: devices.nodes,
        seccomp: input.seccomp.clone(),
        rootfs_propagation: mounts::root_propagation(input.mounts).into(),
        masked_paths: paths(security::masked_paths(host)),
        readonly_paths: paths(security::readonly_paths(host)),
        ..Linux::default()
    })
}

fn paths(given: Option<Vec<String>>) -> Vec<PathBuf> {
    given.into_iter().flatten().map(PathBuf::from).collect()
}

fn all_devices(input: &Input<'_>) -> Result<devices::Devices, Error> {
    let wishes = &input.host.resources;
    if input.host.privileged {
        return devices::privileged(wishes.devices.iter().flatten());
    }
    let mut all = devices::Devices { nodes: Vec::new(), rules: devices::default_rules() };
    for mapping in wishes.devices.iter().flatten() {
        let mapped = devices::mapped(mapping)?;
        all.nodes.extend(mapped.nodes);
        all.rules.extend(mapped.rules);
    }
    let asked = wishes.device_cgroup_rules.iter().flatten().map(|rule| devices::cgroup_rule(rule));
    all.rules.extend(asked.collect::<Result<Vec<DeviceRule>, _>>()?);
    Ok(all)
}

/// With a network of its own a container may use low ports and ping without privilege.
fn sysctls(input: &Input<'_>) -> Result<std::collections::BTreeMap<String, String>, Error> {
    let mut all = input.host.sysctls.clone().unwrap_or_default();
    if let Some(odd) = all.keys().find(|key| !is_sysctl_name(key)) {
        return Err(Error::invalid(format!("sysctl {odd:?} is not allowed")));
    }
    if input.namespaces.network == Space::Own {
        for (key, value) in [
            ("net.ipv4.ip_unprivileged_port_start", "0".into()),
            ("net.ipv4.ping_group_range", format!("0 {}", input.last_group)),
        ] {
            all.entry(key.into()).or_insert(value);
        }
    }
    Ok(all)
}

/// A name is nothing but a name (CVE-2022-0811): no way out of /proc/sys, no second key.
fn is_sysctl_name(key: &str) -> bool {
    !key.is_empty()
        && !key.contains("..")
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
}

fn namespaces(wishes: &Namespaces) -> Vec<Namespace> {
    let pairs = [
        (NamespaceKind::Network, &wishes.network),
        (NamespaceKind::Uts, &wishes.uts),
        (NamespaceKind::Pid, &wishes.pid),
        (NamespaceKind::Ipc, &wishes.ipc),
        (NamespaceKind::Cgroup, &wishes.cgroup),
    ];
    let mut list = vec![Namespace { kind: NamespaceKind::Mount, path: None }];
    for (kind, space) in pairs {
        match space {
            Space::Own => list.push(Namespace { kind, path: None }),
            Space::Path(path) => list.push(Namespace { kind, path: Some(path.clone()) }),
            Space::Host => {}
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec_of(config: &Config, host: &HostConfig) -> Result<Spec, Error> {
        let user = User { home: "/".into(), ..User::default() };
        build(&Input {
            config,
            host,
            args: vec!["sh".into()],
            user: &user,
            mounts: &[],
            files: Path::new("/data/containers/ab"),
            init: host.init.unwrap_or(false).then_some(Path::new("/usr/bin/init")),
            cgroup_path: "/gantry/ab".into(),
            namespaces: Namespaces::default(),
            shm: Shm::Own(64 << 20),
            security: &SecurityOptions::default(),
            confinement: Confinement::Absent,
            seccomp: None,
            capabilities: vec!["CAP_CHOWN".into()],
            last_group: 65_535,
            linked: Vec::new(),
            is_step: false,
        })
    }

    #[test]
    fn a_plain_container() {
        let spec = spec_of(&Config::default(), &HostConfig::default()).unwrap();
        let process = spec.process.unwrap();
        assert_eq!(process.args, ["sh"]);
        assert_eq!(process.cwd, Path::new("/"));
        let linux = spec.linux.unwrap();
        assert_eq!(linux.namespaces.len(), 6);
        assert_eq!(linux.sysctl["net.ipv4.ip_unprivileged_port_start"], "0");
        assert_eq!(linux.sysctl["net.ipv4.ping_group_range"], "0 65535");
        assert_eq!(linux.resources.unwrap().devices, devices::default_rules());
        assert!(spec.hooks.is_none());
    }

    #[test]
    fn init_goes_before_the_command() {
        let host = HostConfig { init: Some(true), ..HostConfig::default() };
        let spec = spec_of(&Config::default(), &host).unwrap();
        assert_eq!(spec.process.unwrap().args, ["/sbin/docker-init", "--", "sh"]);
        assert!(
            spec.mounts.iter().any(|mount| mount.destination == Path::new("/sbin/docker-init"))
        );
    }

    #[test]
    fn cve_2022_0811_a_sysctl_is_one_key() {
        for key in
            ["kernel.shm_rmid_forced=1+kernel.core_pattern", "kernel/../../x", "a b", "", "a\nb"]
        {
            let sysctls = Some([(key.to_owned(), "1".to_owned())].into());
            let host = HostConfig { sysctls, ..HostConfig::default() };
            assert!(spec_of(&Config::default(), &host).is_err(), "{key}");
        }
    }

    #[test]
    fn go_2026_5758_labels_stay_data() {
        let labels = Some([("org.test/hook".to_owned(), "/bin/evil".to_owned())].into());
        let config = Config { labels, ..Config::default() };
        let spec = spec_of(&config, &HostConfig::default()).unwrap();
        assert!(spec.annotations.is_empty() && spec.hooks.is_none());
    }

    #[test]
    fn an_ordinary_user_starts_without_capabilities_in_effect() {
        let user = User { uid: 5, ..User::default() };
        let sets = capabilities_of(&user, vec!["CAP_CHOWN".into()]);
        assert!(sets.effective.is_empty() && sets.permitted.is_empty());
        assert_eq!(sets.bounding, ["CAP_CHOWN"]);
    }
}
