//! From a Dockerfile to the graph of what is to be done, and the configuration of the image that comes of it.
//!
//! Pure: which images a build stands on is known only once variables are expanded, so planning says which it must know, is
//! told, and begins again.

mod config;
mod copy;
mod graph;
mod join;
mod run;
mod scope;
mod stage;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use oci::Platform;
use oci::image::ImageConfig;

use crate::dockerfile::Dockerfile;

pub use graph::{
    Context, Copy, Git, Http, Image, Inline, Mkdir, Mount, MountKind, Network, Op, Run, Sharing,
    Source, Unpack, Vertex,
};
pub use join::join;
pub use scope::Given;

/// What is to be built of a Dockerfile.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A stage's name or number; the last one where it is empty.
    pub target: String,
    pub build_args: Given,
    pub labels: BTreeMap<String, String>,
    pub platform: Platform,
    /// Whether the names of steps show the platform: where several are built.
    pub shows_platform: bool,
    pub build_platform: Platform,
    pub no_cache: bool,
    pub no_cache_filter: Vec<String>,
    /// What names of stages and images mean instead, by `--build-context`.
    pub contexts: BTreeMap<String, String>,
    pub network: Network,
    /// Whether RUN may ask for all privileges, and for the host's network.
    pub allows_insecure: bool,
    pub allows_host_network: bool,
}

/// An image that the build stands on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    pub reference: String,
    pub platform: Platform,
}

/// What is known of images.
pub type Images = BTreeMap<Wanted, ImageConfig>;

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub vertices: Vec<Vertex>,
    /// The vertex that gives the image's layers.
    pub result: usize,
    /// Without layers, which are known at the end; history is that of the base.
    pub image: ImageConfig,
    /// What the image's history has besides: for each instruction of the stage and its ancestors.
    pub history: Vec<Entry>,
    /// Seconds since 1970 that every time in the image shall be: `SOURCE_DATE_EPOCH`.
    pub epoch: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub created_by: String,
    /// The vertex whose layer it made.
    pub vertex: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// To be looked up before planning can go on.
    #[error("images are not known yet")]
    Missing(BTreeSet<Wanted>),
    #[error("{message}")]
    Wrong { message: String, lines: Option<RangeInclusive<usize>> },
}

impl Error {
    fn at(lines: &RangeInclusive<usize>) -> impl FnOnce(String) -> Self {
        let lines = lines.clone();
        move |message| Self::Wrong { message, lines: Some(lines) }
    }
}

/// Plans what the target of a Dockerfile needs, and nothing else.
///
/// # Errors
/// Images that must be known first, or what is wrong, in BuildKit's words.
pub fn plan(file: &Dockerfile, request: &Request, images: &Images) -> Result<Plan, Error> {
    stage::Planner::new(file, request, images)?.plan()
}
