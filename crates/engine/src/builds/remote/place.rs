//! Where a cache is kept: a repository of a registry, or a folder of the client's in OCI's layout.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use oci::index::Index;
use oci::{Descriptor, Digest, descriptor, layout, media_type};
use registry::client::{Progress, Repository, Which};
use sha2::{Digest as _, Sha256};

use super::super::client::Client;
use crate::error::{Error, Result, blocking};
use crate::registries::pushed;

/// Of a folder's list of manifests.
const LARGEST_INDEX: usize = 4 << 20;
const CHUNK: usize = 256 << 10;

#[derive(Clone)]
pub enum Place {
    Registry { repository: Arc<Repository>, tag: Which },
    Folder { client: Arc<Client>, index: usize, tag: String },
}

impl Place {
    /// Whether a blob is there, and need not be written.
    pub async fn has(&self, digest: &Digest) -> Result<bool> {
        match self {
            Self::Registry { repository, .. } => repository.has_blob(digest).await.map_err(pushed),
            Self::Folder { client, index, .. } => {
                let (client, index, digest) = (Arc::clone(client), *index, digest.clone());
                blocking(move || client.cache_has(index, &digest)).await
            }
        }
    }

    pub async fn write_bytes(&self, bytes: Vec<u8>) -> Result<Digest> {
        let digest = digest_of(&bytes);
        match self {
            Self::Registry { repository, .. } => {
                if !repository.has_blob(&digest).await.map_err(pushed)? {
                    repository.upload_bytes(&digest, bytes.into()).await.map_err(pushed)?;
                }
            }
            Self::Folder { client, index, .. } => {
                let (client, index, named) = (Arc::clone(client), *index, digest.clone());
                blocking(move || write(&client, index, Some(&named), bytes.as_slice())).await?;
            }
        }
        Ok(digest)
    }

    pub async fn write_file(&self, digest: &Digest, size: u64, file: File) -> Result<()> {
        match self {
            Self::Registry { repository, .. } => {
                if repository.has_blob(digest).await.map_err(pushed)? {
                    return Ok(());
                }
                let sent = repository.upload(digest, Arc::new(file), size, Progress::default());
                sent.await.map_err(pushed)
            }
            Self::Folder { client, index, .. } => {
                let (client, index, digest) = (Arc::clone(client), *index, digest.clone());
                blocking(move || write(&client, index, Some(&digest), file.take(size))).await
            }
        }
    }

    /// Makes a manifest the one that the cache's name means. All that it names is there.
    pub async fn write_manifest(&self, bytes: Vec<u8>) -> Result<()> {
        match self {
            Self::Registry { repository, tag } => {
                let kind = media_type::OCI_MANIFEST;
                repository.put_manifest(tag, kind, bytes.into()).await.map_err(pushed)
            }
            Self::Folder { client, index, tag } => {
                let size = bytes.len() as u64;
                let digest = self.write_bytes(bytes).await?;
                let (client, index, tag) = (Arc::clone(client), *index, tag.clone());
                let entry = Descriptor::new(media_type::OCI_MANIFEST, digest, size);
                blocking(move || name(&client, index, entry, &tag)).await
            }
        }
    }
}

/// The manifests that a folder of the client's names, if there is one. Blocks.
pub fn index_of(client: &Client, index: usize, of_target: bool) -> Result<Option<Index>> {
    let Some(reader) = client.cache_read(index, of_target, None)? else { return Ok(None) };
    let bytes = all_of(reader, LARGEST_INDEX)?;
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|error| Error::invalid(layout::INDEX_FILE).because(error))
}

/// A blob of a folder of the client's, once it turned out to be what the digest names. Blocks.
pub fn small_blob(client: &Client, index: usize, digest: &Digest, most: usize) -> Result<Vec<u8>> {
    let missing = || Error::not_found(format!("{digest}: not found"));
    let reader = client.cache_read(index, false, Some(digest))?.ok_or_else(missing)?;
    let bytes = all_of(reader, most)?;
    if digest_of(&bytes) != *digest {
        return Err(Error::invalid(format!("{digest}: the folder has something else")));
    }
    Ok(bytes)
}

pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_sha256(Sha256::digest(bytes).into())
}

fn all_of(reader: impl Read, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most as u64 + 1).read_to_end(&mut bytes).map_err(lost)?;
    if bytes.len() > most {
        return Err(Error::invalid(format!("a cache's document is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// A folder that is written to by others, too, keeps what they named.
fn name(client: &Client, index: usize, mut entry: Descriptor, tag: &str) -> Result<()> {
    let mut all = index_of(client, index, true).ok().flatten().unwrap_or(Index {
        schema_version: 2,
        media_type: media_type::OCI_INDEX.to_owned(),
        manifests: Vec::new(),
        annotations: Default::default(),
    });
    let key = descriptor::ANNOTATION_REF_NAME;
    all.manifests.retain(|one| one.annotation(key) != Some(tag));
    entry.annotations.insert(key.to_owned(), tag.to_owned());
    all.manifests.push(entry);
    let bytes = serde_json::to_vec(&all)
        .map_err(|error| Error::system(layout::INDEX_FILE).because(error))?;
    write(client, index, None, bytes.as_slice())
}

fn write(
    client: &Client,
    index: usize,
    digest: Option<&Digest>,
    mut from: impl Read,
) -> Result<()> {
    let Some(mut out) = client.cache_write(index, digest)? else { return Ok(()) };
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer).map_err(lost)? {
            0 => break,
            count => io::Write::write_all(&mut out, &buffer[..count]).map_err(lost)?,
        }
    }
    out.finish().map_err(lost)
}

fn lost(cause: io::Error) -> Error {
    Error::system("cannot pass a cache between client and engine").because(cause)
}
