//! The flags of `create` and `run`, and the request that comes of them.
//!
//! A flag is either honoured or refused by name with the reason; none is dropped in silence.

mod devices;
mod endpoints;
pub(in crate::commands) mod env;
mod gpus;
mod health;
mod later;
pub(in crate::commands) mod limits;
pub(in crate::commands) mod mounts;
mod network;
mod security;

use std::collections::BTreeMap;

use api::containers::{Config, CreateRequest, HostConfig, LogConfig};

pub(in crate::commands) use endpoints::check_link;
pub(super) use limits::restart_policy;
pub(super) use network::published_ports;

use crate::context::Context;
use crate::flags::{Flag, Parsed};

/// Flags that describe a container.
pub(super) const FLAGS: &[Flag] = &[
    Flag::list("add-host", "Add a custom host-to-IP mapping (host:ip)")
        .check(|text| network::extra_host(text).map(drop)),
    Flag::map(
        "annotation",
        "Add an annotation to the container (passed through to the OCI \
        runtime)",
    ),
    Flag::list("attach", "Attach to STDIN, STDOUT or STDERR").short('a').check(check_stream),
    Flag::string(
        "blkio-weight",
        "Block IO (relative weight), between 10 and 1000, or 0 to disable",
    )
    .type_name("uint16")
    .default("0")
    .check(limits::check_uint16),
    Flag::list("blkio-weight-device", "Block IO weight (relative device weight)")
        .default("[]")
        .check(devices::check_weight),
    Flag::list("cap-add", "Add Linux capabilities"),
    Flag::list("cap-drop", "Drop Linux capabilities"),
    Flag::string("cgroup-parent", "Optional parent cgroup for the container"),
    Flag::string(
        "cgroupns",
        "Cgroup namespace to use (host|private)
'host':    Run the container in the Gantry host's cgroup namespace
'private': Run the container in its own private cgroup namespace
'':        Use the cgroup namespace as configured by the
           default-cgroupns-mode option on the daemon (default)",
    ),
    Flag::string("cidfile", "Write the container ID to the file"),
    Flag::int("cpu-count", "CPU count (Windows only)").hidden(),
    Flag::int("cpu-percent", "CPU percent (Windows only)").hidden(),
    Flag::int("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
    Flag::int("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
    Flag::int("cpu-rt-period", "Limit CPU real-time period in microseconds"),
    Flag::int("cpu-rt-runtime", "Limit CPU real-time runtime in microseconds"),
    Flag::int("cpu-shares", "CPU shares (relative weight)").short('c'),
    Flag::string("cpus", "Number of CPUs").type_name("decimal").check(limits::check_cpus),
    Flag::string("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    Flag::string("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    Flag::list("device", "Add a host device to the container"),
    Flag::list("device-cgroup-rule", "Add a rule to the cgroup allowed devices list")
        .check(devices::check_rule),
    Flag::list("device-read-bps", "Limit read rate (bytes per second) from a device")
        .default("[]")
        .check(devices::check_bps),
    Flag::list("device-read-iops", "Limit read rate (IO per second) from a device")
        .default("[]")
        .check(devices::check_iops),
    Flag::list("device-write-bps", "Limit write rate (bytes per second) to a device")
        .default("[]")
        .check(devices::check_bps),
    Flag::list("device-write-iops", "Limit write rate (IO per second) to a device")
        .default("[]")
        .check(devices::check_iops),
    Flag::list("dns", "Set custom DNS servers").check(network::check_ip),
    Flag::list("dns-opt", "DNS options").hidden(),
    Flag::list("dns-option", "Set DNS options"),
    Flag::list("dns-search", "Set custom DNS search domains").check(network::check_search_domain),
    Flag::string("domainname", "Container NIS domain name"),
    Flag::string("entrypoint", "Overwrite the default ENTRYPOINT of the image"),
    Flag::list("env", "Set environment variables").short('e').check(env::check),
    Flag::list("env-file", "Read in a file of environment variables"),
    Flag::list("expose", "Expose a port or a range of ports"),
    Flag::list("gpus", "GPU devices to add to the container ('all' to pass all GPUs)")
        .type_name("gpu-request")
        .check(gpus::check),
    Flag::list("group-add", "Add additional groups to join"),
    Flag::string("health-cmd", "Command to run to check health"),
    Flag::duration("health-interval", "Time between running the check (ms|s|m|h)"),
    Flag::string(
        "health-on-failure",
        "What to do when checks have failed (none|kill|restart|stop|exec:COMMAND)",
    ),
    Flag::int("health-retries", "Consecutive failures needed to report unhealthy"),
    Flag::duration(
        "health-start-interval",
        "Time between running the check during the start period (ms|s|m|h)",
    ),
    Flag::duration(
        "health-start-period",
        "Start period for the container to initialize before starting \
        health-retries countdown (ms|s|m|h)",
    ),
    Flag::duration("health-timeout", "Maximum time to allow one check to run (ms|s|m|h)"),
    Flag::string("hostname", "Container host name").short('h'),
    Flag::bool(
        "init",
        "Run an init inside the container that forwards signals and reaps \
        processes",
    ),
    Flag::bool("interactive", "Keep STDIN open even if not attached").short('i'),
    Flag::int("io-maxbandwidth", "IO bandwidth limit (Windows only)").hidden(),
    Flag::int("io-maxiops", "IO limit (Windows only)").hidden(),
    Flag::string("ip", "IPv4 address (e.g., 172.30.100.104)"),
    Flag::string("ip6", "IPv6 address (e.g., 2001:db8::33)"),
    Flag::string("ipc", "IPC mode to use"),
    Flag::string("isolation", "Container isolation technology"),
    Flag::bytes("kernel-memory", "Kernel memory limit"),
    Flag::list("label", "Set meta data on a container").short('l').check(env::check_label),
    Flag::list("label-file", "Read in a line delimited file of labels"),
    Flag::list("link", "Add link to another container").check(endpoints::check_link),
    Flag::list("link-local-ip", "Container IPv4/IPv6 link-local addresses"),
    Flag::string("log-driver", "Logging driver for the container"),
    Flag::list("log-opt", "Log driver options"),
    Flag::string("mac-address", "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
    Flag::bytes("memory", "Memory limit").short('m'),
    Flag::bytes("memory-reservation", "Memory soft limit"),
    Flag::bytes_or_unlimited(
        "memory-swap",
        "Swap limit equal to memory plus swap: '-1' to enable unlimited \
        swap",
    ),
    Flag::int("memory-swappiness", "Tune container memory swappiness (0 to 100)").default("-1"),
    Flag::list("mount", "Attach a filesystem mount to the container")
        .type_name("mount")
        .check(mounts::check),
    Flag::list("net", "Network to connect to").check(endpoints::check).hidden(),
    Flag::list("net-alias", "Name within the network").hidden(),
    Flag::list("network", "Connect a container to a network")
        .type_name("network")
        .check(endpoints::check),
    Flag::list("network-alias", "Add network-scoped alias for the container"),
    Flag::bool("no-healthcheck", "Disable any container-specified HEALTHCHECK"),
    Flag::bool("oom-kill-disable", "Disable OOM Killer"),
    Flag::int("oom-score-adj", "Tune host's OOM preferences (-1000 to 1000)"),
    Flag::string("pid", "PID namespace to use"),
    Flag::int("pids-limit", "Tune container pids limit (set -1 for unlimited)"),
    Flag::bool("privileged", "Give extended privileges to this container"),
    Flag::list("publish", "Publish a container's port(s) to the host").short('p'),
    Flag::bool("publish-all", "Publish all exposed ports to random ports").short('P'),
    Flag::bool("read-only", "Mount the container's root filesystem as read only"),
    Flag::string("restart", "Restart policy to apply when a container exits").default("no"),
    Flag::bool("rm", "Automatically remove the container when it exits"),
    Flag::string("runtime", "Runtime to use for this container"),
    Flag::list("security-opt", "Security Options"),
    Flag::bytes("shm-size", "Size of /dev/shm"),
    Flag::string("stop-signal", "Signal to stop the container"),
    Flag::int("stop-timeout", "Timeout (in seconds) to stop a container"),
    Flag::list("storage-opt", "Storage driver options for the container"),
    Flag::map("sysctl", "Sysctl options").check(limits::check_sysctl),
    Flag::list("tmpfs", "Mount a tmpfs directory"),
    Flag::bool("tty", "Allocate a pseudo-TTY").short('t'),
    Flag::list("ulimit", "Ulimit options")
        .type_name("ulimit")
        .default("[]")
        .check(limits::check_ulimit),
    Flag::bool("use-api-socket", "Give it the engine's socket").hidden(),
    Flag::string("user", "Username or UID (format: <name|uid>[:<group|gid>])").short('u'),
    Flag::string("userns", "User namespace to use"),
    Flag::string("uts", "UTS namespace to use"),
    Flag::list("volume", "Bind mount a volume").short('v'),
    Flag::string("volume-driver", "Optional volume driver for the container"),
    Flag::list("volumes-from", "Mount volumes from the specified container(s)"),
    Flag::string("workdir", "Working directory inside the container").short('w'),
];

fn check_stream(text: &str) -> Result<(), String> {
    match text.to_lowercase().as_str() {
        "stdin" | "stdout" | "stderr" => Ok(()),
        _ => Err("valid streams are STDIN, STDOUT and STDERR".to_owned()),
    }
}

/// A container as asked for.
pub(super) struct Options {
    pub(super) request: CreateRequest,
}

impl Options {
    /// `IMAGE [COMMAND] [ARG...]` are the arguments.
    pub(super) fn parse(parsed: &Parsed) -> Result<Self, String> {
        later::refuse(parsed)?;
        let networks = endpoints::networks(parsed)?;
        let mut host = host_config(parsed)?;
        host.network_mode = networks.mode;
        host.links = networks.links;
        let request = CreateRequest {
            config: config(parsed)?,
            host_config: Some(host),
            networking_config: networks.config,
        };
        if request
            .host_config
            .as_ref()
            .is_some_and(|host| host.auto_remove && restarts(&host.restart_policy.name))
        {
            return Err("Conflicting options: --restart and --rm".to_owned());
        }
        Ok(Self { request })
    }

    /// The config file's proxies for that host, as variables.
    pub(super) fn add_proxies(&mut self, context: &Context) {
        let config = context.config();
        if !config.proxies.is_empty() {
            let env = self.request.config.env.get_or_insert_default();
            config.add_proxies(&context.host_text(), env);
        }
    }

    /// Nobody will be there to read or write its streams.
    pub(super) fn detach(&mut self) {
        let config = &mut self.request.config;
        config.attach_stdin = false;
        config.attach_stdout = false;
        config.attach_stderr = false;
        config.stdin_once = false;
    }

    pub(super) fn auto_remove(&self) -> bool {
        self.request.host_config.as_ref().is_some_and(|host| host.auto_remove)
    }
}

fn restarts(policy: &str) -> bool {
    !matches!(policy, "" | "no")
}

fn config(parsed: &Parsed) -> Result<Config, String> {
    let streams: Vec<String> = parsed.list("attach").iter().map(|s| s.to_lowercase()).collect();
    let attached = |name: &str| streams.iter().any(|stream| stream == name);
    let open_stdin = parsed.bool("interactive");
    let attach_stdin = open_stdin || attached("stdin");
    Ok(Config {
        hostname: parsed.string("hostname"),
        domainname: parsed.string("domainname"),
        user: parsed.string("user"),
        attach_stdin,
        attach_stdout: streams.is_empty() || attached("stdout"),
        attach_stderr: streams.is_empty() || attached("stderr"),
        exposed_ports: Some(exposed_ports(parsed)?),
        tty: parsed.bool("tty"),
        open_stdin,
        stdin_once: open_stdin && attach_stdin,
        env: Some(env::collect(&parsed.list("env-file"), &parsed.list("env"))?),
        cmd: Some(parsed.args[1..].to_vec()).filter(|words| !words.is_empty()).map(Into::into),
        healthcheck: health::check(parsed)?,
        image: parsed.arg(0).to_owned(),
        volumes: Some(
            mounts::volumes(&parsed.list("volume"))?
                .anonymous
                .into_iter()
                .map(|target| (target, api::Empty {}))
                .collect(),
        ),
        working_dir: parsed.string("workdir"),
        // An empty entrypoint given is one taken away.
        entrypoint: parsed.is_set("entrypoint").then(|| vec![parsed.string("entrypoint")].into()),
        labels: Some(env::labels(&parsed.list("label-file"), &parsed.list("label"))?),
        stop_signal: parsed.string("stop-signal"),
        stop_timeout: parsed.int_if_set("stop-timeout"),
        ..Config::default()
    })
}

/// Those that are published, and those that are only exposed.
fn exposed_ports(parsed: &Parsed) -> Result<BTreeMap<String, api::Empty>, String> {
    let published = network::published_ports(&parsed.list("publish"))?;
    let mut exposed = network::exposed_ports(&parsed.list("expose"))?;
    exposed.extend(published.into_keys().map(|key| (key, api::Empty {})));
    Ok(exposed)
}

fn host_config(parsed: &Parsed) -> Result<HostConfig, String> {
    let security = security::options(&parsed.list("security-opt"))?;
    let binds = mounts::volumes(&parsed.list("volume"))?.binds;
    let tmpfs = mounts::tmpfs(&parsed.list("tmpfs"));
    let dns_options = [parsed.list("dns-opt"), parsed.list("dns-option")].concat();
    Ok(HostConfig {
        binds: Some(binds).filter(|binds| !binds.is_empty()),
        container_id_file: parsed.string("cidfile"),
        log_config: LogConfig {
            driver: parsed.string("log-driver"),
            config: Some(log_options(parsed)?),
        },
        port_bindings: Some(network::published_ports(&parsed.list("publish"))?),
        publish_all_ports: parsed.bool("publish-all"),
        restart_policy: restart_policy(parsed.str("restart"))?,
        auto_remove: parsed.bool("rm"),
        annotations: Some(pairs(&parsed.list("annotation"))),
        cap_add: non_empty(parsed.list("cap-add")),
        cap_drop: non_empty(parsed.list("cap-drop")),
        cgroupns_mode: limits::namespace(parsed, "cgroupns", "CGROUP", &["host", "private"])?,
        dns: Some(parsed.list("dns")),
        dns_options: Some(dns_options),
        dns_search: Some(parsed.list("dns-search")),
        extra_hosts: non_empty(
            parsed
                .list("add-host")
                .iter()
                .map(|text| network::extra_host(text))
                .collect::<Result<_, _>>()?,
        ),
        group_add: non_empty(parsed.list("group-add")),
        ipc_mode: parsed.string("ipc"),
        oom_score_adj: parsed.int("oom-score-adj"),
        pid_mode: limits::namespace(parsed, "pid", "PID", &["host", "container:"])?,
        privileged: parsed.bool("privileged"),
        readonly_rootfs: parsed.bool("read-only"),
        security_opt: parsed.is_set("security-opt").then_some(security.options),
        storage_opt: Some(storage_options(&parsed.list("storage-opt"))?),
        tmpfs: Some(tmpfs),
        uts_mode: limits::namespace(parsed, "uts", "UTS", &["host"])?,
        userns_mode: limits::namespace(parsed, "userns", "USER", &["host"])?,
        shm_size: limits::size(parsed, "shm-size")?,
        sysctls: Some(pairs(&parsed.list("sysctl"))),
        runtime: parsed.string("runtime"),
        volume_driver: parsed.string("volume-driver"),
        volumes_from: non_empty(parsed.list("volumes-from")),
        isolation: parsed.string("isolation"),
        health_on_failure: parsed.string("health-on-failure"),
        resources: limits::resources(parsed)?,
        mounts: Some(mounts::mounts(&parsed.list("mount"))?),
        masked_paths: security.unconfined_paths.then(Vec::new),
        readonly_paths: security.unconfined_paths.then(Vec::new),
        init: parsed.is_set("init").then(|| parsed.bool("init")),
        ..HostConfig::default()
    })
}

fn log_options(parsed: &Parsed) -> Result<BTreeMap<String, String>, String> {
    let options = pairs(&parsed.list("log-opt"));
    if parsed.str("log-driver") == "none" && !options.is_empty() {
        return Err("invalid logging opts for driver none".to_owned());
    }
    Ok(options)
}

fn storage_options(words: &[String]) -> Result<BTreeMap<String, String>, String> {
    if words.iter().any(|word| !word.contains('=')) {
        return Err("invalid storage option".to_owned());
    }
    Ok(pairs(words))
}

fn non_empty(list: Vec<String>) -> Option<Vec<String>> {
    Some(list).filter(|list| !list.is_empty())
}

/// `key=value` words as a map; a word without `=` has an empty value.
fn pairs(words: &[String]) -> BTreeMap<String, String> {
    let split = |word: &String| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key.to_owned(), value.to_owned())
    };
    words.iter().map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{self, Interspersed};

    fn options(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&flags::parse(&[FLAGS], &words, Interspersed::No)?)
    }

    fn host(line: &str) -> HostConfig {
        options(line).unwrap().request.host_config.unwrap()
    }

    #[test]
    fn the_command_is_everything_after_the_image() {
        let config = options("-it --rm busybox ls -l --rm").unwrap().request.config;
        assert_eq!(config.image, "busybox");
        assert_eq!(config.cmd.unwrap().0, ["ls", "-l", "--rm"]);
        assert!(config.tty && config.open_stdin && config.stdin_once && config.attach_stdout);
    }

    #[test]
    fn streams_are_attached_as_asked() {
        let config = options("-a stderr busybox").unwrap().request.config;
        assert!(config.attach_stderr && !config.attach_stdout && !config.attach_stdin);
        assert!(options("-a nothing busybox").is_err());
    }

    /// Every flag of `docker create` (26, and what came up to 29), with a value that says something.
    const OF_DOCKER: &[(&str, &str)] = &[
        ("add-host", "a:10.0.0.1"),
        ("annotation", "a=b"),
        ("attach", "stderr"),
        ("blkio-weight", "100"),
        ("blkio-weight-device", "/dev/null:100"),
        ("cap-add", "SYS_TIME"),
        ("cap-drop", "CHOWN"),
        ("cgroup-parent", "x"),
        ("cgroupns", "private"),
        ("cidfile", "/tmp/x"),
        ("cpu-count", "1"),
        ("cpu-percent", "1"),
        ("cpu-period", "1000"),
        ("cpu-quota", "1000"),
        ("cpu-rt-period", "1000"),
        ("cpu-rt-runtime", "1000"),
        ("cpu-shares", "1"),
        ("cpus", "1"),
        ("cpuset-cpus", "0"),
        ("cpuset-mems", "0"),
        ("device", "/dev/null"),
        ("device-cgroup-rule", "c 1:3 r"),
        ("device-read-bps", "/dev/null:1"),
        ("device-read-iops", "/dev/null:1"),
        ("device-write-bps", "/dev/null:1"),
        ("device-write-iops", "/dev/null:1"),
        ("dns", "10.0.0.1"),
        ("dns-opt", "x"),
        ("dns-option", "x"),
        ("dns-search", "x"),
        ("domainname", "x"),
        ("entrypoint", "x"),
        ("env", "A=1"),
        ("env-file", "/etc/os-release"),
        ("expose", "80"),
        ("gpus", "all"),
        ("group-add", "x"),
        ("health-cmd", "x"),
        ("health-interval", "1s"),
        ("health-retries", "1"),
        ("health-start-interval", "1s"),
        ("health-start-period", "1s"),
        ("health-timeout", "1s"),
        ("hostname", "x"),
        ("init", "true"),
        ("interactive", "true"),
        ("io-maxbandwidth", "1"),
        ("io-maxiops", "1"),
        ("ip", "10.0.0.1"),
        ("ip6", "fd00::1"),
        ("ipc", "host"),
        ("isolation", "default"),
        ("kernel-memory", "1m"),
        ("label", "x"),
        ("label-file", "/etc/os-release"),
        ("link", "x"),
        ("link-local-ip", "169.254.1.1"),
        ("log-driver", "none"),
        ("log-opt", "a=b"),
        ("mac-address", "02:00:00:00:00:01"),
        ("memory", "64m"),
        ("memory-reservation", "64m"),
        ("memory-swap", "-1"),
        ("memory-swappiness", "1"),
        ("mount", "type=tmpfs,dst=/x"),
        ("net", "host"),
        ("net-alias", "x"),
        ("network", "host"),
        ("network-alias", "x"),
        ("no-healthcheck", "true"),
        ("oom-kill-disable", "true"),
        ("oom-score-adj", "1"),
        ("pid", "host"),
        ("pids-limit", "1"),
        ("privileged", "true"),
        ("publish", "80"),
        ("publish-all", "true"),
        ("read-only", "true"),
        ("restart", "always"),
        ("rm", "true"),
        ("runtime", "x"),
        ("security-opt", "no-new-privileges"),
        ("shm-size", "1m"),
        ("stop-signal", "HUP"),
        ("stop-timeout", "1"),
        ("storage-opt", "size=1m"),
        ("sysctl", "net.x=1"),
        ("tmpfs", "/x"),
        ("tty", "true"),
        ("ulimit", "nofile=1"),
        ("use-api-socket", "true"),
        ("user", "x"),
        ("userns", "host"),
        ("uts", "host"),
        ("volume", "/tmp:/x"),
        ("volume-driver", "x"),
        ("volumes-from", "x"),
        ("workdir", "/x"),
    ];
    /// Those that concern the making of a container, not the container; create.rs reads them.
    const OF_DOCKERS_COMMAND: [&str; 4] = ["disable-content-trust", "name", "platform", "quiet"];
    const OURS: [&str; 1] = ["health-on-failure"];

    #[test]
    fn every_flag_of_docker_reaches_the_request_or_is_refused_by_name() {
        let plain = options("busybox").unwrap().request;
        for (flag, value) in OF_DOCKER {
            let words = vec![format!("--{flag}={value}"), "busybox".to_owned()];
            let parsed = flags::parse(&[FLAGS], &words, Interspersed::No);
            let parsed = parsed.unwrap_or_else(|error| panic!("--{flag}: {error}"));
            match Options::parse(&parsed) {
                Ok(options) => assert!(options.request != plain, "--{flag} is ignored"),
                Err(error) => assert!(
                    error.starts_with(&format!("--{flag}: ")) || error.contains("user-defined"),
                    "{error}"
                ),
            }
        }
    }

    #[test]
    fn there_are_no_other_flags() {
        for flag in FLAGS.iter().filter(|flag| !OURS.contains(&flag.long)) {
            let known = OF_DOCKER.iter().any(|(name, _)| *name == flag.long);
            assert!(known, "--{} is in no list", flag.long);
        }
        let here = super::super::create::CREATE_FLAGS.iter().map(|flag| flag.long);
        assert_eq!(here.collect::<Vec<_>>(), OF_DOCKERS_COMMAND);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        let error = options("--use-api-socket busybox").err().unwrap_or_default();
        assert!(error.contains("come"), "{error}");
    }

    #[test]
    fn limits_reach_the_request() {
        let host =
            host("-m 64m --cpus 1.5 --pids-limit 9 --ulimit nofile=10:20 --memory-swap -1 x");
        let resources = host.resources;
        assert_eq!((resources.memory, resources.nano_cpus), (64 << 20, 1_500_000_000));
        assert_eq!((resources.pids_limit, resources.memory_swap), (Some(9), -1));
        let ulimits = resources.ulimits.unwrap();
        assert_eq!((ulimits[0].soft, ulimits[0].hard), (10, 20));
    }

    #[test]
    fn restart_and_rm_exclude_each_other() {
        assert!(options("--rm --restart always x").is_err());
        assert!(options("--rm --restart no x").is_ok());
    }
}
