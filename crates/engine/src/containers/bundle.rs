//! What a monitor needs before it can start a container: its directory under the exec root with `config.json` and
//! `monitor.json`, the container's files, and the process itself.

use std::fs;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use network::files::{HostEntry, Resolver};
use network::{Interface, Wish};
use runtime::monitor::config as monitor;
use runtime::monitor::protocol::Connection;

use super::Shared;
use super::record::Record;
use super::spec::mounts::Shm;
use super::spec::security::{Seccomp, SecurityOptions};
use super::spec::{self, Namespaces, Space, capabilities, user};
use super::state::is_up;
use super::{dns, image_mounts, logging, shared_memory, validate, volumes};
use crate::error::{Error, Result, blocking};

/// Which namespaces come from elsewhere.
#[derive(Clone, Debug)]
pub struct Joins {
    pub namespaces: Namespaces,
    pub network: NetworkWish,
    /// Whose /dev/shm it has.
    pub shm: SharedMemory,
}

#[derive(Clone, Debug)]
pub enum SharedMemory {
    Own,
    Host,
    Absent,
    /// Its own, or that of the container whose IPC namespace it joins.
    Directory(PathBuf),
}

#[derive(Clone, Debug)]
pub enum NetworkWish {
    Host,
    /// The namespace of this process.
    Of(i32),
    Join(Vec<Wish>),
}

/// Looks up the containers and modes that the record names.
pub fn joins(shared: &Shared, record: &Record) -> Result<Joins> {
    let host = &record.host_config;
    let uts = if host.uts_mode == "host" { Space::Host } else { Space::Own };
    let cgroup = if host.cgroupns_mode == "private" { Space::Own } else { Space::Host };
    let (network, network_space) = network_wish(shared, record)?;
    let shm = shared_memory(shared, record)?;
    let namespaces = Namespaces {
        pid: space(shared, "pid", &host.pid_mode)?,
        ipc: space(shared, "ipc", &host.ipc_mode)?,
        uts,
        cgroup,
        network: network_space,
    };
    Ok(Joins { namespaces, network, shm })
}

fn shared_memory(shared: &Shared, record: &Record) -> Result<SharedMemory> {
    let directory =
        |id: &str| SharedMemory::Directory(shared_memory::place(&shared.exec_directory(id)));
    Ok(match record.host_config.ipc_mode.as_str() {
        "host" => SharedMemory::Host,
        "none" => SharedMemory::Absent,
        "shareable" => directory(&record.id),
        mode => match mode.strip_prefix("container:") {
            Some(other) => directory(&lender(shared, other)?.id),
            None => SharedMemory::Own,
        },
    })
}

fn lender(shared: &Shared, wanted: &str) -> Result<Arc<Record>> {
    let lender = shared.index.find(wanted)?.record();
    pid_of(&lender).ok_or_else(|| not_joined("ipc", &lender))?;
    if lender.host_config.ipc_mode == "shareable" {
        return Ok(lender);
    }
    Err(Error::invalid(format!(
        "failed to join IPC namespace: container {}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
        lender.id
    )))
}

/// Its own, the host's, or that of `container:ID`.
fn space(shared: &Shared, kind: &str, mode: &str) -> Result<Space> {
    if mode == "host" {
        return Ok(Space::Host);
    }
    let Some(other) = mode.strip_prefix("container:") else { return Ok(Space::Own) };
    let record = shared.index.find(other)?.record();
    let pid = pid_of(&record).ok_or_else(|| not_joined(kind, &record))?;
    Ok(Space::Path(format!("/proc/{pid}/ns/{kind}").into()))
}

fn network_wish(shared: &Shared, record: &Record) -> Result<(NetworkWish, Space)> {
    let mode = record.host_config.network_mode.as_str();
    if let Some(other) = record.network_of() {
        return Ok((NetworkWish::Of(network_pid(shared, other)?), Space::Own));
    }
    match mode {
        "host" => Ok((NetworkWish::Host, Space::Host)),
        _ => Ok((NetworkWish::Join(shared.wishes(record)?), Space::Own)),
    }
}

/// Docker's words, and kinds.
fn not_joined(kind: &str, other: &Record) -> Error {
    let (name, id) = (kind.to_uppercase(), &other.id);
    let said = format!("failed to join {name} namespace: container {id} is not running");
    if kind == "ipc" { Error::conflict(said) } else { Error::system(said) }
}

fn network_pid(shared: &Shared, wanted: &str) -> Result<i32> {
    let record = shared.index.find(wanted)?.record();
    pid_of(&record).ok_or_else(|| {
        let id = &record.id;
        Error::conflict(format!("cannot join network of a non running container: {id}"))
    })
}

