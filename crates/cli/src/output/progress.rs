//! The progress of load, import and pull.

use std::io::{IsTerminal, Write};

use api::progress::Message;
use client::JsonLines;

use super::{print, warn};
use crate::error::{Failure, Result};

/// Prints a stream of messages: bars that move on a terminal, lines elsewhere. The first error ends it.
pub(crate) async fn show(mut messages: JsonLines<Message>) -> Result<()> {
    let mut lines = Lines::default();
    while let Some(message) = messages.next().await? {
        lines.show(&message)?;
    }
    Ok(())
}

/// As [`show`], but says nothing.
pub(crate) async fn wait(mut messages: JsonLines<Message>) -> Result<()> {
    while let Some(message) = messages.next().await? {
        failed(&message)?;
    }
    Ok(())
}

/// As [`show`], on stderr and without bars: for pulls that `run` makes on the way.
pub(crate) async fn show_on_stderr(mut messages: JsonLines<Message>) -> Result<()> {
    while let Some(message) = messages.next().await? {
        failed(&message)?;
        if message.progress_detail.as_ref().is_none_or(|p| p.current == 0)
            && !message.status.is_empty()
        {
            warn(with_id(&message));
        }
    }
    Ok(())
}

/// Which line of the terminal each layer has.
#[derive(Default)]
struct Lines {
    ids: Vec<String>,
}

impl Lines {
    fn show(&mut self, message: &Message) -> Result<()> {
        failed(message)?;
        let terminal = std::io::stdout().is_terminal();
        let moving = message.progress_detail.as_ref().is_some_and(|p| p.current > 0);
        if !message.stream.is_empty() {
            return print(&message.stream);
        }
        if message.status.is_empty() || (moving && !terminal) {
            return Ok(());
        }
        if terminal && !message.id.is_empty() {
            return self.update(message);
        }
        print(format!("{}\n", with_id(message)))
    }

    /// Rewrites the line of a layer in place.
    fn update(&mut self, message: &Message) -> Result<()> {
        let known = self.ids.iter().position(|id| *id == message.id);
        let line = known.unwrap_or(self.ids.len());
        if known.is_none() {
            self.ids.push(message.id.clone());
            print("\n")?;
        }
        let up = self.ids.len() - line;
        let text = format!("\x1b[{up}A\x1b[2K\r{}{}\r\x1b[{up}B", with_id(message), bar(message));
        print(text)?;
        std::io::stdout().flush().map_err(Failure::from)
    }
}

fn with_id(message: &Message) -> String {
    match message.id.as_str() {
        "" => message.status.clone(),
        id => format!("{id}: {}", message.status),
    }
}

fn bar(message: &Message) -> String {
    let Some(detail) = message.progress_detail.as_ref().filter(|p| p.current > 0) else {
        return String::new();
    };
    let size = |n: i64| super::units::human_size(n as f64, 4);
    if detail.total <= 0 {
        return format!(" {}", size(detail.current));
    }
    let done = (detail.current * 50 / detail.total).clamp(0, 50) as usize;
    let head = if done < 50 { ">" } else { "" };
    let rest = " ".repeat(50 - done - head.len());
    format!(" [{}{head}{rest}]  {}/{}", "=".repeat(done), size(detail.current), size(detail.total))
}

fn failed(message: &Message) -> Result<()> {
    match &message.error_detail {
        Some(detail) => Err(Failure::new(detail.message.clone())),
        None if !message.error.is_empty() => Err(Failure::new(message.error.clone())),
        None => Ok(()),
    }
}
