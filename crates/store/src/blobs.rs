//! Content by digest: configs, manifests and indexes, verbatim. Files carry the digest that was computed here.

use std::fs;
use std::io::{ErrorKind, Write};
use std::sync::{MutexGuard, PoisonError};

use oci::Digest;
use sha2::{Digest as _, Sha256};

use crate::Store;
use crate::database::Durability;
use crate::error::{Error, Result};

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_sha256(Sha256::digest(bytes).into())
}

impl Store {
    pub(crate) fn hold_documents(&self) -> MutexGuard<'_, ()> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes those that no row names any more; the caller holds the documents.
    pub(crate) fn remove_unknown_blobs<'d>(
        &self,
        digests: impl IntoIterator<Item = &'d Digest>,
    ) -> Result<()> {
        let known = self.known_blobs()?;
        for digest in digests.into_iter().filter(|digest| !known.contains(digest.hex())) {
            match fs::remove_file(self.root.blob(digest)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io(format!("remove blob {digest}"), error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps a small document; syncing it is what makes it visible only once whole, unless the caller syncs all there is.
    /// Whether its name survives a power loss is the caller's to see to, once for all that it adds.
    pub(crate) fn add_blob(&self, bytes: &[u8], durability: Durability) -> Result<Digest> {
        let digest = digest_of(bytes);
        let path = self.root.blob(&digest);
        if path.exists() {
            return Ok(digest);
        }
        let staged = self.root.stage()?;
        let temporary = staged.path().join("blob");
        let failed = |error| Error::io(format!("write blob {digest}"), error);
        let mut file = fs::File::create_new(&temporary).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        if durability == Durability::PowerLoss {
            file.sync_all().map_err(failed)?;
        }
        fs::rename(&temporary, &path).map_err(failed)?;
        Ok(digest)
    }

    /// A document that was kept, checked against its digest again.
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        let bytes = fs::read(self.root.blob(digest)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::not_found(format!("no blob {digest}")),
            _ => Error::io(format!("read blob {digest}"), error),
        })?;
        if digest_of(&bytes) == *digest {
            return Ok(bytes);
        }
        Err(Error::system(format!("blob {digest} is damaged on disk")))
    }
}
