//! What a step is given that must be in no layer: secrets and sockets of agents, in a directory of its own under the
//! exec root, which is memory where the engine is set up as usual. All of it goes with the step.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener as Listener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::builds::CacheMount;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Connect;
use crate::error::{Error, Result};

/// Connections of one step to one agent at the same time.
const CONNECTIONS: usize = 64;

pub struct Scratch {
    directory: PathBuf,
    is_made: bool,
    count: usize,
    /// Ends with this.
    agents: JoinSet<()>,
    held: Vec<Arc<CacheMount>>,
}

impl Scratch {
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, is_made: false, count: 0, agents: JoinSet::new(), held: Vec::new() }
    }

    /// Keeps a cache mount for the step.
    pub fn hold(&mut self, mount: Arc<CacheMount>) {
        self.held.push(mount);
    }

    /// A file of this content; nobody but root looks into its directory.
    pub fn secret(&mut self, bytes: &[u8], mode: u32, owner: (u32, u32)) -> Result<PathBuf> {
        let path = self.next()?;
        let written = || {
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(bytes)?;
            drop(file);
            give(&path, mode, owner)
        };
        written().map_err(|cause| Error::system("cannot keep a secret").because(cause))?;
        Ok(path)
    }

    /// A socket whose connections lead to an agent.
    pub fn socket(&mut self, connect: Connect, mode: u32, owner: (u32, u32)) -> Result<PathBuf> {
        let path = self.next()?;
        let bound = || {
            let listener = listen(&path)?;
            give(&path, mode, owner)?;
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        };
        let listener =
            bound().map_err(|cause| Error::system("cannot make a socket").because(cause))?;
        self.agents.spawn(serve(listener, connect));
        Ok(path)
    }

    fn next(&mut self) -> Result<PathBuf> {
        if !self.is_made {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(
                |cause| {
                    let text = format!("cannot make {}", self.directory.display());
                    Error::system(text).because(cause)
                },
            )?;
            self.is_made = true;
        }
        self.count += 1;
        Ok(self.directory.join(self.count.to_string()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.is_made {
            // What resists goes at the engine's next start.
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// By way of the directory's descriptor: a socket's path has 108 bytes at most.
fn listen(path: &Path) -> io::Result<Listener> {
    let directory = File::open(path.parent().unwrap_or(Path::new("/")))?;
    let place = sys::path::by_descriptor(directory.as_fd());
    Listener::bind(Path::new(&place).join(path.file_name().unwrap_or_default()))
}

fn give(path: &Path, mode: u32, (uid, gid): (u32, u32)) -> io::Result<()> {
    chown(path, Some(uid), Some(gid))?;
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7777))
}

async fn serve(listener: UnixListener, connect: Connect) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
        let Ok((client, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        let connecting = connect();
        connections.spawn(async move {
            let _permit = permit;
            // Either end may break it off, or there is no agent: then the client's connection ends.
            let _ = join(client, connecting).await;
        });
    }
}

async fn join(mut client: UnixStream, connecting: super::Connecting) -> Result<()> {
    let mut agent = connecting.await?;
    tokio::io::copy_bidirectional(&mut client, &mut agent)
        .await
        .map_err(|cause| Error::system("the connection to an agent").because(cause))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    fn echo() -> Connect {
        Arc::new(|| {
            Box::pin(async {
                let (ours, mut theirs): (DuplexStream, DuplexStream) = tokio::io::duplex(64);
                tokio::spawn(async move {
                    let mut said = [0; 3];
                    theirs.read_exact(&mut said).await.unwrap();
                    theirs.write_all(&said).await.unwrap();
                });
                Ok(ours)
            })
        })
    }

    #[tokio::test]
    async fn every_connection_reaches_an_agent_and_all_goes_with_the_step() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("x".repeat(100)).join("step");
        let mut scratch = Scratch::new(directory.clone());
        let socket = scratch.socket(echo(), 0o600, (7, 8)).unwrap();
        let stat = fs::metadata(&socket).unwrap();
        assert_eq!((stat.uid(), stat.gid(), stat.mode() & 0o777), (7, 8, 0o600));
        for _ in 0..2 {
            let parent = File::open(&directory).unwrap();
            let short = Path::new(&sys::path::by_descriptor(parent.as_fd()))
                .join(socket.file_name().unwrap());
            let mut client = UnixStream::connect(short).await.unwrap();
            client.write_all(b"who").await.unwrap();
            let mut said = String::new();
            client.read_to_string(&mut said).await.unwrap();
            assert_eq!(said, "who");
        }
        drop(scratch);
        assert!(!directory.exists());
    }

    #[test]
    fn a_secret_is_its_owner_s_and_gone_afterwards() {
        let place = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::new(place.path().join("step"));
        let file = scratch.secret(b"hidden", 0o400, (5, 6)).unwrap();
        let stat = fs::metadata(&file).unwrap();
        assert_eq!((stat.uid(), stat.gid(), stat.mode() & 0o777), (5, 6, 0o400));
        let above = fs::metadata(place.path().join("step")).unwrap();
        assert_eq!(above.mode() & 0o777, 0o700);
        assert_eq!(fs::read(&file).unwrap(), b"hidden");
        drop(scratch);
        assert!(!file.exists());
    }
}
