//! The progress of load, import and pull.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

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
    /// Of each of them.
    paces: Vec<Pace>,
}

/// How fast something goes, from when it was first seen to go.
#[derive(Default)]
struct Pace {
    status: String,
    first: i64,
    since: Option<Instant>,
}

/// Before that a speed says little.
const SOON: Duration = Duration::from_secs(1);

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
            self.paces.push(Pace::default());
            print("\n")?;
        }
        let up = self.ids.len() - line;
        let (label, bar) = (with_id(message), bar(message));
        let pace = self.paces[line].seen(message, Instant::now());
        let text = format!("\x1b[{up}A\x1b[2K\r{label}{bar}{pace}\r\x1b[{up}B");
        print(text)?;
        std::io::stdout().flush().map_err(Failure::from)
    }
}

impl Pace {
    /// Speed and the time that is left by it, once they mean something.
    fn seen(&mut self, message: &Message, now: Instant) -> String {
        let detail = message.progress_detail.as_ref();
        let Some(detail) = detail.filter(|p| p.current > 0 && p.total >= p.current) else {
            return String::new();
        };
        let since = match self.since {
            Some(since) if self.status == message.status && detail.current >= self.first => since,
            _ => {
                // What is there from earlier tries did not come now.
                let status = message.status.clone();
                *self = Self { status, first: detail.current, since: Some(now) };
                now
            }
        };
        let took = now.saturating_duration_since(since);
        let speed = (detail.current - self.first) as f64 / took.as_secs_f64();
        if took < SOON || speed < 1.0 {
            return String::new();
        }
        let left = ((detail.total - detail.current) as f64 / speed).ceil() as u64;
        format!("  {}/s  {}", super::units::human_size(speed, 3), clock(left))
    }
}

/// Of seconds: `9s`, `3m04s`, `2h05m`.
fn clock(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
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

#[cfg(test)]
mod tests {
    use api::progress::ProgressDetail;

    use super::*;

    #[test]
    fn speed_and_rest_are_of_what_came_since_it_was_seen() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut seen = |status: &str, current, millis| {
            let detail =
                ProgressDetail { current, total: 100_000_000, ..ProgressDetail::default() };
            let message = Message {
                status: status.to_owned(),
                progress_detail: Some(detail),
                ..Message::default()
            };
            pace.seen(&message, start + Duration::from_millis(millis))
        };
        assert_eq!(seen("Downloading", 50_000_000, 0), "");
        assert_eq!(seen("Downloading", 50_500_000, 500), "");
        assert_eq!(seen("Downloading", 52_000_000, 2000), "  1MB/s  48s");
        assert_eq!(seen("Downloading", 52_000_000, 200_000), "  10kB/s  1h20m");
        // Another stage begins anew.
        assert_eq!(seen("Extracting", 1_000_000, 201_000), "");
        assert_eq!(seen("Extracting", 21_000_000, 203_000), "  10MB/s  8s");
        assert_eq!(seen("Extracting", 0, 204_000), "");
    }

    #[test]
    fn times_are_short() {
        assert_eq!([clock(9), clock(184), clock(7530)], ["9s", "3m04s", "2h05m"]);
    }
}
