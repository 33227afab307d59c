//! What cache mounts hold, on its way to another engine: a package manager's downloads, a compiler's own cache. Its content
//! is whatever steps left in it, so an imported one says no more than any step could that has the mount; a directory that is
//! here already is never touched.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use builder::plan::{self, MountKind, Op, Vertex};
use flate2::Compression;
use flate2::write::GzEncoder;
use oci::{Descriptor, Digest};
use sha2::{Digest as _, Sha256};
use store::Staged;
use store::builds::{CacheMount, MountRequest, Sharing};
use tokio::sync::{Notify, mpsc};

use super::super::Builds;
use super::super::bounded::decompressed;
use super::super::client::Client;
use super::super::progress::Task;
use super::import::{From, Import};
use super::{Remote, lock};
use crate::error::{Error, Result, blocking};
use crate::registries::Refused;

const QUEUE: usize = 4;
const BUFFER: usize = 256 << 10;

/// A cache mount as a step asks for it.
#[derive(Clone, Debug)]
pub struct Wish {
    pub id: String,
    pub sharing: Sharing,
    pub base: Vec<Digest>,
    pub owner: (u32, u32),
    pub mode: u32,
}

impl Wish {
    pub fn request(&self) -> MountRequest<'_> {
        let Self { id, sharing, base, owner, mode } = self;
        MountRequest { id, sharing: *sharing, base, owner: *owner, mode: *mode }
    }
}

pub fn sharing(word: plan::Sharing) -> Sharing {
    match word {
        plan::Sharing::Shared => Sharing::Shared,
        plan::Sharing::Private => Sharing::Private,
        plan::Sharing::Locked => Sharing::Locked,
    }
}

impl Builds {
    /// Waits where another step has a locked one.
    pub async fn cache_mount(&self, wish: &Wish) -> Result<CacheMount> {
        loop {
            let free = Arc::new(Notify::new());
            let (store, wish, told) = (Arc::clone(&self.store), wish.clone(), Arc::clone(&free));
            let mount = blocking(move || {
                Ok(store.builds().cache_mount(&wish.request(), move || told.notify_one())?)
            });
            if let Some(mount) = mount.await? {
                return Ok(mount);
            }
            free.notified().await;
        }
    }

    async fn has_mount(&self, wish: &Wish) -> Result<bool> {
        let (store, wish) = (Arc::clone(&self.store), wish.clone());
        blocking(move || Ok(store.builds().has_mount(&wish.request())?)).await
    }
}

impl Remote {
    /// Before a step gets a mount: brings what a cache has of it where this engine has nothing. A failure is told, and the
    /// step begins with an empty one.
    pub async fn warm(&self, wish: &Wish, builds: &Builds, client: &Arc<Client>) -> Result<()> {
        let group = wish.request().group();
        lock(&self.mounts).insert(group.clone(), wish.clone());
        let importing = self.imports.iter().find(|import| import.mount(&group).is_some());
        let Some(import) = importing else { return Ok(()) };
        // Of steps that want the same one brings it.
        let _turn = self.warming.lock().await;
        if builds.has_mount(wish).await? {
            return Ok(());
        }
        let task = Task::begin(client, &format!("importing cache mount {}", wish.id));
        task.end(&bring(import, &group, wish, builds).await);
        Ok(())
    }

    pub fn mount(&self, group: &Digest) -> Option<(&Descriptor, &Digest)> {
        self.imports.iter().find_map(|import| import.mount(group))
    }

    /// The mounts of this build that can be named without running it, and those that it used.
    pub fn wishes(&self, vertices: &[Vertex]) -> BTreeMap<Digest, Wish> {
        let mut all = lock(&self.mounts).clone();
        let runs = vertices.iter().filter_map(|vertex| match &vertex.op {
            Op::Run(run) => Some(run),
            _ => None,
        });
        for mount in runs.flat_map(|run| &run.mounts) {
            if let MountKind::Cache { id, sharing: word, input: None, mode, uid, gid, .. } =
                &mount.kind
            {
                let (id, base) = (id.clone(), Vec::new());
                let wish =
                    Wish { id, sharing: sharing(*word), base, owner: (*uid, *gid), mode: *mode };
                all.entry(wish.request().group()).or_insert(wish);
            }
        }
        all
    }
}

async fn bring(import: &Import, group: &Digest, wish: &Wish, builds: &Builds) -> Result<()> {
    let missing = || Error::not_found("the cache's manifest does not have the mount");
    let (blob, _) = import.mount(group).ok_or_else(missing)?;
    let (staged, file) = download(import, blob, builds).await?;
    let (store, wish) = (Arc::clone(&builds.store), wish.clone());
    blocking(move || {
        let _until_it_is_unpacked = staged;
        let failed = |cause| Error::invalid(format!("cache mount {}", wish.id)).because(cause);
        let mut tar = decompressed(file).map_err(failed)?;
        Ok(store.builds().fill_mount_from(&wish.request(), &mut tar)?)
    })
    .await
}

