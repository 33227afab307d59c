//! The configuration while the engine runs: what a reload may change, and how it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Config;

/// The configuration as of the last reload; a handle that is cheap to copy.
#[derive(Clone)]
pub struct Live(Arc<RwLock<Arc<Config>>>);

impl Live {
    pub fn new(config: Arc<Config>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    pub fn now(&self) -> Arc<Config> {
        // It is replaced as a whole, so a panic elsewhere does not spoil it.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what may change while the engine runs.
    pub fn reload(&self, new: &Config) -> Arc<Config> {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(current.reloaded(new));
        Arc::clone(&current)
    }
}

impl Config {
    /// This configuration with what dockerd's reference calls reloadable taken from `new`.
    pub fn reloaded(&self, new: &Self) -> Self {
        let new = new.clone();
        Self {
            allow_nondistributable_artifacts: new.allow_nondistributable_artifacts,
            authorization_plugins: new.authorization_plugins,
            debug: new.debug,
            default_ipc_mode: new.default_ipc_mode,
            default_runtime: new.default_runtime,
            default_shm_size: new.default_shm_size,
            features: new.features,
            insecure_registries: new.insecure_registries,
            labels: new.labels,
            log_level: new.log_level,
            max_concurrent_downloads: new.max_concurrent_downloads,
            max_concurrent_uploads: new.max_concurrent_uploads,
            max_download_attempts: new.max_download_attempts,
            registry_mirrors: new.registry_mirrors,
            runtimes: new.runtimes,
            shutdown_timeout: new.shutdown_timeout,
            ..self.clone()
        }
    }

    /// The attributes of the event `daemon reload`, in Docker's notation.
    pub fn reload_attributes(&self, default_cgroupns_mode: &str) -> BTreeMap<String, String> {
        let list = |list: &[String]| serde_json::to_string(list).unwrap_or_default();
        let features = self.features.iter().map(|(name, on)| format!("{name}:{on}"));
        let runtimes =
            self.runtimes.iter().map(|(name, runtime)| format!("{name}:{}", runtime.path));
        let join = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(" ");
        let attributes = [
            ("allow-nondistributable-artifacts", list(&self.allow_nondistributable_artifacts)),
            ("debug", self.debug.to_string()),
            ("default-cgroupns-mode", default_cgroupns_mode.to_owned()),
            ("default-ipc-mode", self.default_ipc_mode.clone()),
            ("default-runtime", self.default_runtime().to_owned()),
            ("default-shm-size", self.default_shm_size.to_string()),
            ("features", format!("map[{}]", join(&mut features.into_iter()))),
            ("insecure-registries", list(&self.insecure_registries)),
            ("labels", list(&self.labels)),
            ("live-restore", "true".to_owned()),
            ("max-concurrent-downloads", self.max_concurrent_downloads.to_string()),
            ("max-concurrent-uploads", self.max_concurrent_uploads.to_string()),
            ("max-download-attempts", self.max_download_attempts.to_string()),
            ("registry-mirrors", list(&self.registry_mirrors)),
            ("runtimes", join(&mut runtimes.into_iter())),
            ("shutdown-timeout", self.shutdown_timeout.to_string()),
        ];
        attributes.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_not_reloadable_stays_as_it_was() {
        let live = Live::new(Arc::new(config(r#"{"bip": "10.1.0.1/24", "labels": ["a=1"]}"#)));
        let new = config(
            r#"{"bip": "10.2.0.1/24", "labels": ["b=2"], "debug": true, "shutdown-timeout": 7}"#,
        );
        let applied = live.reload(&new);
        assert_eq!(applied.labels, ["b=2"]);
        assert_eq!((applied.debug, applied.shutdown_timeout), (true, 7));
        assert_eq!(applied.bip, "10.1.0.1/24");
        assert!(*applied != new, "the caller can tell that something needs a restart");
        assert_eq!(*live.now(), *applied);
    }

    /// As dockerd 26 told of this file.
    #[test]
    fn the_event_has_dockers_notation() {
        let config = config(
            r#"{"labels": ["b=2", "a=1"], "debug": true, "shutdown-timeout": 7,
                "runtimes": {"foo": {"path": "/bin/foo"}, "bar": {"path": "/bin/bar", "runtimeArgs": ["x"]}},
                "default-runtime": "runc", "max-concurrent-downloads": 9, "features": {"x": true, "a": false},
                "insecure-registries": ["10.0.0.0/8", "reg:5000"], "registry-mirrors": ["https://m.example"]}"#,
        );
        let told: Vec<_> =
            config.reload_attributes("host").into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        let expected = [
            "allow-nondistributable-artifacts=[]",
            "debug=true",
            "default-cgroupns-mode=host",
            "default-ipc-mode=private",
            "default-runtime=runc",
            "default-shm-size=67108864",
            "features=map[a:false x:true]",
            "insecure-registries=[\"10.0.0.0/8\",\"reg:5000\"]",
            "labels=[\"b=2\",\"a=1\"]",
            "live-restore=true",
            "max-concurrent-downloads=9",
            "max-concurrent-uploads=5",
            "max-download-attempts=5",
            "registry-mirrors=[\"https://m.example\"]",
            "runtimes=bar:/bin/bar foo:/bin/foo",
            "shutdown-timeout=7",
        ];
        assert_eq!(told, expected);
    }
}
