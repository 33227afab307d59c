//! What `--metrics-addr` shows, in Prometheus' text format: dockerd's names for what it counts, too, and the engine's own
//! needs. Counting is an addition in memory; everything else is read when somebody asks.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::containers::Counts;
use crate::system::{Facts, Usage};

/// Upper bounds in seconds, as in dockerd.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What dockerd calls a container action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Changes,
    Commit,
    Create,
    Delete,
    Start,
}

const ACTIONS: [(Action, &str); 5] = [
    (Action::Changes, "changes"),
    (Action::Commit, "commit"),
    (Action::Create, "create"),
    (Action::Delete, "delete"),
    (Action::Start, "start"),
];

#[derive(Default)]
pub struct Metrics {
    actions: [Histogram; ACTIONS.len()],
    /// Answers by the first digit of their status.
    answers: [AtomicU64; 6],
}

#[derive(Default)]
pub struct Histogram {
    /// Not cumulative; the last one is beyond all bounds.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub fn took(&self, time: Duration) {
        let bucket = BUCKETS.iter().position(|bound| time.as_secs_f64() <= *bound);
        self.buckets[bucket.unwrap_or(BUCKETS.len())].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// The lines of the family `name` that have this label, or none.
    fn write(&self, page: &mut Page, name: &str, label: Option<(&str, &str)>) {
        let mut count = 0;
        for (n, bucket) in self.buckets.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            let bound = BUCKETS.get(n).map_or("+Inf".to_owned(), f64::to_string);
            let labels: Vec<_> = label.into_iter().chain([("le", bound.as_str())]).collect();
            page.line(&format!("{name}_bucket"), &labels, count);
        }
        let seconds = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        let labels: Vec<_> = label.into_iter().collect();
        page.line(&format!("{name}_sum"), &labels, seconds);
        page.line(&format!("{name}_count"), &labels, count);
    }
}

/// Health checks as dockerd counts them: those that could not be run have failed, whatever the others found.
#[derive(Default)]
pub struct HealthChecks {
    pub begun: AtomicU64,
    pub failed: AtomicU64,
    /// Until the check's process ran.
    pub start: Histogram,
}

impl HealthChecks {
    fn write(&self, page: &mut Page) {
        const START: &str = "engine_daemon_health_check_start_duration_seconds";
        let help = "The number of seconds it takes to prepare to run health checks";
        page.family(START, "histogram", help);
        self.start.write(page, START, None);
        page.one(
            "engine_daemon_health_checks_failed_total",
            "counter",
            "The total number of failed health checks",
            self.failed.load(Ordering::Relaxed),
        );
        page.one(
            "engine_daemon_health_checks_total",
            "counter",
            "The total number of health checks",
            self.begun.load(Ordering::Relaxed),
        );
    }
}

impl Metrics {
    pub fn acted(&self, action: Action, took: Duration) {
        self.actions[action as usize].took(took);
    }

