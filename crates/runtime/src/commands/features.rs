//! `features`: what this runtime can do, as a document.

use oci::runtime::{CgroupFeatures, Enabled, Features, LinuxFeatures, MountExtensions};

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

fn features() -> Features {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
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
            seccomp: None,
            apparmor: Some(Enabled { enabled: false }),
            selinux: Some(Enabled { enabled: false }),
            intel_rdt: Some(Enabled { enabled: false }),
            mount_extensions: Some(MountExtensions { idmap: Enabled { enabled: true } }),
        }),
        ..Features::default()
    }
}
