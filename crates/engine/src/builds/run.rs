//! RUN: a command in a container of its own.

use std::sync::Arc;

use builder::plan::Run;
use oci::Digest;

use super::trees::Tree;
use super::worker::Worker;
use crate::error::{Error, Result};

impl Worker {
    pub async fn step(&self, _: usize, _: &Run, _: &[Arc<Tree>]) -> Result<Digest> {
        Err(Error::not_implemented("RUN is not in this version"))
    }
}
