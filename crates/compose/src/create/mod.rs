//! A service as the engine is asked for it. Pure: what is not known before (ids of images, containers of other services)
//! is an argument.

mod files;
mod host;
mod mounts;
mod networks;

use std::collections::BTreeMap;

use api::containers::{Config, CreateRequest, HealthConfig};
use api::{Empty, StrSlice};

use crate::labels;
use crate::model::{Healthcheck, Project, Service};

pub(crate) use files::{Copied, files};
pub(crate) use host::host_config;
pub(crate) use networks::{network, volume};

/// What a container is made of beside its service.
pub(crate) struct Making<'a> {
    pub(crate) project: &'a Project,
    pub(crate) service: &'a Service,
    pub(crate) number: usize,
    pub(crate) one_off: bool,
    /// The id of its image.
    pub(crate) image_id: &'a str,
    /// Volumes without a name that a container before it had, by target.
    pub(crate) carried: &'a BTreeMap<String, String>,
    /// The container whose place it takes.
    pub(crate) replaces: Option<&'a str>,
}

/// The name of a service's container.
pub(crate) fn name(project: &Project, service: &Service, number: usize) -> String {
    if service.container_name.is_empty() {
        format!("{}-{}-{number}", project.name, service.name)
    } else {
        service.container_name.clone()
    }
}

impl Making<'_> {
    pub(crate) fn request(&self) -> Result<CreateRequest, String> {
        self.request_named(&self.name())
    }

    /// As `request`, for a container that has another name than its service would give it.
    pub(crate) fn request_named(&self, name: &str) -> Result<CreateRequest, String> {
        let Self { project, service, .. } = self;
        let host_config = host::host_config(project, service, self.carried)?;
        let networking = networks::endpoints(project, service, self.one_off, name);
        Ok(CreateRequest {
            config: self.config(),
            host_config: Some(host_config),
            networking_config: Some(networking),
        })
    }

    pub(crate) fn name(&self) -> String {
        name(self.project, self.service, self.number)
    }

    fn config(&self) -> Config {
        let service = self.service;
        let words = |words: &Option<Vec<String>>| {
            words.as_ref().filter(|words| !words.is_empty()).map(|words| StrSlice(words.clone()))
        };
        Config {
            hostname: service.hostname.clone(),
            domainname: service.domainname.clone(),
            user: service.user.clone(),
            attach_stdout: true,
            attach_stderr: true,
            exposed_ports: Some(exposed(service)),
            tty: service.tty,
            open_stdin: service.stdin_open,
            env: Some(variables(&service.environment)),
            cmd: words(&service.command),
            // An empty list takes the image's away, and that is said by one empty word.
            entrypoint: match &service.entrypoint {
                Some(none) if none.is_empty() => Some(StrSlice(vec![String::new()])),
                some => words(some),
            },
            healthcheck: service.healthcheck.as_ref().map(health),
            image: service.image_name(&self.project.name),
            working_dir: service.working_dir.clone(),
            mac_address: service.mac_address.clone(),
            labels: Some(self.labels()),
            stop_signal: service.stop_signal.clone(),
            stop_timeout: service.stop_grace_period.map(|grace| grace.0.div_euclid(1_000_000_000)),
            ..Config::default()
        }
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let Self { project, service, .. } = self;
        let one_off = if self.one_off { "True" } else { "False" };
        let own = [
            (labels::PROJECT, project.name.clone()),
            (labels::SERVICE, service.name.clone()),
            (labels::NUMBER, self.number.to_string()),
            (labels::ONE_OFF, one_off.to_owned()),
            (labels::CONFIG_HASH, service.hash.clone()),
            (labels::IMAGE, self.image_id.to_owned()),
            (labels::WORKING_DIR, project.directory.to_string_lossy().into_owned()),
            (labels::CONFIG_FILES, project.files.join(",")),
            (labels::DEPENDS_ON, labels::depends_on(service)),
            (labels::VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let replaces = self.replaces.map(|other| (labels::REPLACES, other.to_owned()));
        let own = own.into_iter().chain(replaces);
        let mut labels = service.labels.clone();
        labels.extend(own.map(|(name, value)| (name.to_owned(), value)));
        labels
    }
}

/// Ports that others on the network are told of.
fn exposed(service: &Service) -> BTreeMap<String, Empty> {
    let with_protocol = |port: &String| match port.contains('/') {
        true => port.clone(),
        false => format!("{port}/tcp"),
    };
    let said = service.expose.iter().map(with_protocol);
    let published = service.ports.iter().map(|port| format!("{}/{}", port.target, port.protocol));
    said.chain(published).map(|port| (port, Empty {})).collect()
}

/// A variable without value is taken away from the image's.
pub(crate) fn variables(environment: &BTreeMap<String, Option<String>>) -> Vec<String> {
    let line = |(name, value): (&String, &Option<String>)| match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    environment.iter().map(line).collect()
}

fn health(check: &Healthcheck) -> HealthConfig {
    let test = if check.disable { vec!["NONE".to_owned()] } else { check.test.clone() };
    HealthConfig {
        test,
        interval: check.interval.0,
        timeout: check.timeout.0,
        start_period: check.start_period.0,
        start_interval: check.start_interval.0,
        retries: check.retries,
    }
}
