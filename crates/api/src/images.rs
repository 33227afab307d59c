//! Images.

use std::collections::BTreeMap;

use crate::containers::{Config, GraphDriver, HealthConfig};
use crate::go::{Empty, Nilable, StrSlice, is_empty, none_or_empty, wire};

wire! {
    /// One element of `GET /images/json`. Sizes in bytes, -1 where not computed.
    pub struct Summary {
        pub containers: i64,
        /// Unix seconds.
        pub created: i64,
        pub id: String,
        pub labels: Option<BTreeMap<String, String>>,
        pub parent_id: String,
        /// Since 1.48, of images that came with a manifest.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub descriptor: Option<Descriptor>,
        /// Since 1.47, if asked for.
        #[serde(skip_serializing_if = "none_or_empty")]
        pub manifests: Option<Vec<ManifestSummary>>,
        /// Null for none before 1.43.
        pub repo_digests: Option<Vec<String>>,
        /// Null for none in `system df`.
        pub repo_tags: Option<Vec<String>>,
        pub shared_size: i64,
        pub size: i64,
        /// Before 1.44 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub virtual_size: Option<i64>,
    }

    /// `GET /images/{name}/json`.
    pub struct Inspect {
        pub id: String,
        pub repo_tags: Vec<String>,
        pub repo_digests: Vec<String>,
        /// Omitted from 1.52 where there is none; so are `comment`, `docker_version` and `author`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub parent: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub comment: Option<String>,
        #[serde(skip_serializing_if = "is_empty")]
        pub created: String,
        /// Before 1.45 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container: Option<String>,
        /// Before 1.45 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_config: Option<Config>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub docker_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub author: Option<String>,
        pub config: Option<ImageConfig>,
        pub architecture: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub variant: String,
        pub os: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub os_version: String,
        pub size: i64,
        /// Before 1.44 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub virtual_size: Option<i64>,
        pub graph_driver: GraphDriver,
        #[serde(rename = "RootFS")]
        pub root_fs: RootFs,
        pub metadata: Metadata,
        /// Since 1.48, of images that came with a manifest.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub descriptor: Option<Descriptor>,
        /// Since 1.48, if asked for.
        #[serde(skip_serializing_if = "none_or_empty")]
        pub manifests: Option<Vec<ManifestSummary>>,
    }

    /// An image's defaults, as inspect shows them: until 1.49 in the form of a container's configuration, whose other
    /// fields are always empty.
    pub struct ImageConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub hostname: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub domainname: Option<String>,
        /// From 1.52 on omitted where empty, as all that follow.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attach_stdin: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attach_stdout: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attach_stderr: Option<bool>,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub exposed_ports: Option<BTreeMap<String, Empty>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub tty: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub open_stdin: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub stdin_once: Option<bool>,
        #[serde(skip_serializing_if = "Nilable::is_omitted")]
        pub env: Nilable<Vec<String>>,
        #[serde(skip_serializing_if = "Nilable::is_omitted")]
        pub cmd: Nilable<StrSlice>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub healthcheck: Option<HealthConfig>,
        #[serde(skip_serializing_if = "is_empty")]
        pub args_escaped: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image: Option<String>,
        #[serde(skip_serializing_if = "Nilable::is_omitted")]
        pub volumes: Nilable<BTreeMap<String, Empty>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub working_dir: Option<String>,
        #[serde(skip_serializing_if = "Nilable::is_omitted")]
        pub entrypoint: Nilable<StrSlice>,
        #[serde(skip_serializing_if = "is_empty")]
        pub network_disabled: bool,
        #[serde(skip_serializing_if = "is_empty")]
        pub mac_address: String,
        #[serde(skip_serializing_if = "Nilable::is_omitted")]
        pub on_build: Nilable<Vec<String>>,
        #[serde(skip_serializing_if = "Nilable::is_omitted")]
        pub labels: Nilable<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "is_empty")]
        pub stop_signal: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub stop_timeout: Option<i64>,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub shell: Option<StrSlice>,
    }

    /// One manifest of an image. Sizes in bytes.
    pub struct ManifestSummary {
        /// Its digest.
        #[serde(rename = "ID")]
        pub id: String,
        pub descriptor: Descriptor,
        /// Whether its image is here whole.
        pub available: bool,
        pub size: ManifestSize,
        /// `image`, `attestation` or `unknown`.
        pub kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_data: Option<ImageData>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attestation_data: Option<AttestationData>,
    }

    pub struct ManifestSize {
        /// Documents and unpacked files.
        pub total: i64,
        /// Documents alone: layers are kept unpacked only.
        pub content: i64,
    }

    /// Of a manifest of the kind `image`.
    pub struct ImageData {
        pub platform: Platform,
        /// Ids of those that use it.
        pub containers: Vec<String>,
        pub size: ImageDataSize,
    }

    pub struct ImageDataSize {
        pub unpacked: i64,
    }

    /// Of a manifest of the kind `attestation`.
    pub struct AttestationData {
        /// The digest of the manifest it is about.
        #[serde(rename = "For")]
        pub subject: String,
    }

    pub struct RootFs {
        #[serde(rename = "Type")]
        pub kind: String,
        /// Diff IDs, lowest first.
        #[serde(skip_serializing_if = "is_empty")]
        pub layers: Vec<String>,
    }

    pub struct Metadata {
        /// `0001-01-01T00:00:00Z` where it was never tagged here.
        pub last_tag_time: String,
    }

    /// An OCI descriptor.
    pub struct Descriptor {
        #[serde(rename = "mediaType")]
        pub media_type: String,
        #[serde(rename = "digest")]
        pub digest: String,
        #[serde(rename = "size")]
        pub size: i64,
        #[serde(rename = "urls", skip_serializing_if = "is_empty")]
        pub urls: Vec<String>,
        #[serde(rename = "annotations", skip_serializing_if = "is_empty")]
        pub annotations: BTreeMap<String, String>,
        #[serde(rename = "platform", skip_serializing_if = "Option::is_none")]
        pub platform: Option<Platform>,
        #[serde(rename = "artifactType", skip_serializing_if = "is_empty")]
        pub artifact_type: String,
    }

    /// An OCI platform.
    pub struct Platform {
        #[serde(rename = "architecture")]
        pub architecture: String,
        #[serde(rename = "os")]
        pub os: String,
        #[serde(rename = "os.version", skip_serializing_if = "is_empty")]
        pub os_version: String,
        #[serde(rename = "os.features", skip_serializing_if = "is_empty")]
        pub os_features: Vec<String>,
        #[serde(rename = "variant", skip_serializing_if = "is_empty")]
        pub variant: String,
    }

    /// One element of `GET /images/{name}/history`, newest first.
    pub struct HistoryItem {
        pub comment: String,
        /// Unix seconds.
        pub created: i64,
        pub created_by: String,
        /// `<missing>` for layers that no image here ends with.
        pub id: String,
        pub size: i64,
        pub tags: Option<Vec<String>>,
    }

    /// One element of the answer to `DELETE /images/{name}`: exactly one of the two is set.
    pub struct DeleteItem {
        #[serde(skip_serializing_if = "is_empty")]
        pub untagged: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub deleted: String,
    }

    pub struct PruneReport {
        pub images_deleted: Option<Vec<DeleteItem>>,
        pub space_reclaimed: u64,
    }
}

