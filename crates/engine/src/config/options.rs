//! Every option of dockerd 26, by flag and by the file's key, and what becomes of it here: the help, the parser and the
//! file's check all read these tables.

use serde_json::Value;

/// What a flag's value is and how repetitions add up.
#[derive(Clone, Copy, PartialEq)]
pub enum Takes {
    /// `--x` or `--x=false`.
    Switch,
    Text,
    Integer,
    Size,
    Ip,
    /// Further ones add up.
    List,
    Ips,
    Hosts,
    Labels,
    Mirrors,
    /// `key=value`, into an object.
    Pairs,
    Ulimits,
    Runtimes,
    AddressPools,
    /// `driver=key=value`, into an object of objects.
    NetworkOptions,
    /// A value that only the file can have.
    Json,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Meaning {
    Works,
    /// Taken, because it says what is so anyway or asks for what this engine has no use for: why.
    Nothing(&'static str),
    /// Refused unless it is empty or off: what brings it.
    Later(&'static str),
}

pub struct Opt {
    /// Empty for what only the file has.
    pub flag: &'static str,
    pub short: Option<char>,
    /// In the file.
    pub key: &'static str,
    pub takes: Takes,
    pub help: &'static str,
    pub meaning: Meaning,
}

macro_rules! options {
    ($($flag:literal $(/ $short:literal)? => $key:literal $takes:ident $meaning:ident $(($why:literal))? : $help:literal;)*) => {
        pub const OPTIONS: &[Opt] = &[$(Opt {
            flag: $flag,
            short: options!(@short $($short)?),
            key: $key,
            takes: Takes::$takes,
            help: $help,
            meaning: Meaning::$meaning $(($why))?,
        }),*];
    };
    (@short) => { None };
    (@short $short:literal) => { Some($short) };
}

options! {
    "add-runtime" => "runtimes" Runtimes Works: "Register an additional OCI compatible runtime";
    "allow-nondistributable-artifacts" => "allow-nondistributable-artifacts" List Nothing("nothing is kept from being pushed"): "Allow push of nondistributable artifacts to registry";
    "api-cors-header" => "api-cors-header" Text Later("nothing: web pages have no business at this API"): "Set CORS headers in the Engine API";
    "audit-log" => "audit-log" Text Works: "Write who changed what to this file, a JSON line each";
    "authorization-plugin" => "authorization-plugins" List Works: "Authorization plugins to load";
    "bip" => "bip" Text Works: "Specify network bridge IP";
    "bridge" / 'b' => "bridge" Text Works: "Attach containers to a network bridge";
    "cdi-spec-dir" => "cdi-spec-dirs" List Works: "CDI specification directories to use";
    "cgroup-parent" => "cgroup-parent" Text Works: "Set parent cgroup for all containers";
    "containerd" => "containerd" Text Nothing("there is no containerd"): "containerd grpc address";
    "containerd-namespace" => "containerd-namespace" Text Nothing("there is no containerd"): "Containerd namespace to use";
    "containerd-plugins-namespace" => "containerd-plugins-namespace" Text Nothing("there is no containerd"): "Containerd namespace to use for plugins";
    "cpu-rt-period" => "cpu-rt-period" Integer Later("real-time scheduling of all containers"): "Limit the CPU real-time period in microseconds for the parent cgroup for all containers";
    "cpu-rt-runtime" => "cpu-rt-runtime" Integer Later("real-time scheduling of all containers"): "Limit the CPU real-time runtime in microseconds for the parent cgroup for all containers";
    "cri-containerd" => "cri-containerd" Switch Later("the kubelet's interface"): "start containerd with cri";
    "data-root" => "data-root" Text Works: "Root directory of persistent state (default \"/var/lib/gantry\")";
    "debug" / 'D' => "debug" Switch Works: "Enable debug mode";
    "default-address-pool" => "default-address-pools" AddressPools Works: "Default address pools for node specific local networks";
    "default-cgroupns-mode" => "default-cgroupns-mode" Text Works: "Default mode for containers cgroup namespace (\"host\" | \"private\")";
    "default-gateway" => "default-gateway" Ip Works: "Container default gateway IPv4 address";
    "default-gateway-v6" => "default-gateway-v6" Ip Works: "Container default gateway IPv6 address";
    "default-ipc-mode" => "default-ipc-mode" Text Works: "Default mode for containers ipc (\"shareable\" | \"private\") (default \"private\")";
    "default-network-opt" => "default-network-opts" NetworkOptions Works: "Default network options";
    "default-runtime" => "default-runtime" Text Works: "Default OCI runtime for containers (default \"runc\")";
    "default-shm-size" => "default-shm-size" Size Works: "Default shm size for containers (default 64MiB)";
    "default-ulimit" => "default-ulimits" Ulimits Works: "Default ulimits for containers";
    "" => "deprecated-key-path" Text Nothing("the engine's id is not a key"): "";
    "dns" => "dns" Ips Works: "DNS server to use";
    "dns-opt" => "dns-opts" List Works: "DNS options to use";
    "dns-search" => "dns-search" List Works: "DNS search domains to use";
    "exec-opt" => "exec-opts" List Works: "Runtime execution options (native.cgroupdriver)";
    "exec-root" => "exec-root" Text Works: "Root directory for execution state files (default \"/run/gantry\")";
    "experimental" => "experimental" Switch Works: "Enable experimental features";
    "" => "builder" Json Works: "";
    "" => "features" Json Works: "";
    "fixed-cidr" => "fixed-cidr" Text Works: "IPv4 subnet for fixed IPs";
    "fixed-cidr-v6" => "fixed-cidr-v6" Text Works: "IPv6 subnet for fixed IPs";
    "group" / 'G' => "group" Text Works: "Group for the unix socket (default \"gantry\", if there is one)";
    "host" / 'H' => "hosts" Hosts Works: "Daemon socket(s) to connect to (unix://PATH, tcp://IP:PORT, fd://)";
    "host-gateway-ip" => "host-gateway-ip" Ip Works: "IP address that the special 'host-gateway' string in --add-host resolves to";
    "http-proxy" => "http-proxy" Text Works: "HTTP proxy URL to use for outgoing traffic";
    "https-proxy" => "https-proxy" Text Works: "HTTPS proxy URL to use for outgoing traffic";
    "icc" => "icc" Switch Works: "Enable inter-container communication (default true)";
    "init" => "init" Switch Works: "Run an init in the container to forward signals and reap processes";
    "init-path" => "init-path" Text Nothing("the init of --init is the engine's own"): "Path to the docker-init binary";
    "insecure-registry" => "insecure-registries" List Works: "Enable insecure registry communication";
    "ip" => "ip" Ip Works: "Default IP when binding container ports";
    "ip-forward" => "ip-forward" Switch Works: "Enable net.ipv4.ip_forward (default true)";
    "ip-masq" => "ip-masq" Switch Works: "Enable IP masquerading (default true)";
    "ip6tables" => "ip6tables" Switch Nothing("the firewall's rules are nftables', for both families"): "Enable addition of ip6tables rules (experimental)";
    "iptables" => "iptables" Switch Works: "Enable addition of iptables rules (default true)";
    "ipv6" => "ipv6" Switch Works: "Enable IPv6 networking";
    "label" => "labels" Labels Works: "Set key=value labels to the daemon";
    "live-restore" => "live-restore" Switch Nothing("containers always outlive the engine"): "Enable live restore of docker when containers are still running";
    "log-driver" => "log-driver" Text Works: "Default driver for container logs (default \"json-file\")";
    "log-format" => "log-format" Text Works: "Set the logging format (\"text\"|\"json\") (default \"text\")";
    "log-level" / 'l' => "log-level" Text Works: "Set the logging level (\"debug\"|\"info\"|\"warn\"|\"error\"|\"fatal\") (default \"info\")";
    "log-opt" => "log-opts" Pairs Works: "Default log driver options for containers";
    "max-concurrent-downloads" => "max-concurrent-downloads" Integer Works: "Set the max concurrent downloads (default 3)";
    "max-concurrent-uploads" => "max-concurrent-uploads" Integer Works: "Set the max concurrent uploads (default 5)";
    "max-download-attempts" => "max-download-attempts" Integer Works: "Set the max download attempts for each pull (default 5)";
    "metrics-addr" => "metrics-addr" Text Works: "Set default address and port to serve the metrics api on";
    "mtu" => "mtu" Integer Works: "Set the MTU for the default \"bridge\" network (default 1500)";
    "network-control-plane-mtu" => "network-control-plane-mtu" Integer Nothing("there is no swarm"): "Network Control plane MTU (default 1500)";
    "no-new-privileges" => "no-new-privileges" Switch Works: "Set no-new-privileges by default for new containers";
    "no-proxy" => "no-proxy" Text Works: "Comma-separated list of hosts or IP addresses for which the proxy is skipped";
    "node-generic-resource" => "node-generic-resources" List Later("swarm"): "Advertise user-defined resource";
    "pidfile" / 'p' => "pidfile" Text Works: "Path to use for daemon PID file (default \"<exec-root>/gantry.pid\")";
    "publish-default-bind" => "publish.default_bind" Ip Works: "Address that ports are published on unless one is given (goes before --ip)";
    "publish-mode" => "publish.mode" Text Works: "Who leads clients to published ports (\"firewall\" | \"host-policy\": sockets that the host's input policy protects) (default \"firewall\")";
    "raw-logs" => "raw-logs" Switch Nothing("the log has no colours and whole timestamps"): "Full timestamps without ANSI coloring";
    "registry-mirror" => "registry-mirrors" Mirrors Works: "Preferred registry mirror";
    "rootless" => "rootless" Switch Nothing("the engine of an ordinary user is one without being told"): "Enable rootless mode; typically used with RootlessKit";
    "seccomp-profile" => "seccomp-profile" Text Works: "Path to seccomp profile. Set to \"unconfined\" to disable the default seccomp profile (default \"builtin\")";
    "selinux-enabled" => "selinux-enabled" Switch Later("labels of all containers"): "Enable selinux support";
    "shutdown-timeout" => "shutdown-timeout" Integer Works: "Set the default shutdown timeout (default 15)";
    "storage-driver" / 's' => "storage-driver" Text Works: "Storage driver to use (only \"overlay2\")";
    "storage-opt" => "storage-opts" List Works: "Storage driver options";
    "swarm-default-advertise-addr" => "swarm-default-advertise-addr" Text Nothing("there is no swarm"): "Set default address or interface for swarm advertised address";
    "tls" => "tls" Switch Works: "Use TLS; implied by --tlsverify";
    "tlscacert" => "tlscacert" Text Works: "Trust certs signed only by this CA";
    "tlscert" => "tlscert" Text Works: "Path to TLS certificate file";
    "tlskey" => "tlskey" Text Works: "Path to TLS key file";
    "tlsverify" => "tlsverify" Switch Works: "Use TLS and verify the remote";
    "userland-proxy" => "userland-proxy" Switch Nothing("ports are published without a process"): "Use userland proxy for loopback traffic";
    "userland-proxy-path" => "userland-proxy-path" Text Nothing("ports are published without a process"): "Path to the userland proxy binary";
    "userns-remap" => "userns-remap" Text Later("user namespaces"): "User/Group setting for user namespaces";
}

/// The option of one of the file's keys.
pub fn find(key: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|option| option.key == key)
}

impl Opt {
    /// Given in the file and by flags, both count.
    pub fn adds_up(&self) -> bool {
        self.takes == Takes::Runtimes
    }

    /// Checks a value of the file's that nothing else reads, in the words of Go's decoder.
    pub fn check_type(&self, value: &Value) -> Result<(), String> {
        let (fits, wanted) = match self.takes {
            Takes::Switch => (value.is_boolean(), "bool"),
            Takes::Integer => (value.is_i64(), "int"),
            Takes::Text | Takes::Size | Takes::Ip => (value.is_string(), "string"),
            Takes::Json => (value.is_object(), "map[string]interface {}"),
            _ => (value.is_array() || value.is_object(), "[]string"),
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let place =
            format!("json: cannot unmarshal {kind} into Go struct field Config.{}", self.key);
        if fits { Ok(()) } else { Err(format!("{place} of type {wanted}")) }
    }

    /// Refuses a value that asks for what cannot be had, and says what brings it.
    pub fn refuse(&self, value: &Value) -> Result<(), String> {
        match self.meaning {
            Meaning::Later(what) if !is_empty(value) => {
                Err(format!("{} is not supported: it comes with {what}", self.key))
            }
            _ => Ok(()),
        }
    }

    /// As the help and messages show it: `-D, --debug`.
    pub fn shown(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.flag),
            None => format!("--{}", self.flag),
        }
    }

    /// What pflag calls the value; empty for a switch.
    fn value_name(&self) -> &'static str {
        match self.takes {
            Takes::Switch => "",
            Takes::Integer => "int",
            Takes::Size => "bytes",
            Takes::Ip => "ip",
            Takes::Ips => "ipSlice",
            Takes::Pairs => "map",
            Takes::Ulimits => "ulimit",
            Takes::Runtimes => "runtime",
            Takes::AddressPools => "pool-options",
            Takes::NetworkOptions => "mapmap",
            Takes::Text | Takes::Json => "string",
            Takes::List | Takes::Hosts | Takes::Labels | Takes::Mirrors => "list",
        }
    }
}