    pub fn answered(&self, status: u16) {
        if let Some(count) = self.answers.get(usize::from(status / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn text(&self, seen: &Seen<'_>) -> String {
        let mut page = Page(String::with_capacity(8 << 10));
        self.write_actions(&mut page);
        let Counts { running, paused, stopped } = seen.containers;
        page.family(
            "engine_daemon_container_states_containers",
            "gauge",
            "The count of containers in various states",
        );
        for (state, count) in [("paused", paused), ("running", running), ("stopped", stopped)] {
            page.value(&[("state", state)], count);
        }
        page.one(
            "engine_daemon_engine_cpus_cpus",
            "gauge",
            "The number of cpus that the host system of the engine has",
            seen.facts.cpus,
        );
        page.family(
            "engine_daemon_engine_info",
            "gauge",
            "The information related to the engine and the OS it is running on",
        );
        let facts = &seen.facts;
        page.value(
            &[
                ("architecture", &facts.architecture),
                ("commit", ""),
                ("daemon_id", &facts.id),
                ("graphdriver", "overlay2"),
                ("kernel", &facts.kernel),
                ("os", &facts.os),
                ("os_type", "linux"),
                ("os_version", &facts.os_version),
                ("version", env!("CARGO_PKG_VERSION")),
            ],
            1,
        );
        page.one(
            "engine_daemon_engine_memory_bytes",
            "gauge",
            "The number of bytes of memory that the host system of the engine has",
            facts.memory,
        );
        page.one(
            "engine_daemon_events_subscribers_total",
            "gauge",
            "The number of current subscribers to events",
            seen.listeners,
        );
        page.one(
            "engine_daemon_events_total",
            "counter",
            "The number of events logged",
            seen.events,
        );
        seen.health_checks.write(&mut page);
        page.family(
            "gantry_api_answers_total",
            "counter",
            "Answers of the API by the class of their status",
        );
        for (class, count) in ["2xx", "3xx", "4xx", "5xx"].into_iter().zip(&self.answers[2..]) {
            page.value(&[("status", class)], count.load(Ordering::Relaxed));
        }
        page.one("gantry_api_connections", "gauge", "Connections to the API", seen.connections);
        page.one(
            "gantry_database_transactions_total",
            "counter",
            "Transactions that wrote to the database",
            seen.transactions,
        );
        page.one("gantry_images", "gauge", "Images", seen.images);
        let usage = &seen.usage;
        page.one(
            "process_cpu_seconds_total",
            "counter",
            "Total user and system CPU time spent in seconds",
            usage.cpu_seconds,
        );
        page.one(
            "process_max_fds",
            "gauge",
            "Maximum number of open file descriptors",
            usage.max_descriptors,
        );
        page.one("process_open_fds", "gauge", "Number of open file descriptors", usage.descriptors);
        page.one(
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory size in bytes",
            usage.resident,
        );
        page.one(
            "process_start_time_seconds",
            "gauge",
            "Start time of the process since unix epoch in seconds",
            usage.started,
        );
        page.one("process_threads", "gauge", "Threads", usage.threads);
        page.0
    }

    fn write_actions(&self, page: &mut Page) {
        const NAME: &str = "engine_daemon_container_actions_seconds";
        page.family(
            NAME,
            "histogram",
            "The number of seconds it takes to process each container action",
        );
        for (action, name) in ACTIONS {
            self.actions[action as usize].write(page, NAME, Some(("action", name)));
        }
    }
}

/// What is not counted but looked at.
pub struct Seen<'s> {
    pub health_checks: &'s HealthChecks,
    pub facts: Facts,
    pub usage: Usage,
    pub containers: Counts,
    pub images: i64,
    pub events: u64,
    pub listeners: usize,
    pub connections: usize,
    pub transactions: u64,
}

struct Page(String);

impl Page {
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl ToString) {
        self.family(name, kind, help);
        self.value(&[], value);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Of the family that was begun last.
    fn value(&mut self, labels: &[(&str, &str)], value: impl ToString) {
        let family = self.0.trim_end().rsplit("# TYPE ").next().unwrap_or_default();
        let name = family.split(' ').next().unwrap_or_default().to_owned();
        self.line(&name, labels, value);
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl ToString) {
        self.0.push_str(name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let before = if n == 0 { '{' } else { ',' };
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.0, "{before}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { " " } else { "} " };
        let _ = writeln!(self.0, "{end}{}", value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_prometheus_text() {
        let metrics = Metrics::default();
        metrics.acted(Action::Start, Duration::from_millis(7));
        metrics.acted(Action::Start, Duration::from_secs(60));
        metrics.answered(404);
        metrics.answered(999);
        let health_checks = HealthChecks::default();
        health_checks.begun.store(3, Ordering::Relaxed);
        health_checks.start.took(Duration::from_millis(20));
        let seen = Seen {
            health_checks: &health_checks,
            facts: Facts { os: "a \"quoted\" \\ name\n".into(), ..Facts::default() },
            usage: Usage::default(),
            containers: Counts { running: 3, paused: 0, stopped: 1 },
            images: 2,
            events: 5,
            listeners: 1,
            connections: 4,
            transactions: 6,
        };
        let text = metrics.text(&seen);
        for line in [
            "# TYPE engine_daemon_container_actions_seconds histogram",
            "engine_daemon_container_actions_seconds_bucket{action=\"start\",le=\"0.005\"} 0",
            "engine_daemon_container_actions_seconds_bucket{action=\"start\",le=\"0.01\"} 1",
            "engine_daemon_container_actions_seconds_bucket{action=\"start\",le=\"+Inf\"} 2",
            "engine_daemon_container_actions_seconds_sum{action=\"start\"} 60.007",
            "engine_daemon_container_actions_seconds_count{action=\"start\"} 2",
            "engine_daemon_container_actions_seconds_count{action=\"create\"} 0",
            "engine_daemon_container_states_containers{state=\"running\"} 3",
            "gantry_api_answers_total{status=\"4xx\"} 1",
            "engine_daemon_health_checks_total 3",
            "engine_daemon_health_checks_failed_total 0",
            "engine_daemon_health_check_start_duration_seconds_bucket{le=\"0.01\"} 0",
            "engine_daemon_health_check_start_duration_seconds_bucket{le=\"0.025\"} 1",
            "engine_daemon_health_check_start_duration_seconds_count 1",
            "gantry_api_connections 4",
            "gantry_database_transactions_total 6",
            "engine_daemon_events_total 5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(text.contains(r#"os="a \"quoted\" \\ name\n""#), "{text}");
        // Every family is described, and every line belongs to one.
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .filter(|name| name.ends_with("_seconds"))
                .unwrap_or(name);
            assert!(text.contains(&format!("# TYPE {family} ")), "{line}");
        }
    }
}
