//! What the engine asks of this side, answered: lists and files of the contexts that the command line names, secrets,
//! agents, and room for outputs. Nothing else is given.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use api::build::{Ask, Selection};
use archive::Limits;
use archive::unpack::{Options, Owner, Target, unpack};
use builder::context::{self, Cache, Kind, Only, Specials, Tree, Walk, wire};
use builder::ignore::Ignore;
use client::{Accepted, Receiver, Sender, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::caches;
use super::options::{Destination, Local, Secret};
use super::source::{Source, patterns};
use crate::error::os_error;

/// As BuildKit bounds them.
const LARGEST_SECRET: u64 = 500 << 10;
/// Which files are wanted: a few bytes for each of a million.
const LARGEST_WISH: usize = 64 << 20;
const CHUNK: usize = 64 << 10;
/// Contexts whose digests are remembered.
const MOST_CACHES: usize = 64;
const MAIN: &str = "context";

pub(super) struct Answers {
    local: Local,
    main: Option<PathBuf>,
    ignore: Option<Ignore>,
    /// Contexts that were listed, as they were then.
    listed: Mutex<HashMap<Selection, Arc<Listed>>>,
}

struct Listed {
    path: PathBuf,
    folder: File,
    tree: Tree,
}

impl Answers {
    pub(super) fn new(local: Local, source: &Source) -> Self {
        let main = source.context.as_ref().map(|folder| folder.path.clone());
        Self { local, main, ignore: source.ignore.clone(), listed: Mutex::default() }
    }

    pub(super) async fn answer(self: Arc<Self>, asked: Accepted) {
        let Accepted { request, stream: Stream { sender, receiver } } = asked;
        let Ok(ask) = serde_json::from_slice::<Ask>(&request) else {
            return sender.fail("this client does not understand what it was asked");
        };
        match ask {
            Ask::Listing(wanted) => {
                in_thread(move || conclude(self.list(&wanted, &sender), sender)).await;
            }
            Ask::Contents(of) => match receiver.collect(LARGEST_WISH).await {
                Ok(places) => {
                    let send = move || conclude(self.contents(&of, &places, &sender), sender);
                    in_thread(send).await;
                }
                Err(error) => sender.fail(&error.to_string()),
            },
            Ask::Secret { id } => {
                in_thread(move || conclude(self.secret(&id, &sender), sender)).await;
            }
            Ask::Output { index } => {
                let mut reader = receiver.into_reader();
                // The reader goes after the reason was told.
                in_thread(move || conclude(self.store(index, &mut reader), sender)).await;
            }
            Ask::CacheRead { index, of_target, digest } => {
                let read = move || conclude(self.cached(index, of_target, digest, &sender), sender);
                in_thread(read).await;
            }
            Ask::CacheWrite { index, digest } => {
                let mut reader = receiver.into_reader();
                in_thread(move || {
                    let written = match self.local.cache_targets.get(&index) {
                        Some(folder) => {
                            caches::write(folder, digest.as_deref(), &mut reader, &sender)
                        }
                        None => Err(no_cache()),
                    };
                    conclude(written, sender);
                })
                .await;
            }
            Ask::Agent { id } => match self.agent(&id).await {
                Ok(socket) => pump(socket, sender, receiver).await,
                Err(error) => sender.fail(&error.to_string()),
            },
        }
    }

    fn list(&self, wanted: &Selection, to: &Sender) -> io::Result<()> {
        let mut out = Vec::with_capacity(2 * CHUNK);
        let listed = self.listed(wanted)?;
        let ignored = listed.as_ref().is_some_and(|listed| listed.tree.ignored());
        let mut encoder = wire::Encoder::begin(ignored, &mut out);
        for entry in listed.iter().flat_map(|listed| listed.tree.entries()) {
            encoder.entry(&entry, &mut out);
            if out.len() >= CHUNK {
                to.send_blocking(std::mem::take(&mut out))?;
            }
        }
        encoder.finish(&mut out);
        to.send_blocking(out)
    }

    /// None for the main context where there is no folder.
    fn listed(&self, wanted: &Selection) -> io::Result<Option<Arc<Listed>>> {
        let mut all = self.listed.lock().expect("no code panics while it holds this lock");
        if let Some(listed) = all.get(wanted) {
            return Ok(Some(Arc::clone(listed)));
        }
        let context = wanted.context.as_str();
        let named;
        let (path, ignore) = match (context, &self.main, self.local.contexts.get(context)) {
            (MAIN, Some(path), None) => (path, self.ignore.as_ref()),
            (MAIN, None, None) => return Ok(None),
            (_, _, Some(path)) => {
                let failed = |failure: crate::error::Failure| io::Error::other(failure.message);
                named = patterns(&path.join(".dockerignore")).map_err(failed)?;
                (path, named.as_ref())
            }
            _ => return Err(io::Error::other(format!("there is no build context {context:?}"))),
        };
        let listed = Arc::new(list(path, ignore, &wanted.sources)?);
        all.insert(wanted.clone(), Arc::clone(&listed));
        Ok(Some(listed))
    }

    fn contents(&self, of: &Selection, places: &[u8], to: &Sender) -> io::Result<()> {
        let places = wire::decode_places(places).map_err(io::Error::other)?;
        let listed = self.listed(of)?;
        let listed = listed.ok_or_else(|| io::Error::other("there are no files"))?;
        let files = files(&listed.tree, &places);
        let mut pending = Pending { buffer: Vec::with_capacity(CHUNK), to };
        for place in places {
            let Some((path, size)) = files.get(&place) else {
                return Err(io::Error::other("what is asked for is no file of the list"));
            };
            let named = |error: io::Error| {
                let path = listed.path.join(path);
                io::Error::other(format!("open {}: {}", path.display(), os_error(&error)))
            };
            let file = context::open(listed.folder.as_fd(), path).map_err(named)?;
            let sent = io::copy(&mut file.take(*size), &mut pending)?;
            if sent < *size {
                let text = format!("{}: file changed while it was read", path.display());
                return Err(io::Error::other(text));
            }
        }
        pending.flush()
    }

    fn secret(&self, id: &str, to: &Sender) -> io::Result<()> {
        let secret = match self.local.secrets.get(id) {
            None => return to.send_blocking(&[0][..]),
            Some(Secret::Variable(name)) => match std::env::var_os(name) {
                Some(value) => std::os::unix::ffi::OsStringExt::into_vec(value),
                None => return to.send_blocking(&[0][..]),
            },
            Some(Secret::File(path)) => {
                let mut secret = Vec::new();
                let read = File::open(path)
                    .and_then(|file| file.take(LARGEST_SECRET + 1).read_to_end(&mut secret));
                read.map_err(|error| {
                    let why = os_error(&error);
                    io::Error::other(format!("open {}: {why}", path.display()))
                })?;
                secret
            }
        };
        if secret.len() as u64 > LARGEST_SECRET {
            let text = format!("secret {id} too big. max size {LARGEST_SECRET}");
            return Err(io::Error::other(text));
        }
        to.send_blocking([&[1][..], &secret].concat())
    }

    fn cached(
        &self,
        index: usize,
        of_target: bool,
        digest: Option<String>,
        to: &Sender,
    ) -> io::Result<()> {
        let folders = match of_target {
            true => &self.local.cache_targets,
            false => &self.local.cache_sources,
        };
        let folder = folders.get(&index).ok_or_else(no_cache)?;
        caches::read(folder, digest.as_deref(), to)
    }

    async fn agent(&self, id: &str) -> io::Result<UnixStream> {
        let socket = self.local.agents.get(id);
        let socket =
            socket.ok_or_else(|| io::Error::other(format!("unset ssh forward key {id}")))?;
        UnixStream::connect(socket).await
    }

    fn store(&self, index: usize, tar: impl Read) -> io::Result<()> {
        match self.local.destinations.get(&index) {
            None => Err(io::Error::other("this output goes nowhere")),
            Some(Destination::Stdout) => copy(tar, io::stdout().lock()),
            Some(Destination::File(path)) => {
                let mut temporary = path.clone().into_os_string();
                temporary.push(format!(".{}", std::process::id()));
                let temporary = PathBuf::from(temporary);
                let stored = File::create(&temporary)
                    .and_then(|file| copy(tar, file))
                    .and_then(|()| fs::rename(&temporary, path));
                if stored.is_err() {
                    // What is there of it is of no use.
                    let _ = fs::remove_file(&temporary);
                }
                stored
            }
            Some(Destination::Folder(path)) => {
                fs::create_dir_all(path)?;
                let folder = File::open(path)?;
                let target = Target { root: folder.as_fd(), directory: Path::new(""), shown: path };
                let options = Options {
                    owner: Owner::Caller,
                    replace_directories: true,
                    limits: Limits::default(),
                    rename: None,
                };
                unpack(tar, target, options)
            }
        }
    }
}

fn no_cache() -> io::Error {
    io::Error::other("no folder of a cache was named there")
}

async fn in_thread(work: impl FnOnce() + Send + 'static) {
    // A thread that panicked has given its stream up.
    let _ = tokio::task::spawn_blocking(work).await;
}

fn conclude(result: io::Result<()>, sender: Sender) {
    match result {
        Ok(()) => sender.finish(),
        Err(error) => sender.fail(&error.to_string()),
    }
}

fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.flush()
}

