//! While containers run on cgroup v1, an empty hierarchy of the engine's own keeps the moves of processes between
//! cgroups cheap: see [`favordynmods`]. To mount it takes some 50 ms, so that is done behind the first start, and it
//! stays for a while after the last container.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use runtime::cgroup::favordynmods;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::{Error, Result, blocking};

/// Between the last container's end and the unmount; whoever runs one after the other pays for one mount.
const IDLE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Default)]
struct Need {
    running: usize,
    closing: bool,
}

pub struct CheapMoves {
    need: watch::Sender<Need>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// A container that runs.
pub struct Running(watch::Sender<Need>);

impl CheapMoves {
    pub fn new(exec_root: PathBuf) -> Self {
        let (need, seen) = watch::channel(Need::default());
        let keeper = Mutex::new(Some(tokio::spawn(keep(exec_root, seen))));
        Self { need, keeper }
    }

    pub fn hold(&self) -> Running {
        self.need.send_modify(|need| need.running += 1);
        Running(self.need.clone())
    }

    /// Unmounts it at once, unless containers run.
    pub async fn close(&self) {
        self.need.send_modify(|need| need.closing = true);
        let keeper = self.keeper.lock().ok().and_then(|mut keeper| keeper.take());
        if let Some(keeper) = keeper {
            // It ends without a result, and by itself.
            let _ = keeper.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|need| need.running -= 1);
    }
}

async fn keep(exec_root: PathBuf, mut need: watch::Receiver<Need>) {
    let result = async {
        loop {
            // It may be mounted already, by the engine before this one.
            if is_idle(&mut need).await {
                with_root(&exec_root, |root| favordynmods::unmount(&root)).await?;
            }
            if wait(&mut need, |need| need.running > 0).await == Next::End {
                return Ok(());
            }
            if !with_root(&exec_root, |root| favordynmods::mount(&root)).await? {
                tracing::debug!("the kernel has nothing that keeps moves between cgroups cheap");
            }
            wait(&mut need, |need| need.running == 0).await;
        }
    };
    let result: Result<()> = result.await;
    if let Err(error) = result {
        tracing::warn!("containers start more slowly: {error}");
    }
}

/// True once nothing has run for a while, or when the engine ends and nothing runs.
async fn is_idle(need: &mut watch::Receiver<Need>) -> bool {
    let used = timeout(IDLE, wait(need, |need| need.running > 0)).await;
    !matches!(used, Ok(Next::Go)) && need.borrow().running == 0
}

#[derive(PartialEq, Eq)]
enum Next {
    Go,
    End,
}

/// Until it is so, or the engine ends.
async fn wait(need: &mut watch::Receiver<Need>, so: impl Fn(&Need) -> bool) -> Next {
    match need.wait_for(|need| so(need) || need.closing).await {
        Ok(need) if !need.closing => Next::Go,
        _ => Next::End,
    }
}

/// On a thread that may block.
async fn with_root<T: Send + 'static>(
    exec_root: &std::path::Path,
    work: impl FnOnce(PathBuf) -> runtime::cgroup::Result<T> + Send + 'static,
) -> Result<T> {
    let root = exec_root.to_owned();
    blocking(move || work(root).map_err(|error| Error::system(error.to_string()))).await
}
