//! `resize`: the size of a container's or an exec's terminal.

use runtime::monitor::protocol::{Command, ErrorKind};

use super::Containers;
use super::actor::Actor;
use super::request::Request;
use super::state::{Action, may};
use crate::error::{Error, Result};

impl Containers {
    pub async fn resize(&self, wanted: &str, height: u16, width: u16) -> Result<()> {
        let handle = self.find(wanted)?;
        handle.ask(|reply| Request::Resize { exec: None, height, width, reply }).await
    }

    pub async fn resize_exec(&self, exec: &str, height: u16, width: u16) -> Result<()> {
        let handle = self.index().find_exec(exec)?;
        let exec = Some(exec.to_owned());
        handle.ask(|reply| Request::Resize { exec, height, width, reply }).await
    }
}

impl Actor {
    pub async fn resize(&mut self, exec: Option<String>, height: u16, width: u16) -> Result<()> {
        may(Action::Resize, self.record.subject())?;
        let command = Command::Resize { exec_id: exec.clone(), height, width };
        self.link()?.call(command, &[]).await.map_err(|failure| match (failure.kind, &exec) {
            (ErrorKind::NotFound | ErrorKind::Gone, Some(id)) => {
                Error::not_found(format!("No such exec instance: {id}"))
            }
            _ => Error::system(format!("cannot resize container {}: {failure}", self.record.id)),
        })?;
        // Docker tells of no exec's.
        if exec.is_none() {
            self.tell("resize", [("height", height.to_string()), ("width", width.to_string())]);
        }
        Ok(())
    }
}