/// Nothing, or what an option is without being given.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
    }
}

/// What is neither an option of dockerd nor a key of the file.
const ACTIONS: [(&str, &str); 5] = [
    ("--config-file string", "Daemon configuration file (default \"/etc/gantry/daemon.json\")"),
    ("--help", "Print usage"),
    ("--ready-fd int", "Write a line to this file descriptor once the engine answers"),
    ("--validate", "Validate daemon configuration and exit"),
    ("-v, --version", "Print version information and quit"),
];

/// The text of `--help`: what is refused is not offered.
pub fn help() -> String {
    let offered = OPTIONS.iter().filter(|option| {
        !option.flag.is_empty() && matches!(option.meaning, Meaning::Works | Meaning::Nothing(_))
    });
    let named = offered.map(|o| (format!("{} {}", o.shown(), o.value_name()), o.help));
    let mut lines: Vec<_> =
        named.chain(ACTIONS.map(|(name, help)| (name.to_owned(), help))).collect();
    lines.sort_by_key(|(name, _)| name.trim_start_matches(['-', ',', ' ']).to_lowercase());
    lines.sort_by_key(|(name, _)| long_name(name).to_owned());
    let mut text =
        "\nUsage:  gantryd [OPTIONS]\n\nA self-sufficient runtime for containers.\n\nOptions:\n"
            .to_owned();
    let indented = lines.into_iter().map(|(name, help)| {
        let indent = if name.starts_with("--") { "      " } else { "  " };
        (format!("{indent}{}", name.trim_end()), help)
    });
    let lines: Vec<_> = indented.collect();
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, help) in lines {
        text += &format!("{name:<width$}   {help}\n");
    }
    text
}

