//! `rm`: what must be gone before the answer goes first; what takes time is done behind it.

use api::containers::Status;

use super::actor::Actor;
use super::index::Handle;
use super::request::{Purpose, Request};
use super::state::{Action, is_up, may};
use super::volumes::{Own, remove_with_volumes};
use super::{Containers, Remove, exit, stop};
use crate::error::{Error, Kind, Result, blocking};

impl Containers {
    pub async fn remove(&self, wanted: &str, options: Remove) -> Result<()> {
        let handle = self.find(wanted)?;
        loop {
            if options.force {
                end(&handle).await?;
            }
            match handle.ask(|reply| Request::Remove { options, reply }).await {
                // `--rm` was quicker.
                Err(error) if options.force && error.kind == Kind::NotFound => return Ok(()),
                // Somebody started it in between.
                Err(_) if options.force && is_up(handle.record().state.status) => {}
                result => return result,
            }
        }
    }
}

async fn end(handle: &Handle) -> Result<()> {
    let record = handle.record();
    if !is_up(record.state.status) {
        return Ok(());
    }
    stop::kill(handle, Purpose::Remove).await.map_err(|cause| {
        let name = &record.name;
        let text = format!("cannot remove container \"/{name}\": could not kill: {}", cause.what);
        Error::new(cause.kind, text)
    })
}

impl Actor {
    /// The task ends with its success.
    pub async fn remove(&mut self, options: Remove) -> Result<()> {
        may(Action::Remove, self.record.subject())?;
        // Shown, not written down: it goes in one transaction, and until then a crash leaves it as it was.
        self.record.state.status = Status::Removing;
        self.show();
        self.restart = None;
        self.leave_network();
        if let Some(delivery) = self.delivery.take() {
            delivery.finish().await;
        }
        if let Err(error) = self.remove_files(options).await {
            self.record.state.status = Status::Dead;
            self.record.state.error = error.to_string();
            self.save_or_warn().await;
            return Err(error);
        }
        self.shared.index.remove(&self.record.id, &self.record.name);
        self.tell("destroy", []);
        self.view.send_modify(|view| view.removed = true);
        Ok(())
    }

    async fn remove_files(&self, options: Remove) -> Result<()> {
        let own = if options.volumes { Own::Go } else { Own::Stay };
        let (shared, record) = (self.shared.clone(), self.record.share());
        blocking(move || {
            remove_with_volumes(&shared, &record, own)?;
            // After the record: an engine that comes between finds how the container ended, or nothing of it.
            exit::clear(&shared.exec_directory(&record.id));
            Ok(())
        })
        .await
    }
}
