//! The steps of a build as they are known so far.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use api::build::{Status, Vertex, VertexLog, VertexStatus};
use jiff::Timestamp;

use crate::output::units::human_size;

/// Lines of a step's output that are shown once more when it failed.
const TAIL: usize = 10;
/// A line that does not end is cut here.
const LONGEST_LINE: usize = 64 << 10;

/// In the order in which they were first told of.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) all: Vec<Step>,
    places: HashMap<String, usize>,
}

#[derive(Default)]
pub(super) struct Step {
    pub(super) name: String,
    /// From 1, once it was shown.
    pub(super) number: Option<usize>,
    pub(super) started: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    pub(super) cached: bool,
    pub(super) error: String,
    /// Of runs before the last one: BuildKit's steps may begin several times.
    before: f64,
    pub(super) parts: Vec<Part>,
    /// Lines of output and other news that were not printed yet.
    pub(super) lines: Vec<String>,
    /// Output since the last end of a line, of either stream: commands write to both at once.
    partial: [Vec<u8>; 2],
    pub(super) tail: VecDeque<String>,
    /// Something was told since it was printed.
    pub(super) has_news: bool,
}

/// One part of a step: what is transferred or written.
pub(super) struct Part {
    pub(super) id: String,
    pub(super) current: i64,
    pub(super) total: i64,
    pub(super) started: Option<Timestamp>,
    pub(super) seen: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    /// Changed since it was printed.
    pub(super) has_news: bool,
}

impl Steps {
    pub(super) fn add(&mut self, status: Status) {
        for vertex in status.vertexes {
            let step = self.step(&vertex.digest);
            step.update(vertex);
        }
        for part in status.statuses {
            let step = self.step(&part.vertex);
            step.update_part(part);
        }
        for warning in status.warnings {
            let text = String::from_utf8_lossy(&warning.short).into_owned();
            let step = self.step(&warning.vertex);
            step.lines.push(format!("WARN: {text}"));
            step.has_news = true;
        }
        for reason in status.reasons {
            let step = self.step(&reason.vertex);
            step.lines.push(format!("why: {}", reason.text));
            step.has_news = true;
        }
        for log in status.logs {
            self.step(&log.vertex).output(&log);
        }
    }

    fn step(&mut self, digest: &str) -> &mut Step {
        let place = *self.places.entry(digest.to_owned()).or_insert_with(|| {
            self.all.push(Step::default());
            self.all.len() - 1
        });
        &mut self.all[place]
    }

    /// The last output of the steps that failed.
    pub(super) fn what_failed(&self) -> String {
        let mut text = String::new();
        for step in &self.all {
            if step.error.is_empty() || step.is_cancelled() {
                continue;
            }
            // Writing to a String does not fail.
            let _ = writeln!(text, "------\n > {}:", step.name);
            for line in &step.tail {
                let _ = writeln!(text, "{line}");
            }
            text += "------\n";
        }
        text
    }
}

impl Step {
    pub(super) fn is_active(&self) -> bool {
        self.started.is_some() && self.completed.is_none()
    }

    pub(super) fn is_completed(&self) -> bool {
        self.completed.is_some() || (self.cached && self.started.is_none())
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.error.ends_with("context canceled")
    }

    /// Seconds it took, up to now where it still runs.
    pub(super) fn seconds(&self, now: Timestamp) -> f64 {
        let last = self.started.map(|started| between(started, self.completed.unwrap_or(now)));
        self.before + last.unwrap_or_default().max(0.0)
    }

    fn update(&mut self, vertex: Vertex) {
        let (started, completed) =
            (time(vertex.started.as_deref()), time(vertex.completed.as_deref()));
        if let (Some(old), Some(new), Some(end)) = (self.started, started, self.completed)
            && new > old
        {
            self.before += between(old, end).max(0.0);
            self.completed = None;
        }
        if !vertex.name.is_empty() {
            // One line, whatever it was in the Dockerfile.
            self.name = vertex.name.replace(['\n', '\r'], " ");
        }
        self.started = started.or(self.started);
        self.completed = completed.or(self.completed);
        self.cached |= vertex.cached;
        if !vertex.error.is_empty() {
            self.error = vertex.error;
        }
        if self.is_completed() {
            (0..self.partial.len()).for_each(|stream| self.end_line(stream, self.completed));
        }
        self.has_news = true;
    }

    fn update_part(&mut self, news: VertexStatus) {
        let place = self.parts.iter().position(|part| part.id == news.id);
        let part = Part {
            current: news.current,
            total: news.total,
            started: time(news.started.as_deref()),
            seen: time(Some(&news.timestamp)),
            completed: time(news.completed.as_deref()),
            has_news: true,
            id: news.id,
        };
        match place {
            Some(place) => self.parts[place] = part,
            None => self.parts.push(part),
        }
        self.has_news = true;
    }

    fn output(&mut self, log: &VertexLog) {
        let at = time(Some(&log.timestamp));
        let stream = usize::from(log.stream == 2);
        for piece in log.data.split_inclusive(|byte| *byte == b'\n') {
            self.partial[stream].extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial[stream].len() > LONGEST_LINE {
                self.end_line(stream, at);
            }
        }
        self.has_news = true;
    }

    fn end_line(&mut self, stream: usize, at: Option<Timestamp>) {
        let bytes = std::mem::take(&mut self.partial[stream]);
        if bytes.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&bytes);
        let since = match (self.started, at) {
            (Some(started), Some(at)) => between(started, at),
            _ => 0.0,
        };
        let line = format!("{since:.3} {}", line.trim_end_matches(['\n', '\r']));
        self.tail.push_back(line.clone());
        if self.tail.len() > TAIL {
            self.tail.pop_front();
        }
        self.lines.push(line);
    }
}

impl Part {
    /// ` 30B / 60B 0.1s done`
    pub(super) fn progress(&self) -> String {
        let mut text = String::new();
        let size = |bytes: i64| human_size(bytes as f64, 4);
        if self.total > 0 {
            text += &format!(" {} / {}", size(self.current), size(self.total));
        } else if self.current > 0 {
            text += &format!(" {}", size(self.current));
        }
        if let (Some(started), Some(end)) = (self.started, self.completed.or(self.seen))
            && between(started, end) > 0.01
        {
            text += &format!(" {:.1}s", between(started, end));
        }
        if self.completed.is_some() {
            text += " done";
        }
        text
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

fn between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
