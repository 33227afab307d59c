//! `features`: what this runtime can do, as a document.

use oci::runtime::{
    CgroupFeatures, Enabled, Features, LinuxFeatures, MountExtensions, SeccompFeatures,
};

use super::{Command, Global};
use crate::error::{Error, Result};
use crate::flags::{Args, Order};

pub(super) const COMMAND: Command = Command {
    name: "features",
    usage: "",
    help: "show the enabled features",
    flags: &[],
    order: Order::Interspersed,
    arguments: (0, 0),
    run,
};

fn run(_: &Global, _: &Args) -> Result<u8> {
    let text = serde_json::to_string_pretty(&features());
    println!("{}", text.map_err(|error| Error::other(error.to_string()))?);
    Ok(0)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn features() -> Features {
    let hooks =
        ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    let namespaces = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"];
    Features {
        oci_version_min: "1.0.0".into(),
        oci_version_max: oci::runtime::VERSION.into(),
        hooks: words(&hooks),
        mount_options: crate::mounts::options::known(),
        linux: Some(LinuxFeatures {
            namespaces: words(&namespaces),
            capabilities: words(&crate::capability::NAMES),
            cgroup: Some(CgroupFeatures {
                v1: true,
                v2: true,
                systemd: true,
                ..Default::default()
            }),
            seccomp: Some(seccomp()),
            apparmor: Some(Enabled { enabled: true }),
            selinux: Some(Enabled { enabled: true }),
            intel_rdt: Some(Enabled { enabled: false }),
            mount_extensions: Some(MountExtensions { idmap: Enabled { enabled: true } }),
        }),
        ..Features::default()
    }
}

fn seccomp() -> SeccompFeatures {
    let flags = words(&[
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ]);
    SeccompFeatures {
        enabled: true,
        actions: words(&[
            "SCMP_ACT_ALLOW",
            "SCMP_ACT_ERRNO",
            "SCMP_ACT_KILL",
            "SCMP_ACT_KILL_PROCESS",
            "SCMP_ACT_KILL_THREAD",
            "SCMP_ACT_LOG",
            "SCMP_ACT_NOTIFY",
            "SCMP_ACT_TRACE",
            "SCMP_ACT_TRAP",
        ]),
        operators: words(&[
            "SCMP_CMP_EQ",
            "SCMP_CMP_GE",
            "SCMP_CMP_GT",
            "SCMP_CMP_LE",
            "SCMP_CMP_LT",
            "SCMP_CMP_MASKED_EQ",
            "SCMP_CMP_NE",
        ]),
        archs: words(&[
            "SCMP_ARCH_AARCH64",
            "SCMP_ARCH_ARM",
            "SCMP_ARCH_X32",
            "SCMP_ARCH_X86",
            "SCMP_ARCH_X86_64",
        ]),
        known_flags: flags.clone(),
        supported_flags: flags,
    }
}
