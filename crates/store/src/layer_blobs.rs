//! Layers as registries have them. One that was pulled is kept as it came; of others one is made when it is first asked
//! for, from the exact tar.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use oci::Digest;
use rusqlite::OptionalExtension;
use sha2::{Digest as _, Sha256};

use crate::Store;
use crate::database::Durability;
use crate::downloads::Kept;
use crate::error::{Error, Result};
use crate::layers::{Layer, sync_directory};

/// A blob that is here as a file.
#[derive(Debug)]
pub struct LayerBlob {
    pub digest: Digest,
    pub size: u64,
    pub file: File,
}

impl Store {
    /// The blob of this digest, if it is kept.
    pub fn layer_blob(&self, digest: &Digest) -> Result<Option<LayerBlob>> {
        let sql = "SELECT size FROM layer_blobs WHERE digest = ?1";
        let size: Option<u64> = self.database.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            Ok(statement.query_row([digest.as_str()], |row| row.get(0)).optional()?)
        })?;
        let Some(size) = size else { return Ok(None) };
        match File::open(self.root.blob(digest)) {
            Ok(file) => Ok(Some(LayerBlob { digest: digest.clone(), size, file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(format!("read blob {digest}"), error)),
        }
    }

    /// A blob of the layer, kept or made. The caller holds the layer.
    pub fn blob_of_layer(&self, layer: &Layer) -> Result<LayerBlob> {
        let sql = "SELECT digest FROM layer_blobs WHERE diff_id = ?1 ORDER BY digest";
        let kept: Vec<String> = self.database.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([layer.diff_id.as_str()], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        for digest in kept.iter().filter_map(|digest| Digest::parse(digest).ok()) {
            if let Some(blob) = self.layer_blob(&digest)? {
                return Ok(blob);
            }
        }
        self.compress(layer)
    }

    fn compress(&self, layer: &Layer) -> Result<LayerBlob> {
        let staged = self.root.stage()?;
        let temporary = staged.path().join("blob");
        let failed = |error| Error::io(format!("compress layer {}", layer.diff_id), error);
        let file = File::create_new(&temporary).map_err(failed)?;
        let hashed = Hashed {
            file: BufWriter::with_capacity(256 << 10, file),
            hash: Sha256::new(),
            size: 0,
        };
        let mut gzip = GzEncoder::new(hashed, Compression::default());
        self.write_layer_tar(layer, &mut gzip)?;
        let Hashed { file, hash, size } = gzip.finish().map_err(failed)?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        let digest = Digest::from_sha256(hash.finalize().into());
        let path = self.root.blob(&digest);
        fs::rename(&temporary, &path).map_err(failed)?;
        sync_directory(&self.root.blobs())?;
        let diff_id = layer.diff_id.clone();
        let kept = Kept { digest: digest.clone(), diff_id, size };
        self.write(Durability::PowerLoss, |transaction| kept.insert(transaction))?;
        let file = File::open(&path).map_err(failed)?;
        Ok(LayerBlob { digest, size, file })
    }

    /// Notes that a repository has these blobs.
    pub fn add_blob_source(&self, digests: &[Digest], repository: &str) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO blob_sources (digest, repository)
                   SELECT digest, ?2 FROM layer_blobs WHERE digest = ?1";
        self.write(Durability::ProcessDeath, |transaction| {
            let mut statement = transaction.prepare_cached(sql)?;
            for digest in digests {
                statement.execute((digest.as_str(), repository))?;
            }
            Ok(())
        })
    }

    /// Repositories of that domain that are known to have a blob.
    pub fn blob_sources(&self, digest: &Digest, domain: &str) -> Result<Vec<String>> {
        let sql = "SELECT repository FROM blob_sources WHERE digest = ?1 ORDER BY repository";
        let all: Vec<String> = self.database.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([digest.as_str()], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        let within =
            |name: &String| name.strip_prefix(domain)?.strip_prefix('/').map(str::to_owned);
        Ok(all.iter().filter_map(within).collect())
    }
}

struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
