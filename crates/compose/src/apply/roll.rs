//! New containers in the places of a service's old ones, while the service goes on: a new one is started where nobody finds
//! it, gets the service's names once it is as it should be, and only then the old one loses them and is stopped. Old ones
//! are kept until the last new one is there, so that a failure has something to go back to.

use std::collections::BTreeMap;
use std::time::Duration;

use api::networks::{ConnectNetwork, DisconnectNetwork, EndpointSettings};
use client::containers::Remove;

use super::{Apply, Error, EventState, Result, hooks, stop};
use crate::create;
use crate::model::{Condition, Nanoseconds, Service};
use crate::plan::Replaced;

/// What was told an address before its names went may still come with it.
const DRAIN: Duration = Duration::from_millis(500);
/// How long a container without a health check must run to be taken for one that does.
const MONITOR: Duration = Duration::from_secs(1);

type Endpoints = BTreeMap<String, EndpointSettings>;

/// A container, and how it is to be found on each network.
struct Place {
    id: String,
    endpoints: Endpoints,
}

struct Swap {
    name: String,
    old: Place,
    new: Place,
}

impl Apply<'_> {
    pub(super) async fn roll(&self, service: &str, replaced: &[Replaced]) -> Result {
        let service = self.service(service)?;
        let mut swaps = Vec::new();
        for old in replaced {
            let swap = self.begin(service, old).await?;
            let subject = format!("Container {}", swap.name);
            let handed_over = self.hand_over(service, &swap);
            let result = self.reported(&subject, ("Replacing", "Replaced"), handed_over).await;
            swaps.push(swap);
            if let Err(error) = result {
                return Err(self.roll_back(service, &swaps, error).await);
            }
            if swaps.len() < replaced.len() {
                tokio::time::sleep(delay(service)).await;
            }
        }
        for Swap { name, old, new } in &swaps {
            self.client.container_remove(&old.id, Remove::default()).await?;
            self.client.container_rename(&new.id, name).await?;
        }
        Ok(())
    }

    /// The new one, made and not found by anybody.
    async fn begin(&self, service: &Service, replaced: &Replaced) -> Result<Swap> {
        let Replaced { number, id, carried } = replaced;
        let before = self.client.container_inspect(id).await?;
        let before = before.network_settings.networks.unwrap_or_default();
        let making = self.making(service, *number, carried, Some(id));
        let mut request = making.request().map_err(Error::Failed)?;
        let endpoints =
            request.networking_config.iter_mut().flat_map(|it| &mut it.endpoints_config);
        let mut wanted = Endpoints::new();
        for (network, settings) in endpoints.flatten() {
            wanted.insert(network.clone(), settings.clone());
            settings.aliases = None;
        }
        let name = create::name(self.project, service, *number);
        let short = id.get(..12).unwrap_or(id);
        let new = self.make_of(&making, &request, &format!("{short}_{name}")).await?;
        Ok(Swap {
            name,
            old: Place { id: id.clone(), endpoints: before },
            new: Place { id: new, endpoints: wanted },
        })
    }

    async fn hand_over(&self, service: &Service, Swap { old, new, .. }: &Swap) -> Result {
        self.client.container_start(&new.id, "").await?;
        hooks::post_start(self.client, &new.id, service).await?;
        self.until_good(service, &new.id).await?;
        self.show(new).await?;
        self.hide(old).await?;
        tokio::time::sleep(DRAIN).await;
        hooks::pre_stop(self.client, &old.id, service).await?;
        Ok(self.client.container_stop(&old.id, &stop(self.timeout)).await?)
    }

    /// Healthy where it says what that is; else it must stay for a while.
    async fn until_good(&self, service: &Service, id: &str) -> Result {
        let container = self.client.container_inspect(id).await?;
        let name = container.name.trim_start_matches('/');
        if container.state.health.is_some() {
            return self.until(name, Condition::Healthy).await;
        }
        let ended = self.until(name, Condition::Completed);
        let ended = tokio::time::timeout(monitor(service), ended).await;
        let container = self.client.container_inspect(id).await?;
        if ended.is_err() && container.state.running && container.restart_count == 0 {
            return Ok(());
        }
        let code = container.state.exit_code;
        Err(Error::Failed(format!("container {name} exited ({code})")))
    }

    /// The old ones, which are there, run again before the new ones go.
    async fn roll_back(&self, service: &Service, swaps: &[Swap], why: Error) -> Error {
        for Swap { name, old, new } in swaps.iter().rev() {
            let back = async {
                self.run_again(service, &old.id).await?;
                self.show(old).await?;
                self.hide(new).await?;
                if self.client.container_inspect(&new.id).await?.state.running {
                    tokio::time::sleep(DRAIN).await;
                    self.client.container_stop(&new.id, &stop(self.timeout)).await?;
                }
                let remove = Remove { force: true, ..Remove::default() };
                Ok(self.client.container_remove(&new.id, remove).await?)
            };
            let back: Result = back.await;
            let subject = format!("Container {name}");
            if let Err(error) = back {
                self.tell(&subject, "Error", EventState::Failed);
                return Error::Failed(format!("{why}; going back failed as well: {error}"));
            }
            self.tell(&subject, "Rolled back", EventState::Done);
        }
        why
    }

    /// Until it serves as it did before, as far as that can be known.
    async fn run_again(&self, service: &Service, id: &str) -> Result {
        let before = self.client.container_inspect(id).await?;
        let name = before.name.trim_start_matches('/');
        self.client.container_start(id, "").await?;
        match (before.state.health.is_some(), before.state.running) {
            (true, _) => self.until(name, Condition::Healthy).await,
            (false, true) => Ok(()),
            (false, false) => {
                tokio::time::sleep(monitor(service)).await;
                Ok(())
            }
        }
    }

    /// Others find it from now on.
    async fn show(&self, place: &Place) -> Result {
        for (network, settings) in &place.endpoints {
            match self.set_aliases(network, &place.id, settings.clone()).await {
                // Another engine knows no way but this, on which the container is away for a moment.
                Err(error) if error.status() == Some(403) => {
                    self.reconnect(network, &place.id, settings).await?;
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Others no longer find it by the service's names; what is under way goes on. Where the engine cannot, it is found
    /// until it stops.
    async fn hide(&self, place: &Place) -> Result {
        for network in place.endpoints.keys() {
            match self.set_aliases(network, &place.id, EndpointSettings::default()).await {
                Err(error) if error.status() == Some(403) => {}
                result => result?,
            }
        }
        Ok(())
    }

    async fn set_aliases(
        &self,
        network: &str,
        container: &str,
        settings: EndpointSettings,
    ) -> client::Result<()> {
        let request = ConnectNetwork {
            container: container.to_owned(),
            endpoint_config: Some(settings),
            aliases_only: true,
        };
        self.client.network_connect(network, &request).await
    }

    async fn reconnect(&self, network: &str, id: &str, settings: &EndpointSettings) -> Result {
        let container = id.to_owned();
        let leave = DisconnectNetwork { container: container.clone(), force: false };
        self.client.network_disconnect(network, &leave).await?;
        let join = ConnectNetwork {
            container,
            endpoint_config: Some(settings.clone()),
            aliases_only: false,
        };
        Ok(self.client.network_connect(network, &join).await?)
    }
}

fn monitor(service: &Service) -> Duration {
    update(service, |update| update.monitor).unwrap_or(MONITOR)
}

fn delay(service: &Service) -> Duration {
    update(service, |update| update.delay).unwrap_or_default()
}

fn update(
    service: &Service,
    value: impl Fn(&crate::model::UpdateConfig) -> Option<Nanoseconds>,
) -> Option<Duration> {
    let update = service.deploy.as_ref()?.update_config.as_ref()?;
    Some(Duration::from_nanos(u64::try_from(value(update)?.0).unwrap_or_default()))
}
