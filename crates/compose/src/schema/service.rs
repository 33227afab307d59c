//! Services.

use super::build::{BUILD, ULIMITS};
use super::deploy::{DEPLOY, DEVELOP, DEVICE_REQUEST};
use super::short;
use super::{Field, Kind, Object, Shown, field, object};

pub(crate) static SERVICE: Object = object(&[
    field("profiles", Kind::Texts),
    field("annotations", Kind::Labels),
    field("attach", Kind::Flag).shown(Shown::IfSaid),
    field("build", Kind::Short(short::build, &Kind::Object(&BUILD))).shown(Shown::IfSaid),
    field("develop", Kind::ObjectOrNull(&DEVELOP)).shown(Shown::IfSaid),
    field("blkio_config", Kind::Object(&BLKIO)).shown(Shown::IfSaid),
    field("cap_add", Kind::Texts),
    field("cap_drop", Kind::Texts),
    field("cgroup_parent", Kind::Text),
    field("cgroup", Kind::OneOf(&["host", "private"])),
    field("cpu_count", Kind::Bounded(0, i64::MAX as i128)),
    field("cpu_percent", Kind::Number),
    field("cpu_period", Kind::Integer),
    field("cpu_quota", Kind::Integer),
    field("cpu_rt_period", Kind::Integer),
    field("cpu_rt_runtime", Kind::Integer),
    field("cpus", Kind::Number),
    field("cpuset", Kind::Text),
    field("cpu_shares", Kind::Integer),
    field("command", Kind::Command).shown(Shown::InJson),
    field("configs", FILES),
    field("container_name", Kind::Text),
    field("credential_spec", Kind::Object(&CREDENTIAL_SPEC)).shown(Shown::IfSaid),
    field("depends_on", DEPENDS_ON),
    field("deploy", Kind::ObjectOrNull(&DEPLOY)).shown(Shown::IfSaid),
    field("device_cgroup_rules", Kind::Texts),
    field("devices", Kind::List(&Kind::Short(short::device, &Kind::Object(&DEVICE)))),
    field("dns", Kind::TextOrTexts),
    field("dns_opt", Kind::Texts),
    field("dns_search", Kind::TextOrTexts),
    field("domainname", Kind::Text),
    field("entrypoint", Kind::Command).shown(Shown::InJson),
    field("provider", Kind::Custom(short::provider)),
    field("environment", Kind::Dictionary),
    field("env_file", Kind::Short(short::env_files, &Kind::List(&Kind::Object(&ENV_FILE)))),
    field("expose", Kind::TextsOrNumbers),
    field("extends", Kind::Short(short::extends, &Kind::Object(&EXTENDS))).shown(Shown::Never),
    field("external_links", Kind::Texts),
    field("extra_hosts", Kind::Custom(short::hosts)),
    field("group_add", Kind::TextsOrNumbers),
    field("gpus", Kind::Short(short::gpus, &Kind::List(&Kind::Object(&DEVICE_REQUEST)))),
    field("hostname", Kind::Text),
    field("healthcheck", Kind::Object(&HEALTHCHECK)).shown(Shown::IfSaid),
    field("image", Kind::Text),
    field("init", Kind::Flag).shown(Shown::IfSaid),
    field("ipc", Kind::Text),
    field("isolation", Kind::Text),
    field("labels", Kind::Labels),
    field("label_file", Kind::TextOrTexts),
    field("links", Kind::Texts),
    field("logging", Kind::Object(&LOGGING)).shown(Shown::IfSaid),
    field("mem_limit", Kind::Size),
    field("mem_reservation", Kind::Size),
    field("memswap_limit", Kind::Size),
    field("mem_swappiness", Kind::Size),
    field("mac_address", Kind::Text),
    field("models", Kind::Custom(short::models)),
    field("network_mode", Kind::Text),
    field("networks", NETWORKS),
    field("oom_kill_disable", Kind::Flag),
    field("oom_score_adj", Kind::Bounded(-1000, 1000)),
    field("pid", Kind::TextOrNull),
    field("pids_limit", Kind::Integer),
    field("platform", Kind::Text),
    field("ports", Kind::Short(short::ports, &Kind::List(&Kind::Object(&PORT)))),
    field("privileged", Kind::Flag),
    field("pull_policy", Kind::Custom(short::pull_policy)),
    field("read_only", Kind::Flag),
    field("restart", Kind::Text),
    field("runtime", Kind::Text),
    field("scale", Kind::Integer).shown(Shown::IfSaid),
    field("secrets", FILES),
    field("security_opt", Kind::Texts),
    field("shm_size", Kind::Size),
    field("stdin_open", Kind::Flag),
    field("stop_grace_period", Kind::Duration),
    field("stop_signal", Kind::Text),
    field("storage_opt", Kind::Options),
    field("sysctls", Kind::Labels),
    field("tmpfs", Kind::TextOrTexts),
    field("tty", Kind::Flag),
    field("ulimits", ULIMITS),
    field("use_api_socket", Kind::Flag),
    field("user", Kind::Text),
    field("userns_mode", Kind::Text),
    field("uts", Kind::Text),
    field("volumes", Kind::List(&Kind::Short(short::volume, &Kind::Object(&MOUNT)))),
    field("volumes_from", Kind::Texts),
    field("working_dir", Kind::Text),
    field("post_start", Kind::List(&Kind::Object(&HOOK))),
    field("pre_stop", Kind::List(&Kind::Object(&HOOK))),
]);

