//! What a container gets of its host.

use std::collections::BTreeMap;

use api::containers::{
    DeviceMapping, DeviceRequest, HostConfig, LogConfig, Resources, RestartPolicy, ThrottleDevice,
    Ulimit, WeightDevice,
};
use api::networks::{PortBinding, PortMap};

use super::mounts::{Mounts, mounts};
use super::networks;
use crate::model::{self, Blkio, Project, Rate, Service};

pub(crate) fn host_config(
    project: &Project,
    service: &Service,
    carried: &BTreeMap<String, String>,
) -> Result<HostConfig, String> {
    let Mounts { binds, mounts } = mounts(project, service, carried)?;
    let list = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
    let map = |map: &BTreeMap<String, String>| Some(map.clone()).filter(|map| !map.is_empty());
    Ok(HostConfig {
        binds: Some(binds),
        log_config: logging(service),
        network_mode: networks::mode(project, service),
        port_bindings: Some(published(service)),
        restart_policy: restart(service)?,
        volumes_from: list(&volumes_from(project, service)),
        annotations: map(&service.annotations),
        cap_add: list(&service.cap_add),
        cap_drop: list(&service.cap_drop),
        cgroupns_mode: service.cgroup.clone(),
        dns: list(&service.dns),
        dns_options: list(&service.dns_opt),
        dns_search: list(&service.dns_search),
        extra_hosts: list(&hosts(service)),
        group_add: list(&service.group_add),
        ipc_mode: namespace(project, &service.ipc),
        links: list(&service.external_links).filter(|_| service.network_mode == "bridge"),
        oom_score_adj: service.oom_score_adj,
        pid_mode: namespace(project, &service.pid),
        privileged: service.privileged,
        readonly_rootfs: service.read_only,
        security_opt: list(&service.security_opt),
        storage_opt: map(&service.storage_opt),
        tmpfs: Some(tmpfs(service)).filter(|tmpfs| !tmpfs.is_empty()),
        uts_mode: service.uts.clone(),
        userns_mode: service.userns_mode.clone(),
        shm_size: service.shm_size.0,
        sysctls: map(&service.sysctls),
        runtime: service.runtime.clone(),
        isolation: service.isolation.clone(),
        resources: resources(service),
        mounts: Some(mounts).filter(|mounts| !mounts.is_empty()),
        init: service.init,
        ..HostConfig::default()
    })
}

/// `service:NAME` is the first container of that service.
pub(super) fn namespace(project: &Project, said: &str) -> String {
    match said.strip_prefix("service:").and_then(|name| project.services.get(name)) {
        Some(service) => format!("container:{}", super::name(project, service, 1)),
        None => said.to_owned(),
    }
}

fn logging(service: &Service) -> LogConfig {
    let Some(logging) = &service.logging else { return LogConfig::default() };
    LogConfig { driver: logging.driver.clone(), config: Some(logging.options.clone()) }
}

fn published(service: &Service) -> PortMap {
    let mut map = PortMap::new();
    for port in &service.ports {
        let binding =
            PortBinding { host_ip: port.host_ip.clone(), host_port: port.published.clone() };
        let bindings = map.entry(format!("{}/{}", port.target, port.protocol)).or_default();
        bindings.get_or_insert_default().push(binding);
    }
    map
}

/// `restart`, else what `deploy` says of it.
fn restart(service: &Service) -> Result<RestartPolicy, String> {
    if !service.restart.is_empty() {
        let (name, count) = service.restart.split_once(':').unwrap_or((&service.restart, ""));
        let count = match count {
            "" => 0,
            count => count.parse().map_err(|_| {
                format!("maximum retry count must be an integer: {:?}", service.restart)
            })?,
        };
        return Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count: count });
    }
    let policy = service.deploy.as_ref().and_then(|deploy| deploy.restart_policy.as_ref());
    let Some(policy) = policy else { return Ok(RestartPolicy::default()) };
    let name = match policy.condition.as_str() {
        "none" | "no" => "no",
        "on-failure" => "on-failure",
        "unless-stopped" => "unless-stopped",
        _ => "always",
    };
    let count = policy.max_attempts.filter(|_| name == "on-failure").unwrap_or_default();
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count: count })
}

/// A service by its first container.
fn volumes_from(project: &Project, service: &Service) -> Vec<String> {
    let each = service.volumes_from.iter().map(|said| {
        if let Some(container) = said.strip_prefix("container:") {
            return container.to_owned();
        }
        let (name, mode) = said.split_once(':').unwrap_or((said, "rw"));
        match project.services.get(name) {
            Some(other) => format!("{}:{mode}", super::name(project, other, 1)),
            None => said.clone(),
        }
    });
    each.collect()
}

