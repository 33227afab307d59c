//! A container's log on its way to another server.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::logging;
use super::record::Record;
use crate::logs::remote::{Feed, Job, is_remote};
use crate::logs::{Format, Source};

/// How long the removal of a container may wait for its last lines to arrive.
const FAREWELL: Duration = Duration::from_secs(10);

pub struct Delivery {
    over: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Delivery {
    /// `None` for logs that stay here.
    pub fn begin(record: &Record, data_root: &Path) -> Option<Self> {
        if !is_remote(&record.host_config.log_config.driver) {
            return None;
        }
        let (over, watch) = watch::channel(false);
        match feed(record, data_root) {
            Ok(feed) => Some(Self { over, task: tokio::spawn(feed.run(watch)) }),
            Err(error) => {
                tracing::warn!(container = record.id, "the log is not sent: {error}");
                None
            }
        }
    }

    /// Nothing more will be written: waits until everything has arrived, but not for a server that is away.
    pub async fn finish(mut self) {
        self.over.send_replace(true);
        if tokio::time::timeout(FAREWELL, &mut self.task).await.is_err() {
            tracing::warn!("the last lines of a removed container have not reached its log server");
        }
    }
}

fn feed(record: &Record, data_root: &Path) -> Result<Feed, String> {
    let log = &record.host_config.log_config;
    let path = record.log_path(data_root);
    Feed::new(Job {
        source: Source { path, format: Format::Local, tty: record.config.tty },
        cursor: record.files(data_root).join("log-cursor.json"),
        driver: log.driver.clone(),
        options: log.config.clone().unwrap_or_default(),
        subject: logging::subject(record, data_root).map_err(|error| error.to_string())?,
    })
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.task.abort();
    }
}
