//! The engine as its parts: one service for each noun, which holds only the handles it needs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use network::publish::Outside;
use network::{AddressPool, Identity, Network, Options, Recovery, Rules, Subnet};
use store::Store;

use crate::apparmor;
use crate::audit::Audit;
use crate::authorization::{Authorization, Folders};
use crate::builds::Builds;
use crate::builds::cache::gc_policy;
use crate::config::{Config, Live};
use crate::containers::{Containers, Disk, Parts, Proxy, Survey};
use crate::error::{Error, Result, blocking};
use crate::events::Events;
use crate::images::Images;
use crate::networks::{self, Directory, Networks};
use crate::registries::Registries;
use crate::rootless::Host;
use crate::runtime_binary::RuntimeBinary;
use crate::system::System;
use crate::system::identity::read_or_make;
use crate::volumes::Volumes;

pub struct Engine {
    pub events: Events,
    pub images: Images,
    pub registries: Registries,
    pub containers: Containers,
    pub networks: Networks,
    pub volumes: Volumes,
    pub builds: Builds,
    pub system: System,
    pub authorization: Authorization,
    /// Where changes are written down, if they are.
    pub audit: Option<Audit>,
}

impl Engine {
    /// Opens what lies in the roots, which the caller holds, and adopts what lives.
    pub async fn open(config: Config, runtime: RuntimeBinary, host: Option<Host>) -> Result<Self> {
        let audit = config.audit_log.as_deref().map(Audit::open).transpose()?;
        let authorization = Authorization::new(Folders::default());
        authorization.require(&config.authorization_plugins).await?;
        let config = Arc::new(config);
        let live = Live::new(Arc::clone(&config));
        let events = Events::open(&config.exec_root)
            .map_err(|error| Error::system("cannot keep events").because(error))?;
        let (opened, runtime) = (Arc::clone(&config), Arc::new(runtime));
        let runner = Arc::clone(&runtime);
        let State { store, id, identity, network, proxy, networks, survey } =
            blocking(move || State::open(&opened, runner, host)).await?;
        let volumes = Volumes::new(Arc::clone(&store), events.clone());
        let parts = Parts {
            config: live.clone(),
            events: events.clone(),
            runtime,
            network: Arc::clone(&network),
            proxy,
            networks: networks.clone(),
            disk: Disk::new(Arc::clone(&store)),
            volumes: volumes.clone(),
            identity,
            survey,
        };
        if let Err(error) = blocking(apparmor::load_default).await {
            tracing::error!("{error}");
        }
        let containers = Containers::open(parts).await?;
        let (kept, told) = (Arc::clone(&store), events.clone());
        let defaults = config.default_network_opts.clone();
        let networks = Networks::new(network, kept, told, networks, containers.clone(), defaults);
        let registries = Registries::new(live.clone(), Arc::clone(&store));
        let images =
            Images::new(Arc::clone(&store), events.clone(), containers.clone(), registries.clone());
        let builds =
            Builds::new(Arc::clone(&store), images.clone(), containers.clone(), events.clone());
        let system = System {
            config: live,
            events: events.clone(),
            images: images.clone(),
            containers: containers.clone(),
            volumes: volumes.clone(),
            builds: builds.clone(),
            store,
            id,
        };
        Ok(Self {
            events,
            images,
            registries,
            containers,
            networks,
            volumes,
            builds,
            system,
            authorization,
            audit,
        })
    }
}

/// What lies in the roots and in the kernel.
struct State {
    store: Arc<Store>,
    id: String,
    identity: Identity,
    network: Arc<Network>,
    proxy: Arc<Proxy>,
    networks: Directory,
    survey: Survey,
}

