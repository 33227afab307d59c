//! ADD of an address: the file, by its checksum where one is given.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, UNIX_EPOCH};

use builder::plan::Http;
use oci::Digest;
use registry::client::Places;
use sha2::{Digest as _, Sha256};

use super::trees::{Tree, Unpacked};
use super::worker::Worker;
use crate::error::{Error, Result};

/// Of one file.
const MOST: u64 = 64 << 30;

impl Worker {
    pub async fn fetch(&self, http: &Http) -> Result<Tree> {
        let failed = |cause: std::io::Error| {
            Error::system(format!("cannot keep {}", http.url)).because(cause)
        };
        let staged = self.builds.store.stage()?;
        let arriving = staged.path().join("arriving");
        // As BuildKit makes them: an address says nothing of who may read.
        let mut options = File::options();
        let mut file =
            options.write(true).create_new(true).mode(0o600).open(&arriving).map_err(failed)?;
        let mut hash = Sha256::new();
        let places =
            Places { proxies: self.builds.images.registries().proxies(), ..Places::default() };
        let took = registry::client::download(places, &http.url, MOST, |bytes| {
            hash.update(&bytes);
            file.write_all(&bytes)
                .map_err(|error| registry::client::Error::Invalid(archive::reason(&error)))
        })
        .await
        .map_err(|cause| Error::invalid(http.url.clone()).because(cause))?;
        let digest = Digest::from_sha256(hash.finalize().into());
        if let Some(checksum) = http.checksum.as_ref().filter(|checksum| **checksum != digest) {
            return Err(Error::invalid(format!(
                "digest mismatch {}: {digest} (expected: {checksum})",
                http.url
            )));
        }
        let modified = took.last_modified.as_deref().and_then(seconds).unwrap_or(0);
        file.set_modified(UNIX_EPOCH + Duration::from_secs(modified)).map_err(failed)?;
        std::fs::rename(&arriving, staged.path().join(&took.name)).map_err(failed)?;
        Ok(Tree::Staged(Unpacked::new(staged)?.into()))
    }
}

/// Of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(text: &str) -> Option<u64> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from(time.timestamp().as_second()).ok()
}
