//! Steps for people.

use super::{Action, Step};
use crate::create;
use crate::model::Project;

impl Step {
    /// What it changes, and why; nothing where it changes nothing.
    pub fn line(&self, project: &Project) -> Option<String> {
        let container = |service: &str, number: usize| {
            let name = project.services.get(service).map(|it| create::name(project, it, number));
            format!("Container {}", name.unwrap_or_else(|| format!("{service}-{number}")))
        };
        let what = match &self.action {
            Action::CreateNetwork { key } => {
                let name = project.networks.get(key).map_or(key, |network| &network.name);
                format!("Network {name}: create")
            }
            Action::CreateVolume { key } => {
                let name = project.volumes.get(key).map_or(key, |volume| &volume.name);
                format!("Volume {name}: create")
            }
            Action::Remove { name, .. } => format!("Container {name}: stop and remove"),
            Action::Create { service, number } => {
                format!("{}: create", container(service, *number))
            }
            Action::Recreate { service, number, .. } => {
                format!("{}: recreate", container(service, *number))
            }
            Action::Roll { service, replaced } => {
                let names = replaced.iter().map(|it| container(service, it.number));
                format!("{}: replace one after the other", names.collect::<Vec<_>>().join(", "))
            }
            Action::Start { service, number } => format!("{}: start", container(service, *number)),
            Action::Restart { service, number } => {
                format!("{}: restart", container(service, *number))
            }
            Action::Await { .. } | Action::Leave { .. } => return None,
        };
        Some(format!("{what} ({})", self.reason))
    }
}

impl Action {
    /// The service of which it makes containers.
    pub fn makes(&self) -> Option<&str> {
        match self {
            Self::Create { service, .. }
            | Self::Recreate { service, .. }
            | Self::Roll { service, .. } => Some(service),
            _ => None,
        }
    }
}
