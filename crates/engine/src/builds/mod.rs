//! Builds: who asks for them, and what becomes of them (docs/design/0017-builds.md).

pub mod client;

use std::io::Read;
use std::sync::Arc;

use api::build::{BuildOptions, BuildResult};
use store::Store;

use self::client::{Client, Context};
use crate::error::{Error, Result};

/// A handle that is cheap to copy.
#[derive(Clone)]
pub struct Builds {
    store: Arc<Store>,
}

impl Builds {
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The context of a client that sends it as an archive. For a thread that may wait.
    pub fn receive(&self, tar: impl Read) -> Result<Context> {
        Context::receive(&self.store, tar)
    }

    /// Ends early where the client goes away.
    pub async fn build(&self, _options: BuildOptions, _client: Client) -> Result<BuildResult> {
        Err(Error::not_implemented("building is not here yet"))
    }
}
