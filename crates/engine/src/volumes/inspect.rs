//! GET /volumes/{name}.

use api::volumes::Volume;

use super::Volumes;
use crate::error::{Error, Result};

impl Volumes {
    pub fn inspect(&self, name: &str) -> Result<Volume> {
        let missing = || Error::not_found(format!("get {name}: no such volume"));
        // A name is one component of a path; what lies beside the volumes is none of them.
        if name.starts_with('.') || name.contains('/') {
            return Err(missing());
        }
        self.read(name).map_err(|_| missing())
    }
}
