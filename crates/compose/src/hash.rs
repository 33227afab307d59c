//! The hash of a service's configuration, by which `up` knows what has changed. It is Docker Compose's own, so that either
//! tool leaves what the other made alone.

use sha2::{Digest, Sha256};

use crate::load::{self, Loaded};
use crate::render;
use crate::yaml::Node;

/// What does not make a container another one.
const LEFT_OUT: &[&str] = &["build", "pull_policy", "scale"];

impl Loaded {
    /// Services with their hashes, sorted by name.
    pub fn hashes(&self) -> Vec<(String, String)> {
        load::services(&self.tree)
            .map(|(name, service)| (name.clone(), service_hash(service)))
            .collect()
    }
}

pub(crate) fn service_hash(service: &Node) -> String {
    let mut service = service.clone();
    let deploy = service.as_map_mut().and_then(|map| map.get_mut("deploy"));
    if let Some(deploy) = deploy.and_then(Node::as_map_mut) {
        deploy.remove("replicas");
    }
    let json = render::service_json(&service, LEFT_OUT);
    Sha256::digest(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
