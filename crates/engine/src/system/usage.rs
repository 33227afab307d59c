//! What the engine's own process takes, as the kernel counts it.

use std::fs;

/// Bytes, seconds and counts; zero where the kernel does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub resident: u64,
    pub anonymous: u64,
    pub cpu_seconds: f64,
    /// Unix time.
    pub started: f64,
    pub threads: u64,
    pub descriptors: usize,
    pub max_descriptors: u64,
}

impl Usage {
    pub fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // After the command, which may hold anything: state is field 3 of proc(5), utime 14, stime 15, starttime 22.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |field: usize| -> f64 {
            fields.get(field - 3).and_then(|text| text.parse().ok()).unwrap_or(0.0)
        };
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Self {
            resident: kilobytes(&status, "VmRSS"),
            anonymous: kilobytes(&status, "RssAnon"),
            cpu_seconds: (ticks(14) + ticks(15)) / per_second,
            started: boot_time() + ticks(22) / per_second,
            threads: number(&status, "Threads"),
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            max_descriptors: limit.current.unwrap_or(0),
        }
    }

    /// The process's share of memory that it shares; costs the kernel a walk over its pages.
    pub fn proportional(&self) -> u64 {
        kilobytes(&fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default(), "Pss")
    }
}

fn boot_time() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
}

fn kilobytes(text: &str, name: &str) -> u64 {
    number(text, name) << 10
}

fn number(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_threads_and_a_start() {
        let usage = Usage::read();
        assert!(usage.resident > usage.anonymous && usage.anonymous > 0, "{usage:?}");
        assert!(
            usage.threads > 0 && usage.descriptors > 2 && usage.max_descriptors > 2,
            "{usage:?}"
        );
        assert!(usage.started > 1.7e9 && usage.proportional() > 0, "{usage:?}");
    }
}
