//! `spec`: a configuration to begin with.

use std::path::Path;

use oci::runtime::{
    Capabilities, DeviceRule, Linux, Mount, Namespace, NamespaceKind, Process, Resources, Rlimit,
    Root, Spec, VERSION,
};

use super::{Command, Global};
use crate::error::{Context, Error, Result};
use crate::flags::{Args, Order, value};

pub(super) const COMMAND: Command = Command {
    name: "spec",
    usage: "[options]",
    help: "create a new specification file",
    flags: &[value("bundle", "DIR", "path to the root of the bundle directory").short('b')],
    order: Order::Interspersed,
    arguments: (0, 0),
    run,
};

fn run(_: &Global, args: &Args) -> Result<u8> {
    let path = Path::new(args.get("bundle").unwrap_or(".")).join("config.json");
    let mut json =
        serde_json::to_vec_pretty(&example()).map_err(|e| Error::other(e.to_string()))?;
    json.push(b'\n');
    let file = std::fs::File::create_new(&path);
    match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let name = path.display();
            return Err(Error::invalid(format!("File {name} exists. Remove it first")));
        }
        result => {
            std::io::Write::write_all(&mut result.context(|| path.display().to_string())?, &json)
                .context(|| path.display().to_string())?
        }
    }
    Ok(0)
}

fn example() -> Spec {
    let capabilities: Vec<String> =
        ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"].map(str::to_owned).into();
    Spec {
        version: VERSION.into(),
        process: Some(Process {
            terminal: true,
            args: vec!["sh".into()],
            env: vec![
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
                "TERM=xterm".into(),
            ],
            cwd: "/".into(),
            capabilities: Some(Capabilities {
                bounding: capabilities.clone(),
                effective: capabilities.clone(),
                permitted: capabilities,
                ..Capabilities::default()
            }),
            rlimits: vec![Rlimit { kind: "RLIMIT_NOFILE".into(), hard: 1024, soft: 1024 }],
            no_new_privileges: true,
            ..Process::default()
        }),
        root: Some(Root { path: "rootfs".into(), readonly: true }),
        hostname: "gantry".into(),
        mounts: mounts(),
        linux: Some(linux()),
        ..Spec::default()
    }
}

fn mounts() -> Vec<Mount> {
    [
        ("/proc", "proc", "proc", ""),
        ("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        ("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"),
        ("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
        ("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"),
        ("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"),
    ]
    .into_iter()
    .map(|(destination, kind, source, options)| Mount {
        destination: destination.into(),
        kind: kind.into(),
        source: source.into(),
        options: options.split(',').filter(|o| !o.is_empty()).map(str::to_owned).collect(),
        ..Mount::default()
    })
    .collect()
}

fn linux() -> Linux {
    use NamespaceKind::{Cgroup, Ipc, Mount, Network, Pid, Uts};
    let paths = |paths: &[&str]| paths.iter().map(Into::into).collect();
    Linux {
        resources: Some(Resources {
            devices: vec![DeviceRule { access: "rwm".into(), ..DeviceRule::default() }],
            ..Resources::default()
        }),
        namespaces: [Pid, Network, Ipc, Uts, Mount, Cgroup]
            .map(|kind| Namespace { kind, path: None })
            .into(),
        masked_paths: paths(&[
            "/proc/acpi",
            "/proc/asound",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/proc/interrupts",
            "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ]),
        readonly_paths: paths(&[
            "/proc/bus",
            "/proc/fs",
            "/proc/irq",
            "/proc/sys",
            "/proc/sysrq-trigger",
        ]),
        ..Linux::default()
    }
}