/// The blob as a file, once it turned out to be what its digest names.
async fn download(import: &Import, blob: &Descriptor, builds: &Builds) -> Result<(Staged, File)> {
    let staged = builds.store.stage()?;
    let path = staged.path().join("blob");
    let (sender, mut chunks) = mpsc::channel::<bytes::Bytes>(QUEUE);
    let (digest, size) = (blob.digest.clone(), blob.size);
    let writing = blocking(move || {
        let failed = |cause| Error::system(format!("keep blob {digest}")).because(cause);
        let mut file =
            File::options().read(true).write(true).create_new(true).open(&path).map_err(failed)?;
        let (mut hash, mut count) = (Sha256::new(), 0);
        while let Some(chunk) = chunks.blocking_recv() {
            hash.update(&chunk);
            count += chunk.len() as u64;
            if count > size {
                break;
            }
            file.write_all(&chunk).map_err(failed)?;
        }
        if count != size || Digest::from_sha256(hash.finalize().into()) != digest {
            return Err(Error::invalid(format!("the cache has something else than {digest}")));
        }
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(file)
    });
    let reading = async {
        // It ends the channel, and with it the file.
        let sender = sender;
        match import.from() {
            From::Registry(repository) => {
                repository.blob(blob, 0, &sender).await.map_err(|error| Error::from(Refused(error)))
            }
            From::Folder { client, index } => {
                let (client, index, digest) = (Arc::clone(client), *index, blob.digest.clone());
                blocking(move || pass(&client, index, &digest, &sender)).await
            }
        }
    };
    let (file, read) = tokio::join!(writing, reading);
    read?;
    Ok((staged, file?))
}

fn pass(
    client: &Client,
    index: usize,
    digest: &Digest,
    to: &mpsc::Sender<bytes::Bytes>,
) -> Result<()> {
    let missing = || Error::not_found(format!("{digest}: not found"));
    let mut reader = client.cache_read(index, false, Some(digest))?.ok_or_else(missing)?;
    loop {
        let mut chunk = vec![0; BUFFER];
        let count = io::Read::read(&mut reader, &mut chunk)
            .map_err(|cause| Error::system("cannot read a cache's folder").because(cause))?;
        chunk.truncate(count);
        if count == 0 || to.blocking_send(chunk.into()).is_err() {
            return Ok(());
        }
    }
}

/// A mount's content as a blob.
pub struct Packed {
    pub digest: Digest,
    pub diff_id: Digest,
    pub size: u64,
    pub file: File,
    /// The file goes with it.
    pub staged: Staged,
}

/// None where there is nothing of it here. While it is read nobody has it who would not share it.
pub async fn pack(builds: &Builds, wish: &Wish) -> Result<Option<Packed>> {
    if !builds.has_mount(wish).await? {
        return Ok(None);
    }
    let sharing = match wish.sharing {
        Sharing::Shared => Sharing::Shared,
        // A private one must not be made for this alone.
        Sharing::Private | Sharing::Locked => Sharing::Locked,
    };
    let mount = builds.cache_mount(&Wish { sharing, ..wish.clone() }).await?;
    let staged = builds.store.stage()?;
    let id = wish.id.clone();
    blocking(move || {
        let failed = |cause| Error::system(format!("pack cache mount {id}")).because(cause);
        write(mount.directory(), staged, failed).map(Some)
    })
    .await
}

fn write(directory: &Path, staged: Staged, failed: impl Fn(io::Error) -> Error) -> Result<Packed> {
    let path = staged.path().join("blob");
    let file =
        File::options().read(true).write(true).create_new(true).open(&path).map_err(&failed)?;
    let compressed = Hashed::new(BufWriter::with_capacity(BUFFER, file));
    // What is in such a mount is mostly compressed already.
    let mut tar = Hashed::new(GzEncoder::new(compressed, Compression::fast()));
    let root = OwnedFd::from(File::open(directory).map_err(&failed)?);
    archive::pack::write_plain(&root, &mut tar).map_err(&failed)?;
    let (gzip, diff_id, _) = tar.end();
    let (file, digest, size) = gzip.finish().map_err(&failed)?.end();
    let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.seek(SeekFrom::Start(0)).map_err(&failed)?;
    Ok(Packed { digest, diff_id, size, file, staged })
}

struct Hashed<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    fn end(self) -> (W, Digest, u64) {
        (self.inner, Digest::from_sha256(self.hash.finalize().into()), self.size)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
