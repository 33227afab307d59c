//! The lines that load, pull and push tell of each layer, in Docker's form.

use std::time::Duration;

use api::progress::{Message, ProgressDetail};
use tokio::sync::mpsc;

/// No line of a layer that moves sooner than this after another.
pub const PACE: Duration = Duration::from_millis(100);

/// Where lines go. One that nobody reads any more is dropped.
#[derive(Clone)]
pub struct Reporter(mpsc::Sender<Message>);

impl Reporter {
    /// A reporter, and what it reports.
    pub fn new() -> (Self, mpsc::Receiver<Message>) {
        let (sender, messages) = mpsc::channel(16);
        (Self(sender), messages)
    }

    /// Waits while the client is slow.
    pub async fn send(&self, message: Message) {
        // The one who reads ends the work when he goes.
        let _ = self.0.send(message).await;
    }

    pub async fn status(&self, text: impl Into<String>) {
        self.send(Message::status(text)).await;
    }

    /// Of a layer.
    pub async fn layer(&self, id: &str, status: &str) {
        let detail = Some(ProgressDetail::default());
        let message =
            Message { progress_detail: detail, id: id.to_owned(), ..Message::status(status) };
        self.send(message).await;
    }

    pub async fn moving(&self, id: &str, status: &str, current: u64, total: u64) {
        self.send(moving(id, status, current, total)).await;
    }
}

/// How far a layer is.
pub fn moving(id: &str, status: &str, current: u64, total: u64) -> Message {
    let (current, total) = (current as i64, total as i64);
    let detail = ProgressDetail { current, total, ..ProgressDetail::default() };
    Message {
        progress_detail: Some(detail),
        progress: bar(current, total),
        id: id.to_owned(),
        ..Message::status(status)
    }
}

/// The bar that clients without one of their own print.
fn bar(current: i64, total: i64) -> String {
    const WIDTH: usize = 50;
    if total <= 0 {
        return size(current);
    }
    let done = usize::try_from(current.clamp(0, total) * WIDTH as i64 / total).unwrap_or(WIDTH);
    let left = " ".repeat(WIDTH - done);
    format!("[{}>{left}] {:>8}/{}", "=".repeat(done), size(current), size(total))
}

/// Four digits and a decimal unit, without zeros at the end.
fn size(bytes: i64) -> String {
    let mut size = bytes as f64;
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    let decimals = match size {
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    let number = format!("{size:.decimals$}");
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_with_the_bytes() {
        assert_eq!(
            bar(512, 1024),
            "[=========================>                         ]     512B/1.024kB"
        );
        assert_eq!(
            bar(2_000_000, 2_000_000),
            "[==================================================>]      2MB/2MB"
        );
        assert_eq!(bar(123_456_789, 0), "123.5MB");
    }
}
