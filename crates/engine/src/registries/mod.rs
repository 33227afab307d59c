//! Registries, as the engine's options say they are to be asked, and what is being fetched from them just now.

mod layers;
mod login;
mod search;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::registry::AuthConfig;
use registry::client::{Credentials, Places, Proxies, Settings};
use store::Store;

use crate::config::Live;

pub use layers::{Arriving, Came, Failure, Layers, State};
pub use search::Search;
pub use words::{Refused, pulled, pushed};

/// A handle that is cheap to copy.
#[derive(Clone)]
pub struct Registries {
    config: Live,
    pub layers: Arc<Layers>,
}

impl Registries {
    pub fn new(config: Live, store: Arc<Store>) -> Self {
        Self { config, layers: Arc::new(Layers::new(store)) }
    }

    pub fn settings(&self) -> Settings {
        let config = self.config.now();
        let places = Places {
            insecure: config.insecure_registries.clone(),
            mirrors: config.registry_mirrors.clone(),
            certificates: certificates(),
            proxies: self.proxies(),
        };
        let attempts = u32::try_from(config.max_download_attempts.max(1)).unwrap_or(u32::MAX);
        Settings { places, attempts, ..Settings::default() }
    }

    /// What stands between the engine and the servers it asks.
    pub fn proxies(&self) -> Proxies {
        let config = self.config.now();
        Proxies::new(&config.http_proxy, &config.https_proxy, &config.no_proxy)
    }

    pub fn downloads_at_once(&self) -> usize {
        at_once(self.config.now().max_concurrent_downloads)
    }

    pub fn uploads_at_once(&self) -> usize {
        at_once(self.config.now().max_concurrent_uploads)
    }
}

/// 0 is no limit, as in Docker.
fn at_once(option: i64) -> usize {
    usize::try_from(option).ok().filter(|most| *most > 0).unwrap_or(usize::MAX >> 4)
}

/// Docker's folder; for an ordinary user the one in his own configuration.
fn certificates() -> PathBuf {
    let own = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
    let user = own.map(|own| own.join("docker/certs.d")).filter(|folder| folder.is_dir());
    user.filter(|_| !rustix::process::geteuid().is_root())
        .unwrap_or_else(|| "/etc/docker/certs.d".into())
}

pub fn credentials(auth: AuthConfig) -> Credentials {
    let auth = auth.with_password();
    Credentials {
        username: auth.username,
        password: auth.password,
        identity_token: auth.identitytoken,
        registry_token: auth.registrytoken,
    }
}