impl State {
    fn open(config: &Config, runtime: Arc<RuntimeBinary>, host: Option<Host>) -> Result<Self> {
        let store = Arc::new(Store::open(&config.data_root)?);
        if config.container_size() > 0 && !store.has_quotas() {
            return Err(Error::invalid(
                "Storage option overlay2.size not supported. Filesystem does not support Project Quota",
            ));
        }
        let policy = gc_policy(&config.builder.gc).map_err(Error::invalid)?;
        store.builds().set_policy(policy);
        let id = read_or_make(&config.data_root)?;
        let identity = Identity::new(&id);
        let survey = Survey::take(&Disk::new(Arc::clone(&store)), config)?;
        let recorded = networks::recorded(&store)?;
        let recovery = Recovery {
            networks: recorded.iter().filter_map(|record| record.made.clone()).collect(),
            interfaces: survey.interfaces(),
        };
        // An ordinary user's networks are not in the host's firewall.
        let system_bus = host.is_none().then(dbus::system_socket);
        let host = match rules(config) {
            // The engine of an ordinary user serves ports anyway.
            Rules::AllButPorts | Rules::None if host.is_none() => Some(Host::of_root()?),
            _ => host,
        };
        let serves_host = host.is_some();
        let proxy = Arc::new(Proxy::new(&config.exec_root, identity.table(), runtime, host));
        let outside = serves_host.then(|| Arc::clone(&proxy) as Arc<dyn Outside>);
        let options = Options { system_bus, ..network_options(config, outside)? };
        let (network, failures) = Network::open(identity.clone(), options, recovery)
            .map_err(|error| Error::system("cannot set up the networks").because(error))?;
        for failure in failures {
            tracing::warn!("a network is not as it was: {failure}");
        }
        let builtin = networks::builtin(&network, &identity, &config.data_root);
        let networks = Directory::new(recorded.into_iter().chain(builtin));
        Ok(Self { store, id, identity, network: Arc::new(network), proxy, networks, survey })
    }
}

/// What is not the tables' to do, the proxy does.
fn rules(config: &Config) -> Rules {
    match config.publish_mode.as_str() {
        _ if !config.iptables => Rules::None,
        "host-policy" => Rules::AllButPorts,
        _ => Rules::All,
    }
}

/// What the options of the default network mean.
///
/// # Errors
/// The option that means nothing.
pub fn network_options(config: &Config, outside: Option<Arc<dyn Outside>>) -> Result<Options> {
    let invalid = |flag: &str, cause| Error::invalid(format!("invalid --{flag}")).because(cause);
    let bip = match config.bip.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|error| invalid("bip", error))?),
    };
    let subnet = |flag: &str, text: &str| match text {
        "" => Ok(None),
        text => text
            .parse::<Subnet>()
            .map(Some)
            .map_err(|error| Error::invalid(format!("invalid --{flag}")).because(error)),
    };
    match config.bridge.as_str() {
        "" => {}
        _ if bip.is_some() => {
            return Err(Error::invalid(
                "You specified -b & --bip, mutually exclusive options. Please specify only one",
            ));
        }
        _ => {}
    }
    let mut pools = Vec::new();
    for pool in &config.default_address_pools {
        let text = format!("base={},size={}", pool.base, pool.size);
        let pool: AddressPool = text
            .parse()
            .map_err(|error| Error::invalid("invalid --default-address-pool").because(error))?;
        pools.push(pool);
    }
    if pools.is_empty() {
        pools = AddressPool::defaults();
    }
    Ok(Options {
        bip,
        bridge: Some(config.bridge.clone()).filter(|name| !matches!(name.as_str(), "" | "none")),
        without_default: config.bridge == "none",
        fixed_cidr: subnet("fixed-cidr", &config.fixed_cidr)?,
        ipv6: config.ipv6,
        fixed_cidr_v6: subnet("fixed-cidr-v6", &config.fixed_cidr_v6)?,
        gateways: config.default_gateway.into_iter().chain(config.default_gateway_v6).collect(),
        pools,
        mtu: u32::try_from(config.mtu).ok().filter(|mtu| *mtu > 0).unwrap_or(1500),
        icc: config.icc,
        ip_masq: config.ip_masq,
        ip_forward: config.ip_forward,
        // 0.0.0.0 is Docker's default, and means IPv6 as well.
        ip: config.publish_default_bind.or(config.ip).filter(|ip| *ip != Ipv4Addr::UNSPECIFIED),
        protected: true,
        rules: rules(config),
        outside,
        system_bus: None,
    })
}