fn hosts(service: &Service) -> Vec<String> {
    let each = service.extra_hosts.iter();
    each.flat_map(|(host, addresses)| {
        addresses.iter().map(move |address| format!("{host}:{address}"))
    })
    .collect()
}

/// `TARGET[:OPTIONS]`
fn tmpfs(service: &Service) -> BTreeMap<String, String> {
    let split = |said: &String| {
        let (target, options) = said.split_once(':').unwrap_or((said, ""));
        (target.to_owned(), options.to_owned())
    };
    service.tmpfs.iter().map(split).collect()
}

fn resources(service: &Service) -> Resources {
    let deploy = service.deploy.as_ref().map(|deploy| deploy.resources.clone()).unwrap_or_default();
    let or = |own: i64, deployed: i64| if own == 0 { deployed } else { own };
    let cpus = if service.cpus == 0.0 { deploy.limits.cpus } else { service.cpus };
    let blkio = service.blkio_config.clone().unwrap_or_default();
    let requests = service.gpus.iter().map(|gpu| request(gpu, true));
    let requests = requests.chain(deploy.reservations.devices.iter().map(|it| request(it, false)));
    let pids = or(service.pids_limit, deploy.limits.pids);
    Resources {
        cpu_shares: service.cpu_shares,
        memory: or(service.mem_limit.0, deploy.limits.memory.0),
        // Billionths of a CPU; less than one of them means nothing.
        nano_cpus: (cpus * 1e9).round() as i64,
        cgroup_parent: service.cgroup_parent.clone(),
        blkio_weight: blkio.weight,
        blkio_weight_device: weights(&blkio),
        blkio_device_read_bps: rates(&blkio.device_read_bps),
        blkio_device_write_bps: rates(&blkio.device_write_bps),
        blkio_device_read_iops: rates(&blkio.device_read_iops),
        blkio_device_write_iops: rates(&blkio.device_write_iops),
        cpu_period: service.cpu_period,
        cpu_quota: service.cpu_quota,
        cpu_realtime_period: service.cpu_rt_period,
        cpu_realtime_runtime: service.cpu_rt_runtime,
        cpuset_cpus: service.cpuset.clone(),
        devices: Some(service.devices.iter().map(device).collect()),
        device_cgroup_rules: Some(service.device_cgroup_rules.clone()),
        device_requests: Some(requests.collect()),
        memory_reservation: or(service.mem_reservation.0, deploy.reservations.memory.0),
        memory_swap: service.memswap_limit.0,
        memory_swappiness: service.mem_swappiness.map(|swappiness| swappiness.0),
        oom_kill_disable: service.oom_kill_disable.then_some(true),
        pids_limit: Some(pids).filter(|limit| *limit != 0),
        ulimits: Some(service.ulimits.iter().map(ulimit).collect()),
        cpu_count: service.cpu_count,
        cpu_percent: service.cpu_percent as i64,
        ..Resources::default()
    }
}

fn weights(blkio: &Blkio) -> Option<Vec<WeightDevice>> {
    let each = blkio.weight_device.iter();
    Some(each.map(|it| WeightDevice { path: it.path.clone(), weight: it.weight }).collect())
}

fn rates(rates: &[Rate]) -> Option<Vec<ThrottleDevice>> {
    let rate = |it: &Rate| ThrottleDevice { path: it.path.clone(), rate: it.rate.0.unsigned_abs() };
    Some(rates.iter().map(rate).collect())
}

fn device(device: &model::Device) -> DeviceMapping {
    DeviceMapping {
        path_on_host: device.source.clone(),
        path_in_container: device.target.clone(),
        cgroup_permissions: device.permissions.clone(),
    }
}

fn request(request: &model::DeviceRequest, is_gpu: bool) -> DeviceRequest {
    let mut capabilities = request.capabilities.clone();
    if is_gpu && !capabilities.iter().any(|capability| capability == "gpu") {
        capabilities.push("gpu".to_owned());
    }
    DeviceRequest {
        driver: request.driver.clone(),
        count: if request.count == 0 && request.device_ids.is_empty() { -1 } else { request.count },
        device_ids: Some(request.device_ids.clone()),
        capabilities: Some(vec![capabilities]),
        options: Some(request.options.clone()),
    }
}

fn ulimit((name, limit): (&String, &model::Ulimit)) -> Ulimit {
    let (soft, hard) = match limit {
        model::Ulimit::Both(both) => (*both, *both),
        model::Ulimit::Each { soft, hard } => (*soft, *hard),
    };
    Ulimit { name: name.clone(), soft, hard }
}
