//! `kill`, and the signals that `stop` and `rm -f` send.

use api::containers::Status;
use runtime::monitor::protocol::{Command, ErrorKind};

use super::Containers;
use super::actor::Actor;
use super::request::{Purpose, Request};
use super::signal::{self, SIGKILL, SIGTERM};
use super::state::{Action, Verdict, is_up, may};
use super::stop;
use crate::error::{Error, Kind, Result};

impl Containers {
    /// Sends `signal` (a name or a number; empty is KILL) to a container's first process; after KILL, the container
    /// has ended when this returns.
    pub async fn kill(&self, wanted: &str, signal: &str) -> Result<()> {
        let as_typed = |error: Error| {
            Error::new(error.kind, format!("cannot kill container: {wanted}: {}", error.what))
        };
        let number =
            if signal.is_empty() { SIGKILL } else { signal::parse(signal).map_err(as_typed)? };
        let handle = self.find(wanted).map_err(as_typed)?;
        let named = |error: Error| {
            let name = handle.record().name.clone();
            Error::new(error.kind, format!("cannot kill container: {name}: {}", error.what))
        };
        if !sys::signal::exists(number) {
            let text = format!("the linux daemon does not support signal {number}");
            return Err(named(Error::invalid(text)));
        }
        if number == SIGKILL {
            return stop::kill(&handle, Purpose::Kill).await;
        }
        handle.ask(|reply| Request::Signal { signal: number, purpose: Purpose::Kill, reply }).await
    }
}

impl Actor {
    /// Sends a signal; a container that waits for its restart is simply not restarted.
    pub async fn signal(&mut self, number: i32, purpose: Purpose) -> Result<()> {
        let action = if purpose == Purpose::Kill { Action::Kill } else { Action::Stop };
        if may(action, self.record.subject())? == Verdict::Nothing {
            return Ok(());
        }
        let meant_to_end = purpose != Purpose::Kill || self.ends_by(number);
        if meant_to_end {
            self.asked_to_end = true;
            self.record.stopped_by_hand = true;
        }
        if self.status() == Status::Restarting {
            return self.give_up_restart(meant_to_end).await;
        }
        self.deliver(number).await?;
        // A frozen process dies only once it is thawed.
        if self.status() == Status::Paused && meant_to_end {
            self.thaw().await?;
        }
        self.tell("kill", [("signal", number.to_string())]);
        if meant_to_end && is_up(self.status()) {
            self.save_or_warn().await;
        }
        Ok(())
    }

    /// Signals that say "end", not "reread your configuration".
    fn ends_by(&self, number: i32) -> bool {
        let own = signal::parse(&self.record.config.stop_signal).ok();
        matches!(number, SIGKILL | SIGTERM | 2 | 3) || own == Some(number)
    }

    async fn deliver(&self, number: i32) -> Result<()> {
        let command = Command::Signal { exec_id: None, signal: number, group: false };
        match self.link()?.call(command, &[]).await {
            Ok(_) => Ok(()),
            // It ended just now, which is what was wished or comes to the same.
            Err(failure) if failure.kind == ErrorKind::Gone => Ok(()),
            Err(failure) => Err(Error::new(
                Kind::System,
                format!("cannot kill container: {}: {failure}", self.record.name),
            )),
        }
    }

    async fn give_up_restart(&mut self, meant_to_end: bool) -> Result<()> {
        if meant_to_end {
            self.restart = None;
            self.asked_to_end = false;
            self.record.state.status = Status::Exited;
            self.save_or_warn().await;
            self.view.send_modify(|view| view.exits += 1);
        }
        Ok(())
    }
}
