//! The graph of a build: vertices that say what is to be done, without saying how.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use oci::{Digest, Platform};
use serde::Serialize;

use crate::copy::has_wildcard;

pub use crate::dockerfile::Sharing;

/// A step, or something that is there before the build.
#[derive(Clone, Debug, PartialEq)]
pub struct Vertex {
    pub op: Op,
    /// Indices of vertices that come before this one. The first of a step is what the step stands on.
    pub inputs: Vec<usize>,
    /// As progress shows it: `[build 2/5] RUN make`.
    pub name: String,
    /// It runs even where its result is known.
    pub fresh: bool,
    /// Its place in the Dockerfile.
    pub lines: Option<RangeInclusive<usize>>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Op {
    Image(Image),
    Scratch,
    /// Files that whoever builds has, by the context's name.
    Context(Context),
    /// Files that stand in the Dockerfile.
    Inline(Inline),
    Http(Http),
    Git(Git),
    Run(Box<Run>),
    Copy(Copy),
    Mkdir(Mkdir),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Image {
    pub reference: String,
    pub platform: Platform,
    pub layers: Vec<Digest>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Context {
    pub name: String,
    /// Which of its files are used, as COPY names sources; none where that may be all. Two builds of the same files may use
    /// others of them.
    #[serde(skip)]
    pub sources: Vec<String>,
}

/// By name, with their contents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inline {
    pub files: BTreeMap<String, String>,
}

/// One file, by the last part of its address.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Http {
    pub url: String,
    pub checksum: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Git {
    pub url: String,
    pub keep_git_dir: bool,
    pub checksum: Option<String>,
}

/// A command in a container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Variables that change nothing about what is built: they are no part of the key.
    #[serde(skip)]
    pub proxies: Vec<(String, String)>,
    pub directory: String,
    pub user: String,
    pub mounts: Vec<Mount>,
    pub network: Network,
    pub insecure: bool,
    pub devices: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    #[default]
    Default,
    None,
    Host,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mount {
    /// Absolute.
    pub target: String,
    pub kind: MountKind,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum MountKind {
    /// `input` counts in the vertex's inputs.
    Bind {
        input: usize,
        source: String,
        writable: bool,
    },
    Cache {
        id: String,
        #[serde(serialize_with = "sharing_word")]
        sharing: Sharing,
        /// What a new cache holds.
        input: Option<usize>,
        source: String,
        read_only: bool,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Tmpfs {
        size: Option<u64>,
    },
    Secret {
        id: String,
        /// The variable that holds it.
        env: Option<String>,
        /// Whether it is a file at the mount's target.
        file: bool,
        required: bool,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Ssh {
        id: String,
        required: bool,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// A file of the Dockerfile's own: the script of a RUN.
    Script {
        content: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn sharing_word<S: serde::Serializer>(sharing: &Sharing, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match sharing {
        Sharing::Shared => "shared",
        Sharing::Private => "private",
        Sharing::Locked => "locked",
    })
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Copy {
    pub sources: Vec<Source>,
    /// Absolute.
    pub destination: String,
    /// The destination is a folder, because it ends in a slash.
    pub into: bool,
    /// `user[:group]`, by name or number. None keeps the owners that sources have.
    pub chown: Option<String>,
    /// Octal, or symbolic as of chmod.
    pub chmod: Option<String>,
    /// The layer is made without looking at what is below, so that it can be reused upon anything.
    pub link: bool,
    /// Folders on the way to a source are made too.
    pub parents: bool,
    pub exclude: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// Counts in the vertex's inputs.
    pub input: usize,
    /// May hold wildcards.
    pub path: String,
    pub unpack: Unpack,
}

/// What becomes of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unpack {
    /// They are files like any other.
    Never,
    /// Their contents are copied, where it is one.
    Try,
}

/// A folder with its parents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mkdir {
    /// Absolute.
    pub path: String,
    /// Whose it is, root's where it is empty.
    pub user: String,
}

impl Op {
    /// Whether its result is its first input with something on top.
    #[must_use]
    pub fn is_step(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Copy(_) | Self::Mkdir(_))
    }

    /// The paths that this takes of the vertex at that place of its inputs; None where it may be any.
    fn sources(&self, input: usize) -> Option<Vec<&str>> {
        match self {
            Self::Copy(copy) if input > 0 => {
                let sources = copy.sources.iter().filter(|source| source.input == input);
                Some(sources.map(|source| source.path.as_str()).collect())
            }
            Self::Run(run) if input > 0 => {
                let of_mount = |kind| match kind {
                    &MountKind::Bind { input: of, ref source, .. }
                    | &MountKind::Cache { input: Some(of), ref source, .. }
                        if of == input =>
                    {
                        Some(source.as_str())
                    }
                    _ => None,
                };
                let sources = run.mounts.iter().map(|mount| &mount.kind).filter_map(of_mount);
                // Those of mounts are paths, whatever is in their names.
                sources.map(|source| Some(source).filter(|path| !has_wildcard(path))).collect()
            }
            _ => None,
        }
    }
}

/// Sources that a context is asked for by name, and bytes of them. With more it is asked for all that it has: each is held
/// against every file on the way, and they are asked for in one frame.
const MOST_SOURCES: usize = 128;
const MOST_SOURCE_BYTES: usize = 8 << 10;

/// Says of each context which files of it the graph uses.
pub(super) fn note_sources(vertices: &mut [Vertex]) {
    for at in 0..vertices.len() {
        if !matches!(vertices[at].op, Op::Context(_)) {
            continue;
        }
        let uses = vertices.iter().flat_map(|vertex| {
            let inputs = vertex.inputs.iter().enumerate().filter(|(_, input)| **input == at);
            inputs.map(|(input, _)| vertex.op.sources(input))
        });
        let used: Option<Vec<Vec<&str>>> = uses.collect();
        let mut used: BTreeSet<&str> = used.unwrap_or_default().into_iter().flatten().collect();
        let bytes: usize = used.iter().map(|source| source.len()).sum();
        if used.len() > MOST_SOURCES || bytes > MOST_SOURCE_BYTES {
            used.clear();
        }
        let used = used.into_iter().map(str::to_owned).collect();
        if let Op::Context(context) = &mut vertices[at].op {
            context.sources = used;
        }
    }
}
