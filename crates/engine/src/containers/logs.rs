//! `logs`: where a container's log is, and when following it ends.

use tokio::sync::watch;

use super::Containers;
use super::index::View;
use super::logging;
use super::state::is_up;
use crate::error::{Error, Kind, Result};
use crate::logs::{Format, Query, Reader, Source};

/// A log that is open for reading.
pub struct Logs {
    pub reader: Reader,
    /// Chunks are the terminal's bytes, without stream headers.
    pub tty: bool,
}

impl Containers {
    pub async fn logs(&self, wanted: &str, query: Query) -> Result<Logs> {
        let handle = self.find(wanted)?;
        let record = handle.record();
        let log = &record.host_config.log_config;
        if !logging::is_readable(log) {
            return Err(Error::new(
                Kind::NotImplemented,
                "configured logging driver does not support reading",
            ));
        }
        let format = if log.driver == "json-file" { Format::JsonFile } else { Format::Local };
        let path = record.log_path(&self.0.config.data_root);
        if let Some(directory) = path.parent() {
            // Following a container that has not written yet watches its directory.
            tokio::fs::create_dir_all(directory)
                .await
                .map_err(|cause| Error::system("cannot open the log").because(cause))?;
        }
        let tty = record.config.tty || query.unframed;
        let ended = ended(handle.watch());
        let reader = Reader::open(Source { path, format, tty }, query, ended).map_err(|cause| {
            Error::system(format!("cannot open the log of {}", record.name)).because(cause)
        })?;
        Ok(Logs { reader, tty })
    }
}

/// True once the present run has ended and its log is complete, or at once where nothing runs.
fn ended(mut view: watch::Receiver<View>) -> watch::Receiver<bool> {
    let exits_before = view.borrow().exits;
    let is_over = move |view: &View| {
        view.removed || view.exits > exits_before || !is_up(view.record.state.status)
    };
    let (sender, receiver) = watch::channel(is_over(&view.borrow()));
    tokio::spawn(async move {
        tokio::select! {
            // An error means that the container is gone.
            _ = view.wait_for(is_over) => drop(sender.send(true)),
            () = sender.closed() => {}
        }
    });
    receiver
}