/// Paths and sizes of the files at these places.
fn files(tree: &Tree, places: &[usize]) -> HashMap<usize, (PathBuf, u64)> {
    let mut wanted: Vec<usize> = places.to_vec();
    wanted.sort_unstable();
    let mut wanted = wanted.into_iter().peekable();
    let mut found = HashMap::new();
    for (place, entry) in tree.entries().enumerate() {
        let mut is_wanted = false;
        while wanted.next_if_eq(&place).is_some() {
            is_wanted = true;
        }
        if is_wanted && let Kind::File { size, .. } = entry.kind {
            found.insert(place, (entry.path, size));
        }
        if wanted.peek().is_none() {
            break;
        }
    }
    found
}

/// Small files go together.
struct Pending<'s> {
    buffer: Vec<u8>,
    to: &'s Sender,
}

impl Write for Pending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.to.send_blocking(full)
    }
}

/// Walks a context; what is known of its files from before is not read again.
fn list(path: &Path, ignore: Option<&Ignore>, sources: &[String]) -> io::Result<Listed> {
    let folder = File::open(path)?;
    let only = Only::new(folder.as_fd(), sources);
    let remembered = remembered(path);
    let cache = remembered.as_deref().map(Cache::open);
    let walk = Walk {
        ignore,
        only: only.as_ref(),
        owner: context::Owner::Root,
        specials: Specials::LeftOut,
        cache: cache.as_ref(),
        threads: std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 8)),
    };
    let tree = walk.list(folder.as_fd(), path)?;
    if let (Some(cache), Some(file)) = (cache, &remembered) {
        // Without it the next build takes longer, no more.
        let _ = cache.save(file, only.is_none());
        forget_oldest(file.parent().unwrap_or(Path::new("")));
    }
    Ok(Listed { path: path.to_owned(), folder, tree })
}

/// Where the digests of a context are remembered.
fn remembered(path: &Path) -> Option<PathBuf> {
    use sha2::{Digest, Sha256};
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let caches = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    let whole = fs::canonicalize(path).ok()?;
    let hash = Sha256::digest(whole.as_os_str().as_encoded_bytes());
    let name: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Some(caches.join("gantry/contexts").join(name))
}

fn forget_oldest(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    if files.len() > MOST_CACHES {
        files.sort();
        for (_, path) in &files[..files.len() - MOST_CACHES] {
            // The next time tries again.
            let _ = fs::remove_file(path);
        }
    }
}

async fn pump(socket: UnixStream, sender: Sender, mut receiver: Receiver) {
    let (mut reader, mut writer) = socket.into_split();
    let to_engine = async move {
        if sender.send(&[1][..]).await.is_err() {
            return;
        }
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            if sender.send(buffer[..count].to_vec()).await.is_err() {
                return;
            }
        }
        sender.finish();
    };
    let from_engine = async move {
        while let Ok(Some(bytes)) = receiver.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The agent may have gone first.
        let _ = writer.shutdown().await;
    };
    tokio::join!(to_engine, from_engine);
}
