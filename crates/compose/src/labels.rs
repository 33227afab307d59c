//! The labels by which Docker Compose finds what belongs to a project.

use crate::model::{Project, Service};

pub const PROJECT: &str = "com.docker.compose.project";
pub const SERVICE: &str = "com.docker.compose.service";
pub const NUMBER: &str = "com.docker.compose.container-number";
pub const ONE_OFF: &str = "com.docker.compose.oneoff";
pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
pub const IMAGE: &str = "com.docker.compose.image";
pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
pub const VERSION: &str = "com.docker.compose.version";
pub const NETWORK: &str = "com.docker.compose.network";
pub const VOLUME: &str = "com.docker.compose.volume";
/// Of a container that takes another one's place: which.
pub const REPLACES: &str = "com.docker.compose.replace";

/// `SERVICE:CONDITION:RESTART`, with commas between: the order in which another tool is to stop what runs.
pub(crate) fn depends_on(service: &Service) -> String {
    let each = service.depends_on.iter().map(|(name, dependency)| {
        format!("{name}:{}:{}", dependency.condition.name(), dependency.restart)
    });
    each.collect::<Vec<_>>().join(",")
}

/// What networks and volumes have.
pub(crate) fn of_resource(
    project: &Project,
    label: &str,
    key: &str,
) -> impl Iterator<Item = (String, String)> {
    let pairs =
        [(PROJECT, project.name.as_str()), (VERSION, env!("CARGO_PKG_VERSION")), (label, key)];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter()
}