/// None while it does not run.
fn pid_of(record: &Record) -> Option<i32> {
    (is_up(record.state.status) && record.state.pid > 0).then_some(record.state.pid)
}

/// Everything that is decided before the monitor exists.
pub struct Bundle {
    shared: Arc<Shared>,
    record: Record,
    joins: Joins,
    directory: PathBuf,
    pub cgroup_path: String,
}

impl Bundle {
    pub fn new(shared: &Arc<Shared>, record: &Record, joins: Joins) -> Result<Self> {
        Ok(Self {
            shared: Arc::clone(shared),
            record: record.clone(),
            joins,
            directory: shared.exec_directory(&record.id),
            cgroup_path: shared.cgroup_path(record),
        })
    }

    /// Writes the files; runs on a thread that may block.
    fn write(&self) -> Result<()> {
        let failed = |cause: io::Error| {
            Error::system(format!("cannot prepare {}", self.directory.display())).because(cause)
        };
        match shared_memory::remove_with(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        make_private(&self.directory).map_err(failed)?;
        make_private(&self.directory.join("exec")).map_err(failed)?;
        make_private(&self.directory.join("rootfs")).map_err(failed)?;
        let host = &self.record.host_config;
        if host.ipc_mode == "shareable" {
            shared_memory::make(&self.directory, host.shm_size).map_err(failed)?;
        }
        let overlay = self.shared.disk.overlay(&self.record)?;
        volumes::prepare(&self.shared, &self.record)?;
        let mut spec = self.spec()?;
        let devices = self.record.host_config.resources.device_requests.as_deref();
        let directories = &self.shared.config.cdi_spec_dirs;
        spec::cdi::inject(&mut spec, devices.unwrap_or_default(), directories)?;
        self.write_container_files().map_err(failed)?;
        let config = self.monitor_config(overlay)?;
        write_json(&self.directory.join("config.json"), &spec).map_err(failed)?;
        write_json(&self.directory.join("monitor.json"), &config).map_err(failed)
    }

    fn spec(&self) -> Result<oci::runtime::Spec> {
        let (config, host) = (&self.record.config, &self.record.host_config);
        let security = SecurityOptions::parse(host.security_opt.as_deref().unwrap_or_default())?;
        let user = self.user()?;
        let wishes = capabilities::Wishes::parse(
            host.cap_add.as_deref().unwrap_or_default(),
            host.cap_drop.as_deref().unwrap_or_default(),
        )?;
        let capabilities = wishes.set(host.privileged, self.shared.held_capabilities);
        let init = self.shared.init_program();
        let mounts = image_mounts::with_layers(&self.shared.disk, &self.record.mounts)?;
        let shm = match &self.joins.shm {
            SharedMemory::Own => Shm::Own(host.shm_size),
            SharedMemory::Host => Shm::Host,
            SharedMemory::Absent => Shm::Absent,
            SharedMemory::Directory(path) => Shm::Shared(path),
        };
        spec::build(&spec::Input {
            config,
            host,
            args: self.record.args.clone(),
            user: &user,
            mounts: &mounts,
            files: &self.record.files(&self.shared.config.data_root),
            init: host.init.unwrap_or(self.shared.config.init).then_some(init.as_path()),
            cgroup_path: self.cgroup_path.clone(),
            namespaces: self.joins.namespaces.clone(),
            shm,
            seccomp: seccomp(&security, host.privileged, &capabilities)?,
            security: &security,
            confinement: self.shared.confinement,
            capabilities,
            last_group: self.shared.host.last_group,
            linked: self.shared.link_variables(&self.record)?,
            is_step: self.record.is_step(),
        })
    }

    /// Reads passwd and group from the root before there is a container.
    fn user(&self) -> Result<user::User> {
        let root =
            self.shared.disk.read_only(&self.record.id)?.mount().map_err(|cause| {
                Error::system("cannot mount the container's root").because(cause)
            })?;
        let files = user::Files::read(root.as_fd());
        let group_add = self.record.host_config.group_add.as_deref().unwrap_or_default();
        user::resolve(&self.record.config.user, group_add, &files)
    }

    /// hostname and resolv.conf; hosts waits for the address. Written in place: they may be mounted somewhere.
    fn write_container_files(&self) -> io::Result<()> {
        let directory = self.record.files(&self.shared.config.data_root);
        let config = &self.record.config;
        fs::write(directory.join("hostname"), network::files::hostname(&config.hostname))?;
        let host = network::files::host_resolv_conf().unwrap_or_default();
        let resolver = match &self.joins.network {
            NetworkWish::Host => Resolver::Host,
            NetworkWish::Join(wishes) if self.shared.is_served(wishes) => Resolver::Engine,
            NetworkWish::Join(_) => Resolver::Private,
            NetworkWish::Of(_) => return self.copy_resolv_conf(&directory),
        };
        let options = dns::options(&self.shared.config, &self.record.host_config);
        let text = network::files::resolv_conf(&host, resolver, &options);
        fs::write(directory.join("resolv.conf"), text)
    }

    /// Who shares a network shares its name servers.
    fn copy_resolv_conf(&self, directory: &Path) -> io::Result<()> {
        let other = self.record.network_of().and_then(|id| self.shared.index.find(id).ok());
        let Some(other) = other else { return Err(io::ErrorKind::NotFound.into()) };
        let files = other.record().files(&self.shared.config.data_root);
        fs::write(directory.join("resolv.conf"), read_bounded(&files.join("resolv.conf"))?)
    }

    fn monitor_config(&self, overlay: sys::overlay::Overlay) -> Result<monitor::Config> {
        let config = &self.record.config;
        let log = logging::monitor_config(&self.record, &self.shared.config.data_root)?;
        if let Some(directory) = log.path.parent() {
            make_private(directory)
                .map_err(|cause| Error::system("cannot make the log's directory").because(cause))?;
        }
        let missing = || Error::system("the container's root has no writable layer");
        Ok(monitor::Config {
            id: self.record.id.clone(),
            rootfs: monitor::Rootfs::Overlay(monitor::Overlay {
                lower: overlay.lower,
                upper: overlay.upper.ok_or_else(missing)?,
                work: overlay.work.ok_or_else(missing)?,
                volatile: overlay.volatile,
            }),
            open_stdin: config.open_stdin,
            stdin_once: config.stdin_once,
            cgroup_driver: match self.shared.cgroup_driver {
                runtime::cgroup::Driver::Cgroupfs => monitor::CgroupDriver::Cgroupfs,
                runtime::cgroup::Driver::Systemd => monitor::CgroupDriver::Systemd,
            },
            log,
            runtime: self.shared.external_runtime(&self.record)?,
        })
    }
}

/// The filter: built in, given, or none.
fn seccomp(
    security: &SecurityOptions,
    privileged: bool,
    capabilities: &[String],
) -> Result<Option<oci::runtime::Seccomp>> {
    if privileged {
        return Ok(None);
    }
    let (arch, kernel) = (runtime::seccomp::Arch::NATIVE, kernel());
    let invalid = |cause: runtime::seccomp::Error| {
        Error::invalid("opening seccomp profile failed").because(cause)
    };
    match &security.seccomp {
        Seccomp::Unconfined => Ok(None),
        Seccomp::Builtin => {
            Ok(Some(runtime::seccomp::docker::default_profile(capabilities, arch, kernel)))
        }
        Seccomp::Profile(json) => {
            runtime::seccomp::docker::from_json(json, capabilities, arch, kernel)
                .map(Some)
                .map_err(invalid)
        }
    }
}

/// Rules of a profile may depend on it. A release that does not read is taken for an old one.
fn kernel() -> runtime::seccomp::docker::Kernel {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    runtime::seccomp::docker::parse_kernel(&release).unwrap_or((0, 0))
}

/// /etc/hosts, with the addresses of these interfaces. Written in place, as long as it may be mounted. Blocks.
pub fn write_hosts(shared: &Shared, record: &Record, interfaces: &[Interface]) -> Result<()> {
    let path = record.files(&shared.config.data_root).join("hosts");
    fs::write(path, hosts(shared, record, interfaces)?)
        .map_err(|cause| Error::system("cannot write the container's hosts").because(cause))
}

fn hosts(shared: &Shared, record: &Record, interfaces: &[Interface]) -> Result<String> {
    if let Some(other) = record.network_of() {
        let other = shared.index.find(other)?.record();
        let path = other.files(&shared.config.data_root).join("hosts");
        return read_bounded(&path).map_err(|cause| {
            Error::system("cannot read the other container's hosts").because(cause)
        });
    }
    // As in Docker that of the default bridge, whichever networks the container is on.
    let default = || shared.network.default_network().pools.iter().find_map(|pool| pool.gateway);
    let gateway = shared.config.host_gateway_ip.or_else(default);
    let gateway = gateway.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut extra = Vec::new();
    for entry in record.host_config.extra_hosts.iter().flatten() {
        let (name, ip) = validate::extra_host(entry)?;
        let ip = ip.parse().unwrap_or(gateway);
        extra.push(HostEntry { ip, names: name.to_owned() });
    }
    extra.extend(shared.link_entries(record)?);
    if record.is_step() {
        return Ok(network::files::with_hosts(&hosts_of_step(&record.config.hostname), &extra));
    }
    if record.host_config.network_mode == "host" {
        let text = fs::read_to_string("/etc/hosts").unwrap_or_default();
        return Ok(network::files::with_hosts(&text, &extra));
    }
    let own = interfaces.iter().flat_map(|interface| own_entries(record, interface));
    Ok(network::files::hosts(&extra, &own.collect::<Vec<_>>()))
}

/// As BuildKit has it: without an address of its own.
fn hosts_of_step(hostname: &str) -> String {
    format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n")
}

fn own_entries(record: &Record, interface: &Interface) -> Vec<HostEntry> {
    let config = &record.config;
    let entry = |ip| HostEntry::of_container(ip, &config.hostname, &config.domainname);
    interface.addresses().map(entry).collect()
}

/// What happens to the lines of one interface.
#[derive(Clone, Copy, Debug)]
pub enum HostsChange {
    Add,
    Remove,
}

/// /etc/hosts of a container that runs, and that may have written to it.
pub async fn change_hosts(
    shared: &Arc<Shared>,
    record: &Record,
    interface: Interface,
    change: HostsChange,
) -> Result<()> {
    let path = record.files(&shared.config.data_root).join("hosts");
    let entries = own_entries(record, &interface);
    blocking(move || {
        let changed = read_bounded(&path).and_then(|text| {
            let text = match change {
                HostsChange::Add => network::files::with_hosts(&text, &entries),
                HostsChange::Remove => network::files::without_hosts(&text, &entries),
            };
            fs::write(&path, text)
        });
        changed.map_err(|cause| Error::system("cannot change the container's hosts").because(cause))
    })
    .await
}

/// The same, where others that it links to have other addresses.
pub async fn replace_hosts(
    shared: &Arc<Shared>,
    record: &Record,
    entries: Vec<HostEntry>,
) -> Result<()> {
    let path = record.files(&shared.config.data_root).join("hosts");
    blocking(move || {
        let changed = read_bounded(&path).and_then(|text| {
            let replaced = network::files::replaced_hosts(&text, &entries);
            if replaced == text { Ok(()) } else { fs::write(&path, replaced) }
        });
        changed.map_err(|cause| Error::system("cannot change the container's hosts").because(cause))
    })
    .await
}

/// The other container writes to it as it likes.
fn read_bounded(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(user::MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A monitor that was spawned and has not yet been left to itself.
pub struct Monitor {
    child: Option<tokio::process::Child>,
    connection: Option<Connection>,
}

impl Monitor {
    /// The process starts while its files are written.
    pub async fn spawn(shared: &Arc<Shared>, bundle: Bundle) -> Result<Self> {
        let directory = bundle.directory.clone();
        let written = blocking(move || bundle.write());
        let monitor = Self::start(shared, &directory);
        // Also where there is no monitor: nothing of this attempt goes on behind its end.
        let written = written.await;
        let monitor = monitor?;
        match written.and_then(|()| monitor.begin()) {
            Ok(()) => Ok(monitor),
            Err(error) => {
                monitor.end();
                Err(error)
            }
        }
    }

    /// The process, which waits until it is told to begin.
    fn start(shared: &Shared, directory: &Path) -> Result<Self> {
        let (connection, theirs) = Connection::pair()
            .map_err(|cause| Error::system("cannot make a socket").because(cause))?;
        let mut command = tokio::process::Command::from(shared.runtime.command());
        command.arg("monitor").arg(directory).env_clear();
        command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|cause| Error::system("cannot start the monitor").because(cause))?;
        Ok(Self { child: Some(child), connection: Some(connection) })
    }

    fn begin(&self) -> Result<()> {
        let begun = self.connection.as_ref().map_or(Ok(()), Connection::begin);
        begun.map_err(|cause| Error::system("cannot start the monitor").because(cause))
    }

    /// The engine's end of its socket; given once.
    pub fn connection(&mut self) -> Result<Connection> {
        self.connection.take().ok_or_else(|| Error::system("the monitor's socket is in use"))
    }

    /// The container runs: from now on it is only waited for, so that it leaves no zombie.
    pub fn leave_running(mut self) {
        if let Some(mut child) = self.child.take() {
            tokio::spawn(async move { child.wait().await });
        }
    }

    /// Nothing came of it.
    pub fn end(mut self) {
        if let Some(mut child) = self.child.take() {
            tokio::spawn(async move {
                // Fails only if it ended already.
                let _ = child.kill().await;
            });
        }
    }
}

/// For engine directories: nobody else looks inside (CVE-2021-41091).
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> io::Result<()> {
    fs::write(path, serde_json::to_vec(value)?)
}