fn long_name(shown: &str) -> &str {
    shown.split_once("--").map_or(shown, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dockerd --help` of Docker 26.1, without the flags that are no options (config-file, help, validate, version).
    const DOCKERD: &str = "add-runtime allow-nondistributable-artifacts api-cors-header authorization-plugin bip \
        bridge cdi-spec-dir cgroup-parent containerd containerd-namespace containerd-plugins-namespace cpu-rt-period \
        cpu-rt-runtime cri-containerd data-root debug default-address-pool default-cgroupns-mode default-gateway \
        default-gateway-v6 default-ipc-mode default-network-opt default-runtime default-shm-size default-ulimit dns \
        dns-opt dns-search exec-opt exec-root experimental fixed-cidr fixed-cidr-v6 group host host-gateway-ip \
        http-proxy https-proxy icc init init-path insecure-registry ip ip-forward ip-masq ip6tables iptables ipv6 label \
        live-restore log-driver log-format log-level log-opt max-concurrent-downloads max-concurrent-uploads \
        max-download-attempts metrics-addr mtu network-control-plane-mtu no-new-privileges no-proxy \
        node-generic-resource pidfile raw-logs registry-mirror rootless seccomp-profile selinux-enabled \
        shutdown-timeout storage-driver storage-opt swarm-default-advertise-addr tls tlscacert tlscert tlskey tlsverify \
        userland-proxy userland-proxy-path userns-remap";
    /// What only daemon.json has, by Docker's reference.
    const OURS: [&str; 3] = ["audit-log", "publish-default-bind", "publish-mode"];
    const FILE_ONLY: &str = "builder deprecated-key-path features";

    #[test]
    fn every_option_of_dockerd_is_known() {
        let mut known: Vec<_> =
            OPTIONS.iter().map(|o| o.flag).filter(|f| !f.is_empty() && !OURS.contains(f)).collect();
        known.sort_unstable();
        let mut expected: Vec<_> = DOCKERD.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(known, expected);
        let mut only_in_file: Vec<_> =
            OPTIONS.iter().filter(|o| o.flag.is_empty()).map(|o| o.key).collect();
        only_in_file.sort_unstable();
        assert_eq!(only_in_file, FILE_ONLY.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_refused_or_means_nothing_is_in_the_list_of_differences() {
        let list = include_str!("../../../../docs/differences.md");
        for option in OPTIONS {
            let name = if option.flag.is_empty() { option.key } else { option.flag };
            let listed =
                list.contains(&format!("`--{name}`")) || list.contains(&format!("`{name}`"));
            match option.meaning {
                Meaning::Works => {}
                _ => assert!(listed, "{name} is not in docs/differences.md"),
            }
        }
    }

    #[test]
    fn the_help_offers_what_works() {
        let help = help();
        // As wide as the longest, and Docker's three spaces.
        let longest = "\n      --allow-nondistributable-artifacts list   Allow push";
        assert!(help.contains(longest), "{help}");
        let row = |left: &str| help.lines().find(|line| line.starts_with(left)).unwrap();
        assert_eq!(row("  -D, --debug ").find("Enable"), Some(longest.find("Allow").unwrap() - 1));
        assert_eq!(
            row("      --add-runtime runtime ").find("Reg"),
            row("  -D, --debug ").find("En")
        );
        assert!(!help.contains("--selinux-enabled"));
        for option in OPTIONS.iter().filter(|option| option.meaning == Meaning::Works) {
            assert!(help.contains(&format!("--{}", option.flag)), "{}", option.flag);
        }
    }
}
