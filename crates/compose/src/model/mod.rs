//! A project as types: what is needed to make containers of it. Everything is in its long form and checked.

mod resource;
mod service;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::error::{Error, Result};
use crate::hash::service_hash;
use crate::load::{self, Loaded};
use crate::units;
use crate::yaml::Node;

pub use resource::{File, Ipam, Network, Pool, Volume};
pub use service::{
    Bind, Blkio, Build, Condition, Dependency, Deploy, Develop, Device, DeviceRequest, Endpoint,
    FileMount, Healthcheck, Hook, Logging, Mount, MountVolume, Port, Rate, Resource, Resources,
    RestartPolicy, Service, Tmpfs, Ulimit, UpdateConfig, Watch, WatchAction, Weight,
};

#[derive(Debug, Clone, Default)]
pub struct Project {
    pub name: String,
    pub directory: PathBuf,
    /// Absolute.
    pub files: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub services: BTreeMap<String, Service>,
    pub networks: BTreeMap<String, Network>,
    pub volumes: BTreeMap<String, Volume>,
    pub secrets: BTreeMap<String, File>,
    pub configs: BTreeMap<String, File>,
    /// Services that profiles leave out: not run, but no orphans either.
    pub disabled: Vec<String>,
}

impl Loaded {
    pub fn project(&self) -> Result<Project> {
        let mut project = Project {
            name: self.name.clone(),
            directory: self.directory.clone(),
            files: self.files.clone(),
            environment: self.environment.clone(),
            services: self.section("services")?,
            networks: self.section("networks")?,
            volumes: self.section("volumes")?,
            secrets: self.section("secrets")?,
            configs: self.section("configs")?,
            disabled: self.disabled.iter().cloned().collect(),
        };
        for (name, node) in load::services(&self.tree) {
            if let Some(service) = project.services.get_mut(name) {
                service.name.clone_from(name);
                service.hash = service_hash(node);
            }
        }
        Ok(project)
    }

    fn section<T: for<'de> Deserialize<'de> + Default>(
        &self,
        name: &str,
    ) -> Result<BTreeMap<String, T>> {
        load::section(&self.tree, name)
            .map(|(key, node)| Ok((key.clone(), typed(node, name, key)?)))
            .collect()
    }
}

fn typed<T: for<'de> Deserialize<'de> + Default>(
    node: &Node,
    section: &str,
    key: &str,
) -> Result<T> {
    if node.is_null() {
        return Ok(T::default());
    }
    serde_json::from_value(node.to_json())
        .map_err(|why| Error::value(&node.place, &format!("{section}.{key}"), why.to_string()))
}

impl Project {
    /// A service and all that it needs, each before what needs it.
    pub fn in_order(&self, wanted: &[String]) -> Vec<&Service> {
        let mut order = Vec::new();
        let all: Vec<&String> = match wanted.is_empty() {
            true => self.services.keys().collect(),
            false => wanted.iter().collect(),
        };
        for name in all {
            self.visit(name, &mut order);
        }
        order
    }

    fn visit<'a>(&'a self, name: &str, order: &mut Vec<&'a Service>) {
        let Some(service) = self.services.get(name) else { return };
        if order.iter().any(|known| known.name == name) {
            return;
        }
        for dependency in service.depends_on.keys() {
            self.visit(dependency, order);
        }
        // A cycle would have been refused when the project was loaded.
        if !order.iter().any(|known| known.name == name) {
            order.push(service);
        }
    }
}

/// Bytes, which a model writes as a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes(pub i64);

/// Nanoseconds, which a model writes as Go does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nanoseconds(pub i64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parsed(units::bytes)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parsed(units::duration)).map(Self)
    }
}

struct Parsed(fn(&str) -> Result<i64, String>);

impl Visitor<'_> for Parsed {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number with a unit")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        (self.0)(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(E::custom)
    }
}
