//! Builds: what is wished, and what is told while one runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::containers::Ulimit;

/// What is to be built, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildOptions {
    pub dockerfile: Dockerfile,
    /// The last stage where it is empty.
    pub target: String,
    /// Values of ARGs. None is "no value, and not the default either".
    pub build_args: BTreeMap<String, Option<String>>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub tags: Vec<String>,
    /// `os/arch[/variant]`; the engine's own where there is none.
    pub platforms: Vec<String>,
    pub no_cache: bool,
    /// Stages whose steps run anew.
    pub no_cache_filter: Vec<String>,
    pub pull: bool,
    /// By name: `local:` for one that the client gives (the main one is `context`), else `docker-image://`, `https://`, ...
    pub contexts: BTreeMap<String, String>,
    /// Of RUN steps: `default`, `none` or `host`.
    pub network: String,
    /// `name:address`.
    pub extra_hosts: Vec<String>,
    /// In bytes; the engine's default where it is 0.
    pub shm_size: i64,
    pub ulimits: Vec<Ulimit>,
    pub cgroup_parent: String,
    pub limits: Limits,
    /// `network.host`, `security.insecure`, `device`.
    pub allow: Vec<String>,
    pub outputs: Vec<Output>,
    /// What is to be said of the images, by type (`provenance`, `sbom`) with its attributes.
    pub attests: BTreeMap<String, BTreeMap<String, String>>,
    /// `type=registry,ref=...` and the like, key by key.
    pub cache_from: Vec<BTreeMap<String, String>>,
    pub cache_to: Vec<BTreeMap<String, String>>,
    /// Say of each step why it ran.
    pub explain_cache: bool,
    /// Credentials by registry, as `X-Registry-Config` carries them.
    pub auths: BTreeMap<String, crate::registry::AuthConfig>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dockerfile {
    /// As progress and errors show it.
    pub name: String,
    pub text: String,
}

/// Of each RUN step, as the classic builder has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Limits {
    pub memory: i64,
    pub memory_swap: i64,
    pub cpu_shares: i64,
    pub cpu_period: i64,
    pub cpu_quota: i64,
    pub cpuset_cpus: String,
    pub cpuset_mems: String,
}

/// Where a result goes: `docker` and `image` into the store, `registry`, and `oci`, `tar`, `local` to the client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Output {
    #[serde(rename = "type")]
    pub kind: String,
    /// What `--output` says beside `type` and `dest`.
    pub attributes: BTreeMap<String, String>,
    /// The client takes it, as a tar: what has a `dest`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub to_client: bool,
}

/// What came of a build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BuildResult {
    /// The image's id (the digest of its config), where there is one image.
    pub image_id: String,
    /// What `--metadata-file` holds.
    pub metadata: BTreeMap<String, serde_json::Value>,
}

/// News of a build, in the form that BuildKit's `rawjson` progress has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vertexes: Vec<Vertex>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<VertexStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<VertexLog>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<VertexWarning>,
    /// What BuildKit does not tell; `rawjson` leaves it out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instructions: Vec<Instruction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// An instruction of the Dockerfile, as the classic builder counts and shows them: those of the stages that are built, in
/// the file's order. All are told before the first one runs, and again with what came of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Instruction {
    /// From 1.
    pub step: usize,
    pub of: usize,
    /// `RUN make`
    pub text: String,
    /// Whose end is its end; empty for what changes the config alone.
    pub vertex: String,
    /// The digest of what there is after it, once that is known.
    pub image: String,
}

/// Why a step ran instead of being taken from the cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reason {
    pub vertex: String,
    pub text: String,
}

/// What the build cache remembers of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CacheRecord {
    #[serde(rename = "ID")]
    pub id: String,
    /// With a blank before it, as Docker writes it.
    #[serde(rename = " Parents", alias = "Parents", skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// `regular`, `source.local`, `exec.cachemount`, ...
    #[serde(rename = "Type")]
    pub kind: String,
    pub description: String,
    pub in_use: bool,
    pub shared: bool,
    pub size: i64,
    /// RFC 3339.
    pub created_at: String,
    pub last_used_at: Option<String>,
    pub usage_count: i64,
}

/// The answer to `/build/prune`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CachePruneReport {
    pub caches_deleted: Option<Vec<String>>,
    pub space_reclaimed: u64,
}

/// Why a build failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    pub message: String,
    /// The exit code of the command that failed, or 0.
    pub code: i64,
    /// Which step it was, where it was one.
    pub vertex: String,
    /// First and last line of the Dockerfile that it is about, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<(usize, usize)>,
}

/// What an engine asks of the client of a session, each on a stream of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ask {
    /// What a context holds, in `builder::context::wire`'s form.
    Listing(Selection),
    /// The bytes of files, one behind the other. Which ones the engine says on the stream, as places in that list.
    Contents(Selection),
    /// 1 and the secret, or 0 where there is none.
    Secret { id: String },
    /// 1 once there is a connection to the SSH agent, then what comes and goes.
    Agent { id: String },
    /// A tar for the output at that place among the options'. The client ends its own way once it is stored.
    Output { index: usize },
    /// Of the folder of a `cache_from` (a `cache_to` where it is `of_target`) at that place among the options: its list of
    /// manifests, or the blob that the digest names. 1 and its bytes, or 0 where it is not there.
    CacheRead { index: usize, of_target: bool, digest: Option<String> },
    /// For the folder of a `cache_to`. The client says 1 where it has that blob, else 0; then come the bytes, and it ends
    /// its own way once they are stored.
    CacheWrite { index: usize, digest: Option<String> },
}

/// Of a context, what a build may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    pub context: String,
    /// As COPY names sources, wildcards and links on the way included; none for all there is. More may be listed.
    #[serde(default)]
    pub sources: Vec<String>,
}

/// What an engine tells of a session's build: one document a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum News {
    Status(Status),
    Result(BuildResult),
    Failed(Failure),
}

impl Status {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is told together.
    pub fn extend(&mut self, more: Self) {
        self.vertexes.extend(more.vertexes);
        self.statuses.extend(more.statuses);
        self.logs.extend(more.logs);
        self.warnings.extend(more.warnings);
        self.instructions.extend(more.instructions);
        self.reasons.extend(more.reasons);
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A step: told of when it becomes known, starts, and ends; later news replace earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vertex {
    /// Names it in the other news.
    pub digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// `[build 2/5] RUN make`
    pub name: String,
    /// RFC 3339, with nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// How far one part of a step is: `transferring context`, a layer that is pulled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VertexStatus {
    pub id: String,
    pub vertex: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// In bytes where it is about data.
    #[serde(skip_serializing_if = "crate::go::is_empty")]
    pub total: i64,
    pub current: i64,
    pub timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<String>,
}

/// Output of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VertexLog {
    pub vertex: String,
    /// 1 or 2.
    pub stream: u8,
    #[serde(with = "crate::base64::text")]
    pub data: Vec<u8>,
    pub timestamp: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VertexWarning {
    pub vertex: String,
    pub level: i64,
    #[serde(with = "crate::base64::text")]
    pub short: Vec<u8>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub range: Vec<Range>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Range {
    pub start: Position,
    pub end: Position,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    /// From 1.
    pub line: usize,
    pub character: usize,
}