/// As it is until 1.49.
impl From<Config> for ImageConfig {
    fn from(config: Config) -> Self {
        Self {
            hostname: Some(config.hostname),
            domainname: Some(config.domainname),
            user: Some(config.user),
            attach_stdin: Some(config.attach_stdin),
            attach_stdout: Some(config.attach_stdout),
            attach_stderr: Some(config.attach_stderr),
            exposed_ports: config.exposed_ports,
            tty: Some(config.tty),
            open_stdin: Some(config.open_stdin),
            stdin_once: Some(config.stdin_once),
            env: config.env.into(),
            cmd: config.cmd.into(),
            healthcheck: config.healthcheck,
            args_escaped: config.args_escaped,
            image: Some(config.image),
            volumes: config.volumes.into(),
            working_dir: Some(config.working_dir),
            entrypoint: config.entrypoint.into(),
            network_disabled: config.network_disabled,
            mac_address: config.mac_address,
            on_build: config.on_build,
            labels: config.labels.into(),
            stop_signal: config.stop_signal,
            stop_timeout: config.stop_timeout,
            shell: config.shell,
        }
    }
}

impl ImageConfig {
    /// Leaves out what images never have (from 1.50).
    pub(crate) fn without_containers_fields(&mut self) {
        let kept = std::mem::take(self);
        *self = Self {
            user: kept.user,
            exposed_ports: kept.exposed_ports,
            env: kept.env,
            cmd: kept.cmd,
            healthcheck: kept.healthcheck,
            args_escaped: kept.args_escaped,
            volumes: kept.volumes,
            working_dir: kept.working_dir,
            entrypoint: kept.entrypoint,
            on_build: kept.on_build,
            labels: kept.labels,
            stop_signal: kept.stop_signal,
            shell: kept.shell,
            ..Self::default()
        };
    }

    /// Leaves out what is not set (from 1.52).
    pub(crate) fn omit_empty(&mut self) {
        for text in [&mut self.user, &mut self.working_dir] {
            *text = text.take().filter(|text| !text.is_empty());
        }
        self.env.omit_empty();
        self.cmd.omit_empty();
        self.volumes.omit_empty();
        self.entrypoint.omit_empty();
        self.on_build.omit_empty();
        self.labels.omit_empty();
    }
}
