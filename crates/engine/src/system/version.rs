//! GET /version.

use std::collections::BTreeMap;

use api::Version;
use api::system::{Component, Platform, VersionInfo};

use super::{System, host};

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl System {
    pub fn version(&self) -> VersionInfo {
        let (api, oldest) = (Version::MAX.to_string(), Version::MIN.to_string());
        let (arch, kernel) = (host::architecture(), host::kernel());
        let engine = [
            ("ApiVersion", api.as_str()),
            ("Arch", arch),
            ("BuildTime", ""),
            ("Experimental", "false"),
            ("GitCommit", ""),
            ("GoVersion", ""),
            ("KernelVersion", &kernel),
            ("MinAPIVersion", &oldest),
            ("Os", "linux"),
        ];
        let components =
            vec![component("Engine", &engine), component("gantry-runtime", &[("GitCommit", "")])];
        VersionInfo {
            platform: Platform { name: "Gantry".into() },
            components,
            version: VERSION.into(),
            api_version: api,
            min_api_version: oldest,
            os: "linux".into(),
            arch: arch.into(),
            kernel_version: kernel,
            ..VersionInfo::default()
        }
    }
}

fn component(name: &str, details: &[(&str, &str)]) -> Component {
    let details: BTreeMap<_, _> =
        details.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Component { name: name.into(), version: VERSION.into(), details: Some(details) }
}