static CREDENTIAL_SPEC: Object = object(&[
    field("config", Kind::Text),
    field("file", Kind::Text),
    field("registry", Kind::Text),
]);

static BLKIO: Object = object(&[
    field("weight", Kind::Integer),
    field("weight_device", Kind::List(&Kind::Object(&WEIGHT))),
    field("device_read_bps", RATES),
    field("device_read_iops", RATES),
    field("device_write_bps", RATES),
    field("device_write_iops", RATES),
]);

const RATES: Kind = Kind::List(&Kind::Object(&RATE));
static RATE: Object = object(&[field("path", Kind::Text), field("rate", Kind::Size)]);
static WEIGHT: Object = object(&[field("path", Kind::Text), field("weight", Kind::Integer)]);

pub(super) const FILES: Kind = Kind::List(&Kind::Short(short::file, &Kind::Object(&FILE)));
static FILE: Object = object(&[
    field("source", Kind::Text),
    field("target", Kind::Text),
    field("uid", Kind::Text),
    field("gid", Kind::Text),
    field("mode", Kind::Number).shown(Shown::IfSaid),
]);

const DEPENDS_ON: Kind = Kind::Short(short::depends_on, &Kind::Names(&Kind::Object(&DEPENDENCY)));
static DEPENDENCY: Object = Object {
    fields: &[
        field(
            "condition",
            Kind::OneOf(&["service_started", "service_healthy", "service_completed_successfully"]),
        ),
        field("restart", Kind::Flag),
        field("required", Kind::Flag).shown(Shown::IfSaid),
    ],
    required: &["condition"],
};

static DEVICE: Object = object(&[
    field("source", Kind::Text),
    field("target", Kind::Text),
    field("permissions", Kind::Text),
]);

static ENV_FILE: Object = object(&[
    field("path", Kind::Text),
    field("required", Kind::Flag).shown(Shown::IfSaid),
    field("format", Kind::Text),
]);

static EXTENDS: Object = object(&[field("service", Kind::Text), field("file", Kind::Text)]);

static HEALTHCHECK: Object = object(&[
    field("test", Kind::Custom(short::health_test)),
    field("timeout", Kind::Duration).shown(Shown::IfSaid),
    field("interval", Kind::Duration).shown(Shown::IfSaid),
    field("retries", Kind::Number).shown(Shown::IfSaid),
    field("start_period", Kind::Duration).shown(Shown::IfSaid),
    field("start_interval", Kind::Duration).shown(Shown::IfSaid),
    field("disable", Kind::Flag),
]);

static LOGGING: Object = object(&[field("driver", Kind::Text), field("options", Kind::Options)]);

const NETWORKS: Kind = Kind::Short(short::networks, &Kind::Names(&Kind::ObjectOrNull(&ENDPOINT)));
static ENDPOINT: Object = object(&[
    field("priority", Kind::Number),
    field("gw_priority", Kind::Number),
    field("aliases", Kind::Texts),
    field("interface_name", Kind::Text),
    field("ipv4_address", Kind::Text),
    field("ipv6_address", Kind::Text),
    field("link_local_ips", Kind::Texts),
    field("mac_address", Kind::Text),
    field("driver_opts", Kind::Options),
]);

static PORT: Object = object(&[
    field("name", Kind::Text),
    field("mode", Kind::Text),
    field("host_ip", Kind::Text),
    field("target", Kind::Integer),
    field("published", Kind::Custom(short::published)),
    field("protocol", Kind::Text),
    field("app_protocol", Kind::Text),
]);

static MOUNT: Object = Object {
    fields: &[
        field("type", Kind::OneOf(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"])),
        field("source", Kind::Text),
        field("target", Kind::Text),
        field("read_only", Kind::Flag),
        field("consistency", Kind::Text),
        field("bind", Kind::Object(&BIND)).shown(Shown::IfSaid),
        field("volume", Kind::Object(&VOLUME)).shown(Shown::IfSaid),
        field("tmpfs", Kind::Object(&TMPFS)).shown(Shown::IfSaid),
        field("image", Kind::Object(&IMAGE)).shown(Shown::IfSaid),
    ],
    required: &["type"],
};

static BIND: Object = object(&[
    field("selinux", Kind::OneOf(&["z", "Z"])),
    field("propagation", Kind::Text),
    field("create_host_path", Kind::Flag),
    field("recursive", Kind::OneOf(&["enabled", "disabled", "writable", "readonly"])),
]);

static VOLUME: Object = object(&[
    field("labels", Kind::Labels),
    field("nocopy", Kind::Flag),
    field("subpath", Kind::Text),
]);

static TMPFS: Object = object(&[field("size", Kind::Size), field("mode", Kind::Number)]);

static IMAGE: Object = object(&[field("subpath", Kind::Text)]);

pub(super) static HOOK: Object = Object { fields: HOOK_FIELDS, required: &["command"] };

const HOOK_FIELDS: &[Field] = &[
    field("command", Kind::Command).shown(Shown::InJson),
    field("user", Kind::Text),
    field("privileged", Kind::Flag),
    field("working_dir", Kind::Text),
    field("environment", Kind::Dictionary),
];
