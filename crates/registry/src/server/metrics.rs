//! What Prometheus reads.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(super) struct Metrics {
    /// By the first digit of the status.
    answers: [AtomicU64; 6],
    sent: AtomicU64,
    received: AtomicU64,
    collected_blobs: AtomicU64,
    collected_bytes: AtomicU64,
    fetched_blobs: AtomicU64,
    fetched_bytes: AtomicU64,
    notices_told: AtomicU64,
    notice_failures: AtomicU64,
}

impl Metrics {
    pub(super) fn answered(&self, status: u16, length: u64) {
        if let Some(count) = self.answers.get(usize::from(status / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sent.fetch_add(length, Ordering::Relaxed);
    }

    pub(super) fn received(&self, length: u64) {
        self.received.fetch_add(length, Ordering::Relaxed);
    }

    pub(super) fn collected(&self, blobs: usize, bytes: u64) {
        self.collected_blobs.fetch_add(blobs as u64, Ordering::Relaxed);
        self.collected_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// From the upstream.
    pub(super) fn fetched(&self, bytes: u64) {
        self.fetched_blobs.fetch_add(1, Ordering::Relaxed);
        self.fetched_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn notices_told(&self, count: usize) {
        self.notices_told.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn notice_failed(&self) {
        self.notice_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn text(&self, uploads: usize, connections: usize) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "# TYPE gantry_registry_requests_total counter");
        for (class, count) in self.answers.iter().enumerate().skip(2) {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(text, "gantry_registry_requests_total{{code=\"{class}xx\"}} {count}");
        }
        let mut one = |kind: &str, name: &str, value: u64| {
            let _ = writeln!(
                text,
                "# TYPE gantry_registry_{name} {kind}\ngantry_registry_{name} {value}"
            );
        };
        one("counter", "sent_bytes_total", self.sent.load(Ordering::Relaxed));
        one("counter", "received_bytes_total", self.received.load(Ordering::Relaxed));
        one("counter", "collected_blobs_total", self.collected_blobs.load(Ordering::Relaxed));
        one("counter", "collected_bytes_total", self.collected_bytes.load(Ordering::Relaxed));
        one("counter", "fetched_blobs_total", self.fetched_blobs.load(Ordering::Relaxed));
        one("counter", "fetched_bytes_total", self.fetched_bytes.load(Ordering::Relaxed));
        one("counter", "notifications_total", self.notices_told.load(Ordering::Relaxed));
        let failures = self.notice_failures.load(Ordering::Relaxed);
        one("counter", "notification_failures_total", failures);
        one("gauge", "open_uploads", uploads as u64);
        one("gauge", "connections", connections as u64);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_counted_by_its_class() {
        let metrics = Metrics::default();
        metrics.answered(200, 10);
        metrics.answered(206, 5);
        metrics.answered(404, 0);
        metrics.received(7);
        let text = metrics.text(1, 2);
        for line in [
            "requests_total{code=\"2xx\"} 2",
            "requests_total{code=\"4xx\"} 1",
            "sent_bytes_total 15",
            "received_bytes_total 7",
            "open_uploads 1",
            "connections 2",
        ] {
            assert!(text.contains(&format!("gantry_registry_{line}\n")), "{line}:\n{text}");
        }
    }
}
