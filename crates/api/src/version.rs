//! API versions (`/v1.45/...`) and what changes with them.
//!
//! The engine builds each answer in its newest form; a conversion here gives it the shape that an
//! older client expects. Nothing else in the project compares versions.

use std::fmt;
use std::str::FromStr;

use crate::go::none_or_empty;
use crate::system::Detail;
use crate::{containers, events, images, networks, system};

/// `1.45`. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
}

impl Version {
    /// The oldest version the engine speaks.
    pub const MIN: Self = Self::v1(24);
    /// The newest version the engine speaks.
    pub const MAX: Self = Self::v1(54);

    #[must_use]
    pub const fn v1(minor: u16) -> Self {
        Self { major: 1, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Not of the form `1.45`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseVersionError(pub String);

impl fmt::Display for ParseVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid API version: {:?}", self.0)
    }
}

impl std::error::Error for ParseVersionError {}

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseVersionError(text.to_owned());
        let (major, minor) = text.split_once('.').ok_or_else(malformed)?;
        let number = |digits: &str| -> Result<u16, ParseVersionError> {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            if plain { digits.parse().map_err(|_| malformed()) } else { Err(malformed()) }
        };
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

/// An answer whose shape depends on the client's version.
pub trait ForVersion {
    /// Turns the newest shape into the one that `version` had.
    fn for_version(&mut self, version: Version);
}

impl ForVersion for containers::Inspect {
    fn for_version(&mut self, version: Version) {
        if version < Version::v1(45) {
            let short = self.id.chars().take(12).collect::<String>();
            for endpoint in self.network_settings.networks.iter_mut().flat_map(|n| n.values_mut()) {
                endpoint.add_legacy_alias(&short);
            }
        }
        if version < Version::v1(48) {
            self.image_manifest_descriptor = None;
            let endpoints = self.network_settings.networks.iter_mut().flat_map(|n| n.values_mut());
            endpoints.for_each(|endpoint| endpoint.gw_priority = None);
        }
        if version >= Version::v1(52) {
            self.network_settings.legacy = None;
            self.network_settings.bridge = None;
            self.config.on_build.omit_empty();
            self.host_config.resources.kernel_memory_tcp = 0;
        }
    }
}

impl ForVersion for networks::Network {
    fn for_version(&mut self, version: Version) {
        if version < Version::v1(48) {
            self.enable_ipv4 = None;
        }
    }
}

impl ForVersion for containers::Summary {
    fn for_version(&mut self, version: Version) {
        if version < Version::v1(52) {
            self.health = None;
        }
        if version < Version::v1(48) {
            self.image_manifest_descriptor = None;
            let networks = self.network_settings.iter_mut().filter_map(|n| n.networks.as_mut());
            let endpoints = networks.flat_map(|networks| networks.values_mut());
            endpoints.for_each(|endpoint| endpoint.gw_priority = None);
        }
        if version < Version::v1(46) {
            self.host_config.annotations = None;
        }
    }
}

impl ForVersion for images::Summary {
    fn for_version(&mut self, version: Version) {
        self.without_newer_fields(version);
        if version < Version::v1(51) {
            self.containers = -1;
        }
        if version >= Version::v1(43) {
            return;
        }
        if none_or_empty(&self.repo_tags) && none_or_empty(&self.repo_digests) {
            self.repo_tags = Some(vec!["<none>:<none>".to_owned()]);
            self.repo_digests = Some(vec!["<none>@<none>".to_owned()]);
        }
        self.null_for_no_names();
    }
}

impl images::Summary {
    fn without_newer_fields(&mut self, version: Version) {
        if version < Version::v1(44) {
            self.virtual_size = Some(self.size);
        }
        if version < Version::v1(48) {
            self.descriptor = None;
        }
        if version < Version::v1(47) {
            self.manifests = None;
        }
    }

    fn null_for_no_names(&mut self) {
        for names in [&mut self.repo_tags, &mut self.repo_digests] {
            *names = names.take().filter(|names| !names.is_empty());
        }
    }
}

impl ForVersion for images::Inspect {
    fn for_version(&mut self, version: Version) {
        if version < Version::v1(44) {
            self.virtual_size = Some(self.size);
        }
        if version < Version::v1(45) {
            self.container_config.get_or_insert_default();
        } else {
            self.container = None;
            self.container_config = None;
        }
        if version < Version::v1(48) {
            self.descriptor = None;
            self.manifests = None;
        }
        if version >= Version::v1(50) {
            self.config.iter_mut().for_each(images::ImageConfig::without_containers_fields);
        }
        if version >= Version::v1(52) {
            self.config.iter_mut().for_each(images::ImageConfig::omit_empty);
            for text in
                [&mut self.parent, &mut self.comment, &mut self.docker_version, &mut self.author]
            {
                *text = text.take().filter(|text| !text.is_empty());
            }
        }
    }
}

impl system::DiskUsage {
    /// Lists until 1.51, totals since 1.52, which has both unless all is asked for.
    pub fn for_version(&mut self, version: Version, detail: Detail) {
        for image in self.image_usage.iter_mut().flat_map(|usage| &mut usage.items) {
            image.without_newer_fields(version);
            image.null_for_no_names();
        }
        for container in self.container_usage.iter_mut().flat_map(|usage| &mut usage.items) {
            container.for_version(version);
        }
        if version < Version::v1(52) || version == Version::v1(52) && detail == Detail::Totals {
            self.legacy = Some(self.legacy());
        }
        if version < Version::v1(52) {
            *self = Self { legacy: self.legacy.take(), ..Self::default() };
        }
        if detail == Detail::Totals {
            self.without_items();
        }
    }
}

impl ForVersion for containers::Stats {
    fn for_version(&mut self, version: Version) {
        if version < Version::v1(52) {
            self.os_type = String::new();
        }
    }
}

impl ForVersion for system::Info {
    fn for_version(&mut self, version: Version) {
        if version >= Version::v1(52) {
            self.kernel_memory_tcp = false;
        }
        if version >= Version::v1(50) {
            self.bridge_nf_iptables = None;
            self.bridge_nf_ip6tables = None;
        }
        if version >= Version::v1(49) {
            for commit in
                [&mut self.containerd_commit, &mut self.runc_commit, &mut self.init_commit]
            {
                commit.expected = None;
            }
            if let Some(registries) = &mut self.registry_config {
                registries.nondistributable = None;
            }
        } else {
            self.firewall_backend = None;
        }
        if version < Version::v1(44) {
            self.runtimes.values_mut().for_each(|runtime| runtime.status = None);
        }
        if version < Version::v1(42) {
            self.kernel_memory = self.memory_limit;
        }
        if version < Version::v1(25) {
            self.execution_driver = Some("<not supported>".to_owned());
            // `name=seccomp,profile=builtin` was just `seccomp`.
            for option in self.security_options.iter_mut().flatten() {
                let name = option.split(',').next().and_then(|part| part.strip_prefix("name="));
                *option = name.unwrap_or(option).to_owned();
            }
        }
    }
}

impl ForVersion for events::Message {
    fn for_version(&mut self, version: Version) {
        if version >= Version::v1(52) {
            self.legacy = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number_not_by_text() {
        let parse = |text: &str| text.parse::<Version>().unwrap();
        assert!(parse("1.9") < parse("1.24"));
        assert!(parse("1.54") < parse("2.0"));
        assert_eq!(parse("1.45").to_string(), "1.45");
    }

    #[test]
    fn malformed_versions_are_refused() {
        for text in ["", "1", "1.", ".1", "1.2.3", "v1.45", "1.+4", "1.99999999", "a.b"] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }
}
